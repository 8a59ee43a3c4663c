"""The recogniser and the detector on real speech, and on what is none."""

from collections.abc import Callable, Generator
from pathlib import Path

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.bench.heard_back import chosen
from realtime_avatar.engines.ports import Transcript
from realtime_avatar.engines.registry import Context, load
from realtime_avatar.hearing.decode import Decoder
from realtime_avatar.hearing.score import word_errors
from realtime_avatar.hearing.whisper import Whisper
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.media.read import read_audio
from realtime_avatar.media.resample import resample
from realtime_avatar.models.store import ModelStore
from sounds import breath, buzz, click, cough, hum, noise
from streams import collect, in_chunks, stream

pytestmark = [pytest.mark.anyio, pytest.mark.weights]

SAID = {
    "jfk.wav": "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country.",
    "arctic_a0007.wav": "And you always want to see it in the superlative degree.",
    "arctic_a0009.wav": "He turned sharply, and faced Gregson across the table.",
}
LANGUAGES = ("en", "es", "zh")
RATE = 16000


@pytest.fixture(scope="module")
def whisper() -> Generator[Whisper]:
    engine = Whisper(Context(ModelStore(), threads=2))
    yield engine
    engine.close()


async def hear(
    engine: Whisper, audio: Audio, chunk: int = 10**9, languages: tuple[str, ...] = LANGUAGES
) -> list[Transcript]:
    async with engine.open(languages=languages) as recognizer:
        return await collect(recognizer.transcribe(stream(in_chunks(audio, chunk))))


async def test_at_most_one_wrong_word_in_the_three_recordings(
    whisper: Whisper, recordings: Path
) -> None:
    wrong = 0
    for name, said in SAID.items():
        (heard,) = await hear(whisper, read_audio(recordings / name))
        assert heard.language == "en"
        wrong += word_errors(said, heard.text)[0]
    assert wrong <= 1


@pytest.fixture(scope="module")
def exact() -> Generator[Decoder]:
    """CTranslate2's decoder, weights and what they are multiplied with in float32.

    With bytes for both, as it runs otherwise, it rounds differently on each kind of processor:
    the end that it hears of one recording then moves by 0.36 s.
    """
    engine = Whisper(Context(ModelStore(), threads=2, options={"compute_type": "float32"}))
    assert engine.decoder.writer is None
    yield engine.decoder
    engine.close()


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_the_decoder_of_our_own_writes_what_ctranslate2_does(
    whisper: Whisper, exact: Decoder, recordings: Path, beam: int
) -> None:
    assert whisper.decoder.writer
    encoder = Decoder(whisper.decoder.model)
    for name in SAID:
        sound = read_audio(recordings / name).float32()
        encoded = whisper.decoder.encode(sound), encoder.encode(sound)
        both = tuple(zip((whisper.decoder, exact), encoded, strict=True))
        heard = [decoder.decode(one, "en", len(sound), beam=beam) for decoder, one in both]
        assert word_errors(heard[0].text, heard[1].text)[0] <= 1
        assert heard[0].confidence == pytest.approx(heard[1].confidence, abs=0.05)
        assert heard[0].no_speech == pytest.approx(heard[1].no_speech, abs=0.02)
        assert heard[0].end == pytest.approx(heard[1].end, abs=RATE // 4)
        ours, others = (decoder.probable(one) for decoder, one in both)
        assert ours.keys() == others.keys()
        assert ours["en"] == pytest.approx(others["en"], abs=0.02)


def test_a_model_that_does_not_tell_its_tokens_is_decoded_by_ctranslate2(tmp_path: Path) -> None:
    for file in ModelStore().path("whisper-base").iterdir():
        if file.name != "config.json":
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "config.json").write_text("{}")
    engine = Whisper(Context(ModelStore(), threads=2, options={"model": str(tmp_path)}))
    assert engine.decoder.writer is None
    engine.close()


@pytest.mark.parametrize(("type_", "own"), [("int8", True), ("float32", False)])
def test_other_precisions_are_decoded_by_ctranslate2(type_: str, own: bool) -> None:
    engine = Whisper(Context(ModelStore(), threads=2, options={"compute_type": type_}))
    assert (engine.decoder.writer is not None) == own
    engine.close()


async def test_any_language_may_be_allowed(whisper: Whisper, recordings: Path) -> None:
    (heard,) = await hear(whisper, read_audio(recordings / "jfk.wav"), languages=())
    assert heard.language == "en"


@pytest.mark.parametrize(("rate", "chunk"), [(8000, 160), (44100, 5000), (48000, 960)])
async def test_any_rate_and_chunks(
    whisper: Whisper, recordings: Path, rate: int, chunk: int
) -> None:
    audio = resample(read_audio(recordings / "jfk.wav"), rate)
    (heard,) = await hear(whisper, Audio(audio.pcm, rate, start=rate), chunk)
    said = SAID["jfk.wav"]
    if rate < RATE:  # what such a band leaves of it, see below
        (whole,) = await hear(whisper, resample(audio, RATE))
        said = whole.text
    assert word_errors(said, heard.text)[0] <= 1
    # It is said from 0.3 to 10.5 s.
    assert heard.start / rate == pytest.approx(1.3, abs=0.2)
    assert heard.end / rate == pytest.approx(11.5, abs=0.2)


async def test_in_the_band_of_a_telephone_one_word_in_twenty_is_wrong_at_most(
    whisper: Whisper, recordings: Path
) -> None:
    said = [(read_audio(recordings / name), text) for name, text in SAID.items()]
    voice = load("voice", "hibari", Context(ModelStore(), threads=2))
    async with voice.open(language="en") as session:
        for sentence in chosen("en", 16, 0):
            audio = join(await collect(session.speak(stream([sentence["text"]]))))
            said.append((audio, sentence.get("heard", sentence["text"])))
    voice.close()
    wrong = words = 0
    for audio, text in said:
        (heard,) = await hear(whisper, resample(audio, 8000))
        errors, count = word_errors(text, heard.text)
        wrong, words = wrong + errors, words + count
    assert words > 200
    assert wrong <= words / 20


@pytest.mark.parametrize("decibels", [-20, -35])
async def test_soft_speech(whisper: Whisper, recordings: Path, decibels: int) -> None:
    audio = read_audio(recordings / "jfk.wav")
    soft = (audio.pcm * 10 ** (decibels / 20)).astype(np.int16)
    (heard,) = await hear(whisper, Audio(soft, RATE, 0))
    assert word_errors(SAID["jfk.wav"], heard.text)[0] <= 1


async def test_a_minute_and_more(whisper: Whisper, recordings: Path) -> None:
    one, two, three = (read_audio(recordings / name) for name in SAID)
    pause = Audio.silence(3 * RATE, RATE)
    parts = [one, two, one, three, pause, two, pause, one, three, one, two]
    pcm = join(parts).pcm
    said = [SAID["jfk.wav"], SAID["arctic_a0007.wav"], SAID["arctic_a0009.wav"]]
    order = [0, 1, 0, 2, 1, 0, 2, 0, 1]
    (*guesses, final) = await hear(whisper, Audio(pcm, RATE, 0))
    assert len(guesses) >= 2
    assert all(not guess.final and final.text.startswith(guess.text) for guess in guesses)
    errors, words = word_errors(" ".join(said[n] for n in order), final.text)
    assert errors / words < 0.06
    assert final.end > len(pcm) - RATE


@pytest.mark.parametrize("decibels", [-60, -30, -3])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: noise(0), id="white"),
        pytest.param(lambda: noise(1), id="pink"),
        pytest.param(lambda: noise(2), id="brown"),
        hum,
        click,
        cough,
        breath,
        buzz,
    ],
)
async def test_no_words_are_invented(
    whisper: Whisper, make: Callable[[], NDArray[np.float64]], decibels: int
) -> None:
    sound = make()
    pcm = 32767 * sound / np.abs(sound).max() * 10 ** (decibels / 20)
    (heard,) = await hear(whisper, Audio(pcm.astype(np.int16), RATE, 0))
    assert heard == Transcript("", True, 0, 6 * RATE)


async def test_a_guess_in_the_pause_is_the_last_word(recordings: Path) -> None:
    audio = read_audio(recordings / "arctic_a0009.wav")
    audio = Audio(np.concatenate([audio.pcm, np.zeros(RATE, np.int16)]), RATE, 0)
    engine = Whisper(Context(ModelStore(), threads=2, options={"partials": True}))
    *_, guess, final = await hear(engine, audio, 320)
    assert (guess.text, guess.final) == (final.text, False)
    engine.close()


async def test_leaving_in_the_middle_leaves_the_session_usable(
    whisper: Whisper, recordings: Path
) -> None:
    audio = read_audio(recordings / "jfk.wav")
    long = join([audio, Audio.silence(3 * RATE, RATE), audio])
    async with whisper.open(languages=["en"]) as recognizer:
        words = recognizer.transcribe(stream([Audio(long.pcm, RATE, 0)]))
        assert not (await anext(words)).final
        await words.aclose()
        with anyio.move_on_after(0.01):
            await collect(recognizer.transcribe(stream([audio])))
        (heard,) = await collect(recognizer.transcribe(stream([audio])))
    assert word_errors(SAID["jfk.wav"], heard.text)[0] <= 1
