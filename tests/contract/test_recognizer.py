from pathlib import Path

import anyio
import pytest

from realtime_avatar.engines.ports import RecognizerEngine
from realtime_avatar.errors import ConfigError
from realtime_avatar.media import Audio
from realtime_avatar.media.read import read_audio
from streams import collect, in_chunks, stream

pytestmark = pytest.mark.anyio


@pytest.fixture
def speech(recordings: Path) -> Audio:
    return read_audio(recordings / "arctic_a0009.wav")


@pytest.mark.parametrize("chunk", [320, 100_000])
async def test_one_final_transcript_comes_last(
    recognizer_engine: RecognizerEngine, speech: Audio, chunk: int
):
    async with recognizer_engine.open(languages=["en"]) as recognizer:
        heard = await collect(recognizer.transcribe(stream(in_chunks(speech, chunk))))
    assert [transcript.final for transcript in heard] == [False] * (len(heard) - 1) + [True]
    assert heard[-1].text
    assert heard[-1].text == heard[-1].text.strip()
    assert heard[-1].language == "en"
    assert 0 <= heard[-1].start < heard[-1].end <= speech.end
    if phrases := heard[-1].phrases:
        times = [at for part in phrases for at in (part.start, part.end)]
        times = [heard[-1].start, *times, heard[-1].end]
        assert times == sorted(times)
        assert " ".join(phrase.text for phrase in phrases) == heard[-1].text


async def test_nothing_and_silence_give_no_words(recognizer_engine: RecognizerEngine):
    async with recognizer_engine.open() as recognizer:
        for audio in ([], in_chunks(Audio.silence(48_000, 16_000), 1600)):
            (heard,) = await collect(recognizer.transcribe(stream(audio)))
            assert heard.final
            assert heard.text == ""


async def test_an_unknown_language_is_an_error_in_words(recognizer_engine: RecognizerEngine):
    with pytest.raises(ConfigError, match="xx"):
        async with recognizer_engine.open(languages=["xx"]):
            pass


async def test_a_cancelled_session_can_be_used_again(
    recognizer_engine: RecognizerEngine, speech: Audio
):
    async with recognizer_engine.open(languages=["en"]) as recognizer:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await collect(recognizer.transcribe(stream([speech])))
        assert scope.cancelled_caught
        (*_, heard) = await collect(recognizer.transcribe(stream([speech])))
    assert heard.text
