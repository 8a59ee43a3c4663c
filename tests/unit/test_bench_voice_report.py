"""An evaluation of voices in words, and against the one before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_avatar.bench.heard_back import chosen, gold
from realtime_avatar.bench.spectrogram import spectrogram
from realtime_avatar.bench.voice import read_people
from realtime_avatar.bench.voice_report import check_comparable, markdown, regressions
from realtime_avatar.errors import InputError
from realtime_avatar.media import Audio

PITCH = {"median": 200.0, "span": 7.0}
VOICE = {"error": 0.01, "factor": 0.4, "first_audio": 0.5, "misheard": [], "pitch": PITCH}
REPORT: dict[str, Any] = {
    "machine": {"cpu": "Abacus", "cores": 2},
    "sentences": 4,
    "stock": {"hibari en": VOICE},
    "learned": {
        "ann": {
            "refined": True,
            "languages": {"en": VOICE},
            "fitted_with": {"ann": 0.8, "bob": 0.5},
            "judged_by": {"ann": 0.7, "bob": 0.3},
            "best_stock": {"name": "af_sky", "fitted_with": 0.6, "judged_by": 0.5},
            "pitch": {"sample": PITCH, "voice": PITCH},
        }
    },
    "bars": [{"what": "error", "value": 0.01, "least": None, "most": 0.04, "met": True}],
}


def test_the_report_shows_every_voice_and_its_pictures():
    text = markdown(REPORT, Path("pictures"))
    for part in ("| hibari en | 1.0% | 0.40 | 0.50 |", "| ann | 0.80 | 0.70 | 0.30 | af_sky |"):
        assert part in text
    assert "![ann, voice](pictures/ann-voice.png)" in text
    assert "![" not in markdown(REPORT)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("stock", "hibari en", "error"), 0.05, "error of hibari en was 0.01, and is 0.05"),
        (("stock", "hibari en", "error"), 0.02, ""),
        (("stock", "hibari en", "factor"), 0.7, "factor of hibari en"),
        (("learned", "ann", "languages", "en", "first_audio"), 0.8, "first_audio of ann en"),
        (("learned", "ann", "judged_by", "ann"), 0.6, "likeness of ann was 0.7, and is 0.6"),
        (("learned", "ann", "judged_by", "ann"), 0.9, ""),
    ],
)
def test_what_is_worse_by_more_than_noise_is_told(path: tuple[str, ...], value: float, told: str):
    now = json.loads(json.dumps(REPORT))  # a copy that shares nothing
    place = now
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    found = regressions(now, REPORT)
    assert len(found) == bool(told)
    assert not told or told in found[0]


def test_times_are_compared_on_the_same_machine_only():
    slow = REPORT | {"stock": {"hibari en": VOICE | {"factor": 5.0, "first_audio": 9.0}}}
    assert len(regressions(slow, REPORT)) == 2
    assert regressions(slow | {"machine": {"cpu": "Abacus", "cores": 1}}, REPORT) == []


def test_what_measured_something_else_is_no_baseline():
    plan = {"sentences": 4, "seed": 0, "refined": True}
    before = REPORT | plan
    check_comparable(plan, before)
    with pytest.raises(InputError, match="seed = 0, and this would have 7"):
        check_comparable(plan | {"seed": 7}, before)
    with pytest.raises(InputError, match="no evaluation of voices"):
        check_comparable(plan, {"sections": {}})


@pytest.mark.parametrize("language", ["en", "es", "zh"])
def test_a_seed_draws_the_same_sentences_of_forty(language: str):
    texts = [sentence["text"] for sentence in gold(language)]
    assert len(texts) == len(set(texts)) == 40
    assert chosen(language, 40, 3) == gold(language)
    few = chosen(language, 4, 3)
    assert few == chosen(language, 4, 3) != chosen(language, 4, 4)
    assert all(sentence in gold(language) for sentence in few)


def test_the_baseline_that_is_kept_has_every_figure_that_the_gate_compares():
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "voice-2-cores.json"
    kept = json.loads(path.read_text("utf-8"))
    check_comparable({key: kept[key] for key in ("sentences", "seed", "refined")}, kept)
    assert regressions(kept, kept) == []
    assert {voice["language"] for voice in kept["stock"].values()} == {"en", "es", "zh"}
    assert len(kept["learned"]) == 3
    worse = json.loads(json.dumps(kept))
    for voice in worse["stock"].values():
        voice["error"] += 0.05
    assert len(regressions(worse, kept)) == 3


def test_a_voice_that_was_not_measured_is_told():
    now = REPORT | {"learned": {}}
    assert "likeness of ann was not measured" in regressions(now, REPORT)


def test_a_tone_is_one_line_in_its_spectrogram():
    t = np.arange(16_000) / 16_000
    tone = (9000 * np.sin(2 * np.pi * 2000 * t)).astype(np.int16)
    picture = np.asarray(spectrogram(Audio(tone, 16_000, 0)).convert("L"))
    height, width = picture.shape
    assert width == pytest.approx(125, abs=5)
    assert abs(int(picture.mean(axis=1).argmax()) - round(height * 0.75)) <= 2  # 2 of 8 kHz


def test_recordings_need_their_texts(tmp_path: Path, recordings: Path):
    with pytest.raises(InputError, match="no WAV file"):
        read_people(tmp_path)
    (tmp_path / "ann.wav").write_bytes((recordings / "jfk.wav").read_bytes())
    with pytest.raises(InputError, match=r"no ann\.txt"):
        read_people(tmp_path)
    (tmp_path / "ann.txt").write_text("And so.\n")
    (person,) = read_people(tmp_path)
    assert (person.name, person.text) == ("ann", "And so.")
    assert len(read_people(None)) == 3
