import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_avatar.dialogue.moods import Moods
from realtime_avatar.media import Audio
from streams import stream

pytestmark = pytest.mark.anyio
REPLY = "Well. [happy] What a day! [laughs] [concerned]But [1] you [so on]?"
CLEAN = "Well. What a day! But [1] you [so on]?"


async def spoken(moods: Moods, text: str) -> list[tuple[str, str]]:
    """Say the text a word at a time."""
    words = [
        Audio(np.zeros(10, np.int16), 24_000, 10 * at, word) for at, word in enumerate(text.split())
    ]
    return [(audio.text, audio.emotion) async for audio in moods.coloured(stream(words))]


async def test_tags_are_not_spoken_and_colour_what_follows() -> None:
    moods = Moods("warm")
    text = "".join([piece async for piece in moods.untagged(stream([REPLY]))])
    assert text == CLEAN
    assert await spoken(moods, text) == [
        ("Well.", "warm"),
        *((word, "happy") for word in ("What", "a", "day!")),
        *((word, "concerned") for word in ("But", "[1]", "you", "[so", "on]?")),
    ]


@given(st.lists(st.integers(0, len(REPLY)), max_size=12))
async def test_pieces_change_nothing(cuts: list[int]) -> None:
    ends = [*sorted(cuts), len(REPLY)]
    pieces = [REPLY[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    moods = Moods()
    assert "".join([piece async for piece in moods.untagged(stream(pieces))]) == CLEAN


async def test_a_closing_tag_is_not_spoken_and_ends_what_it_began() -> None:
    moods = Moods("warm")
    pieces = stream(["[happy] Hi! [", "/hap", "py] Bye [/system] [[sad]] now."])
    text = "".join([piece async for piece in moods.untagged(pieces)])
    assert text == "Hi! Bye [] now."
    assert [emotion for _, emotion in await spoken(moods, text)][:2] == ["happy", "warm"]


async def test_text_waits_no_longer_than_a_tag_may_take() -> None:
    moods = Moods()
    texts = [text async for text in moods.untagged(stream(["Sure", "! ", "[hap", "py] ", "Yes"]))]
    assert texts == ["Sure", "! ", "Yes"]
