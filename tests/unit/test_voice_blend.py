import pytest

from realtime_avatar.errors import ConfigError
from realtime_avatar.voice.kokoro import blend


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("af_heart", [("af_heart", 1.0)]),
        ("ef_dora*0.7+af_bella*0.3", [("ef_dora", 0.7), ("af_bella", 0.3)]),
        ("ef_dora+em_alex", [("ef_dora", 1.0), ("em_alex", 1.0)]),
    ],
)
def test_a_blend_names_its_speakers_and_their_shares(
    name: str, parts: list[tuple[str, float]]
) -> None:
    assert blend(name) == parts


@pytest.mark.parametrize("name", ["a*x", "a*0", "a*-1", "a*inf", "a*nan"])
def test_a_share_is_a_positive_number(name: str) -> None:
    with pytest.raises(ConfigError, match="share"):
        blend(name)
