"""The voices on real weights."""

import threading
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import anyio
import numpy as np
import pytest
from anyio import to_thread

from live import open_site
from realtime_avatar.engines.ports import Speaker, VoiceEngine
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import ConfigError, InputError, ModelMissing
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.hibari import Hibari
from realtime_avatar.voice.kokoro import Kokoro
from realtime_avatar.voice.speech import Part
from streams import collect, stream

pytestmark = [pytest.mark.anyio, pytest.mark.weights]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def hibari(anyio_backend: str) -> Hibari:
    return await to_thread.run_sync(Hibari, Context(ModelStore()))


@pytest.fixture(scope="module")
async def kokoro(anyio_backend: str) -> Kokoro:
    return await to_thread.run_sync(Kokoro, Context(ModelStore(), threads=2))


async def say(engine: VoiceEngine, text: str, language: str = "en", **how: Any) -> list[Audio]:
    async with engine.open(language=language, **how) as voice:
        return await collect(
            voice.speak(stream([text[at : at + 9] for at in range(0, len(text), 9)]))
        )


def check(chunks: list[Audio], text: str) -> Audio:
    assert "".join(chunk.text for chunk in chunks) == text
    at = 0
    for chunk in chunks:
        assert chunk.start == at
        assert 0 < chunk.samples <= 4800
        assert chunk.rate == 24_000
        for phoneme in chunk.phonemes:
            assert chunk.start <= phoneme.start < chunk.end
        at = chunk.end
    whole = join(chunks)
    for one, after in zip(whole.phonemes, whole.phonemes[1:], strict=False):
        assert one.start < one.end <= after.start
    assert whole.phonemes[-1].end <= whole.end
    loud = np.abs(whole.float32())
    assert 0.2 < loud.max() < 0.95
    return whole


def level(audio: Audio) -> float:
    """Root mean square where it speaks, dB below full scale."""
    frames = audio.float32()[: audio.samples // 240 * 240].reshape(-1, 240)
    levels = np.sqrt(np.square(frames).mean(axis=1))
    spoken = levels[levels > levels.max() * 0.1]
    return float(20 * np.log10(np.sqrt(np.square(spoken).mean())))


async def test_hibari_says_all_of_it(hibari: Hibari):
    text = "Sure! Dr. Lee paid $3.50 at 10:30 a.m. on March 3, 2024.\nSee www.example.com, e.g. 😀"
    whole = check(await say(hibari, text), text)
    assert 6 < whole.seconds < 14
    assert len(whole.phonemes) > 60


async def test_hibari_words_come_when_they_are_heard(hibari: Hibari):
    text = "One, two, three, four, five, six, seven, eight, nine, ten."
    chunks = await say(hibari, text)
    whole = join(chunks)
    begins = {chunk.text.strip(" ,."): chunk.start for chunk in chunks if chunk.text.strip()}
    heard = [p for p in whole.phonemes if p.symbol == "s"]  # six and seven begin with it
    for word in ("six", "seven"):
        assert min(abs(begins[word] + 2400 - p.start) for p in heard) < 2500


async def test_the_same_words_sound_the_same(hibari: Hibari):
    one, other = [join(await say(hibari, "Good morning to you.")) for _ in range(2)]
    assert np.array_equal(one.pcm, other.pcm)


async def test_chinese_in_english_text_is_said_somehow(hibari: Hibari):
    text = "My friend 小明 says hello."
    with_name = check(await say(hibari, text), text)
    without = join(await say(hibari, "My friend says hello."))
    assert with_name.seconds > without.seconds + 0.3


@pytest.mark.parametrize("text", ["", " \n ", "😀🎉", "... !? —", "```\ncode = 1\n```\n", "---"])
async def test_what_makes_no_sound_gives_no_audio(hibari: Hibari, text: str):
    assert await say(hibari, text) == []


async def test_a_text_too_long_is_refused_at_once(hibari: Hibari, kokoro: Kokoro):
    for engine in (hibari, kokoro):
        async with engine.open() as voice:
            with pytest.raises(InputError, match="5,000 characters"):
                await collect(voice.speak(stream(["word " * 20_000])))


async def test_speed(hibari: Hibari):
    text = "This sentence is said at twice the usual speed, if all is well."
    fast = Hibari(Context(ModelStore(), options={"speed": 2.0}))
    ratio = join(await say(hibari, text)).seconds / join(await say(fast, text)).seconds
    assert 1.5 < ratio < 2.5
    with pytest.raises(ConfigError, match="speed"):
        Hibari(Context(ModelStore(), options={"speed": 9}))
    with pytest.raises(ConfigError, match="pitch"):
        Hibari(Context(ModelStore(), options={"pitch": 1}))


TEXTS = {
    "en": "Sure! The answer is 42, said Alice.",
    "es": "¡Claro! Son 20,50 € para Guillermo, en Washington.",
    "zh": "好！今天是3月5日，我用iPhone给你打电话。",
}


@pytest.mark.parametrize("text", ["مرحبا بكم", "こんにちは", "</speak>"])
async def test_a_text_that_the_voice_cannot_read_is_refused_in_words(text: str) -> None:
    voice = dict.fromkeys(("en", "zh", "es"), "hibari")
    async with open_site(voice=voice, languages=["en"]) as site:
        for route in ("speak", "generate"):
            response = await site.http.post(f"/api/v1/{route}", json={"text": text})
            assert response.status_code == 422, (route, response.text)
            assert "cannot read" in response.json()["error"]


@pytest.mark.parametrize("language", ["en", "es", "zh"])
async def test_kokoro_says_all_of_it(kokoro: Kokoro, hibari: Hibari, language: str):
    whole = check(await say(kokoro, TEXTS[language], language), TEXTS[language])
    assert 2 < whole.seconds < 9
    assert abs(level(whole) + 20) < 4  # as loud as the other voices


async def test_kokoro_is_heard_before_all_of_a_clause_is_computed(
    kokoro: Kokoro, monkeypatch: pytest.MonkeyPatch
):
    text = "The highest mountain in the whole wide world stands there."
    made, parts = list[Part](), kokoro.synthesis.parts

    def watched(*arguments: Any, **options: Any) -> Iterator[Part]:
        for part in parts(*arguments, **options):
            made.append(part)
            yield part

    async with kokoro.open() as voice, aclosing(voice.speak(stream([text]))) as sound:
        monkeypatch.setattr(kokoro.synthesis, "parts", watched)
        first = await anext(sound)
        (begun,) = made
        whole = check([first, *[audio async for audio in sound]], text)
    assert begun.words
    assert len(begun.wave) < 0.6 * max(len(part.wave) for part in made)
    assert 2.5 < whole.seconds < 4.5


async def test_hibari_is_as_loud(hibari: Hibari):
    assert abs(level(join(await say(hibari, TEXTS["en"]))) + 20) < 4


async def test_no_clicks_between_clauses(kokoro: Kokoro):
    whole = join(await say(kokoro, "Yes. No. Maybe. Good."))
    quiet = np.abs(whole.pcm.astype(np.int32)) == 0
    pauses = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(np.int8), [0]))))
    long = [(a, b) for a, b in pauses.reshape(-1, 2) if b - a > 3000]
    assert len(long) == 4  # the last is the silence at the end
    steps = np.abs(np.diff(whole.pcm.astype(np.int32)))
    for begin, end in long:
        assert steps[begin - 48 : begin + 1].max() < 300
        assert steps[end - 1 : end + 48].max(initial=0) < 300


async def test_a_long_word_without_end_is_cut_for_the_model(kokoro: Kokoro):
    async with kokoro.open(language="es") as voice, anyio.create_task_group() as tasks:
        digits = "98765432109876543210" * 12
        async for chunk in voice.speak(stream([digits])):
            assert chunk.samples
            break
        tasks.cancel_scope.cancel()


async def test_kokoro_is_stopped_in_the_middle_of_a_clause(
    kokoro: Kokoro, monkeypatch: pytest.MonkeyPatch
):
    ends: list[str] = []
    begun = threading.Event()
    parts = kokoro.synthesis.parts

    def watched(*arguments: Any, **options: Any) -> Any:
        begun.set()
        try:
            yield from parts(*arguments, **options)
        except Exception as error:
            ends.append(str(error))
            raise

    async with kokoro.open() as voice:
        monkeypatch.setattr(kokoro.synthesis, "parts", watched)

        async def listen() -> None:
            await collect(voice.speak(stream(["One rather long clause takes quite some time."])))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await to_thread.run_sync(begun.wait)
            tasks.cancel_scope.cancel()
        monkeypatch.undo()
        assert ["terminate" in end for end in ends] == [True]
        assert await collect(voice.speak(stream(["Once more."])))


async def test_unknown_languages_speakers_and_samples(kokoro: Kokoro, hibari: Hibari):
    for engine in (hibari, kokoro):
        with pytest.raises(ConfigError, match="'fr'"):
            await say(engine, "Bonjour", "fr")
        with pytest.raises(ConfigError, match="'nobody'"):
            await say(engine, "Hello", speaker=Speaker("nobody"))
    with pytest.raises(InputError, match="voice"):
        await hibari.enrol(Audio.silence(16_000, 16_000))
    if ModelStore().has("kokoro-voices"):  # without npm there are others
        assert kokoro.speakers[0] == "af_heart"
    assert kokoro.languages == ("en", "es", "zh")


async def test_without_weights_it_says_what_to_fetch(tmp_path: Any):
    with pytest.raises(ModelMissing, match="avatar models pull kokoro"):
        Kokoro(Context(ModelStore(tmp_path)))
