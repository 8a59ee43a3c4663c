from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import numpy as np
import pytest

from realtime_avatar.engines.ports import Speaker, VoiceEngine
from realtime_avatar.errors import ConfigError, InputError, ModelMissing
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from streams import SpeechLike, collect, stream

pytestmark = pytest.mark.anyio
TEXT = "Sure! It is twelve to three, and the train leaves at four."


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("pieces", [[TEXT], list(TEXT), TEXT.split(" ")])
async def test_all_the_text_is_said_in_one_stretch(voice_engine: VoiceEngine, pieces: list[str]):
    if len(pieces) == len(TEXT.split(" ")):
        pieces = [piece + " " for piece in pieces]
    async with voice_engine.open() as voice:
        chunks = await collect(voice.speak(stream(pieces)))
    assert squeezed("".join(chunk.text for chunk in chunks)) == squeezed(TEXT)
    assert {chunk.rate for chunk in chunks} == {voice.rate}
    at = 0
    for chunk in chunks:
        assert chunk.start == at
        assert chunk.samples
        at = chunk.end
    said = join(chunks)
    assert 1 <= said.seconds <= 12
    assert 500 < np.abs(said.pcm.astype(np.int32)).max() < 32_767


async def test_phonemes_lie_in_order_inside_what_is_said(voice_engine: VoiceEngine):
    async with voice_engine.open() as voice:
        said = join(await collect(voice.speak(stream([TEXT]))))
    for phoneme, after in zip(said.phonemes, said.phonemes[1:], strict=False):
        assert phoneme.start <= after.start
    for phoneme in said.phonemes:
        assert 0 <= phoneme.start <= phoneme.end <= said.end


@pytest.mark.parametrize("text", ["", " ", "\n", "…", "🙂🎉"])
async def test_nothing_to_say_gives_no_words(voice_engine: VoiceEngine, text: str):
    async with voice_engine.open() as voice:
        chunks = await collect(voice.speak(stream([text] if text else [])))
    assert sum(chunk.samples for chunk in chunks) < 2 * voice.rate


async def test_every_language_and_speaker_it_names_can_be_opened(voice_engine: VoiceEngine):
    assert voice_engine.languages
    for language in voice_engine.languages:
        async with voice_engine.open(language=language):
            pass
    async with voice_engine.open(speaker=Speaker(voice_engine.speakers[0])):
        pass


async def test_unknown_languages_and_speakers_are_errors_in_words(voice_engine: VoiceEngine):
    with pytest.raises(ConfigError, match="xx"):
        async with voice_engine.open(language="xx"):
            pass
    with pytest.raises(ConfigError, match="nobody"):
        async with voice_engine.open(speaker=Speaker("nobody")):
            pass


async def test_it_learns_a_voice_or_says_that_it_cannot(
    voice_engine: VoiceEngine, speech_like: SpeechLike
):
    try:
        speaker = await voice_engine.enrol(speech_like(3, 16_000))
    except (InputError, ModelMissing) as error:
        assert "voice" in str(error)  # noqa: PT017
    else:
        async with voice_engine.open(speaker=speaker) as voice:
            assert await collect(voice.speak(stream(["Hello."])))


async def test_it_does_not_run_ahead_of_its_listener(voice_engine: VoiceEngine):
    asked = 0

    async def endless() -> AsyncGenerator[str]:
        nonlocal asked
        while True:
            asked += 1
            yield "This is one more sentence. "
            await anyio.lowlevel.checkpoint()

    async with voice_engine.open() as voice, aclosing(voice.speak(endless())) as said:
        async for _ in said:
            break
    assert asked <= 5


async def test_a_cancelled_session_can_be_used_again(voice_engine: VoiceEngine):
    async with voice_engine.open() as voice:
        with anyio.CancelScope() as scope:
            async with aclosing(voice.speak(stream([TEXT, TEXT]))) as said:
                async for _ in said:
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        chunks: list[Audio] = await collect(voice.speak(stream(["Once more."])))
    assert squeezed("".join(chunk.text for chunk in chunks)) == "Oncemore."
    assert chunks[0].start == 0
