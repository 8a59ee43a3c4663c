"""Whatever is sent to the documented routes, the server answers in the documented ways.

`make test` sends some hundreds of requests; `AVATAR_CASES=10000 pytest -m load
tests/integration/test_openapi.py -s` sends as many.
"""

import os
from collections import Counter
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.face.portrait import default_portrait

CASES = int(os.environ.get("AVATAR_CASES", "10000"))
PATIENCE = 30  # seconds for one answer: what takes longer hangs
FILES = {
    "audio": bundled("questions/en.flac").read_bytes(),
    "file": bundled("questions/en.flac").read_bytes(),
    "portrait": default_portrait().read_bytes(),
}
CHECKS: Any = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def schema(fake_server: str) -> Any:
    return schemathesis.openapi.from_url(f"{fake_server}/openapi.json")


def make_plausible(path: str, body: dict[str, Any], *, form: bool) -> None:
    """Replace what no document can describe: recordings, and names of what is here."""
    for name in ("avatar", "voice", "language", "history"):
        body.pop(name, None)
    if form:
        body |= {name: file for name, file in FILES.items() if name in body}
    for end, model in (("completions", "avatar"), ("speech", "tts-1"), ("ions", "whisper-1")):
        if "model" in body and path.endswith(end):
            body["model"] = model
            break


def ask(case: Any, told: Counter[int]) -> None:
    """Send a case; two thirds of the bodies are made plausible before."""
    if isinstance(case.body, dict) and len(str(case.body)) % 3:
        make_plausible(case.path, case.body, form=case.media_type != "application/json")
    response = case.call(timeout=PATIENCE)
    told[response.status_code] += 1
    assert response.status_code < 500 or response.status_code == 503, response.text
    case.validate_response(response, checks=CHECKS)


def ask_everything(schema: Any, cases: int) -> Counter[int]:
    """Send so many requests, right and wrong ones, to all routes; return their statuses."""
    told, round_ = Counter[int](), 0
    operations = [result.ok() for result in schema.get_all_operations()]
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    while told.total() < cases:  # some routes have few cases, and are soon through
        round_ += 1
        for operation, mode in product(operations, modes):

            @seed(round_)
            @settings(
                max_examples=max(1, cases // len(operations) // len(modes)),
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def run(case: Any) -> None:
                ask(case, told)

            with suppress(Unsatisfiable):  # nothing can be wrong in it
                run()
    return told


def test_every_answer_is_a_documented_one(schema: Any):
    told = ask_everything(schema, 200)
    assert told[200] >= 50
    assert {200, 404, 422} <= set(told)


@pytest.mark.load
def test_ten_thousand_answers_are_documented_ones(schema: Any):
    told = ask_everything(schema, CASES)
    print(f"{told.total()} answers: {dict(told.most_common())}")
    assert {200, 404, 422} <= set(told)
