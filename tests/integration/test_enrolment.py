"""A person's voice: learned from a recording, spoken with, and gone when it is withdrawn."""

import base64
import io
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from live import open_site
from realtime_avatar.config import Settings, load_settings
from realtime_avatar.dialogue.enrolment import Enrolment, Progress, read_recording
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.engines.ports import Refinement, Speaker
from realtime_avatar.engines.registry import Context, load
from realtime_avatar.errors import ConsentError, InputError
from realtime_avatar.identity.consent import SPOKEN, WORDING, Consent, agree
from realtime_avatar.identity.records import Records
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join, to_int16
from realtime_avatar.media.credentials import now
from realtime_avatar.media.read import read_audio, write_wav
from realtime_avatar.media.resample import resample
from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.campplus import CAMPPLUS
from realtime_avatar.voice.kokoro import Kokoro
from realtime_avatar.voice.speakers import DVECTOR, GE2E, DVector, Ge2e
from streams import collect, stream

Floats = NDArray[np.float32]

pytestmark = [pytest.mark.anyio, pytest.mark.weights]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def agreed(recordings: Path) -> Consent:
    sample = (recordings / "arctic_a0009.wav").read_bytes()
    return agree("voice", "Ann", WORDING["voice"], sample, now())


def settings(**more: object) -> Settings:
    voice = {"en": "fake", "zh": "fake", "es": "fake"}
    return load_settings(voice=voice, **{"cloner": "fake", **more})


async def run(enrolment: Enrolment) -> list[Progress]:
    return [step async for step in enrolment.guess()]


def test_encoders_hear_what_they_heard_in_pytorch(recordings: Path):
    store = ModelStore()
    ge2e, judge = Ge2e(store.path(GE2E)), DVector(store.path(DVECTOR))
    sounds = [read_audio(recordings / f"{name}.wav") for name in ("arctic_a0007", "jfk")]
    one, other = (ge2e.embed(sound) for sound in sounds)
    # The four largest of the vector that PyTorch gives.
    assert list(np.argsort(-one)[:4]) == [119, 243, 89, 25]
    np.testing.assert_allclose(one[[119, 243, 89, 25]], [0.3143, 0.262, 0.2128, 0.2053], atol=2e-4)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert one @ other == pytest.approx(0.483, abs=0.01)
    one, other = (judge.embed(sound) for sound in sounds)
    assert one @ other == pytest.approx(0.377, abs=0.02)


async def test_a_voice_is_checked_kept_spoken_with_and_withdrawn(recordings: Path, agreed: Consent):
    async with Ensemble(settings()) as ensemble:
        enrolment = Enrolment(
            ensemble, "Ann", read_recording(recordings / "arctic_a0009.wav"), agreed
        )
        steps = await run(enrolment)
        assert steps[0].stage == "checking"
        last = steps[-1]
        assert last.voice is not None
        assert "3 seconds" in last.remarks[0] or "2 seconds" in last.remarks[0]
        assert ensemble.people.names() == ("Ann",)
        engine, speaker = await ensemble.voice("en", "ann")
        assert speaker is not None
        async with engine.open(language="en", speaker=speaker) as voice:
            assert (await collect(voice.speak(stream(["Hello."]))))[0].samples
        # Withdrawn in another process: who spoke with it goes on with the settings' voice.
        Records().revoke("Ann", now())
        _, speaker = await ensemble.voice("en", "ann")
        assert speaker is None
        with pytest.raises(InputError, match="no voice"):
            ensemble.people.load("Ann")


@pytest.mark.skipif(
    not ModelStore().has("kokoro-voices"), reason="kokoro-voices is not here: npm fetches it"
)
async def test_what_was_stopped_early_leaves_the_guess(recordings: Path, agreed: Consent):
    async with Ensemble(load_settings()) as ensemble:
        enrolment = Enrolment(
            ensemble, "Ann", read_recording(recordings / "arctic_a0009.wav"), agreed
        )
        (*_, last) = await run(enrolment)
        assert last.voice is not None
        async with aclosing(enrolment.refine()) as steps:
            async for step in steps:
                assert step.stage == "refining"
                assert 0 < step.share < 1
                break
        kept = ensemble.people.load("Ann")
        assert not kept.refined
        np.testing.assert_array_equal(kept.style, last.voice.style.astype(np.float16))
        # The guess is heard as this person rather than as another.
        engine, speaker = await ensemble.voice("en", "Ann")
        async with engine.open(language="en", speaker=speaker) as voice:
            said = join(await collect(voice.speak(stream(["The door was open."]))))
        judge = DVector(ensemble.store.path(DVECTOR))
        own, *others = (
            judge.embed(said) @ judge.embed(read_audio(recordings / f"{name}.wav"))
            for name in ("arctic_a0009", "arctic_a0007", "jfk")
        )
        assert own > max(others) + 0.15


async def test_a_spoken_consent_must_be_one(recordings: Path, agreed: Consent):
    async with Ensemble(settings()) as ensemble:
        spoken = read_recording(recordings / "arctic_a0007.wav")
        enrolment = Enrolment(
            ensemble, "Ann", read_recording(recordings / "arctic_a0009.wav"), agreed, spoken
        )
        with pytest.raises(ConsentError, match="superlative"):
            await run(enrolment)
        assert ensemble.people.names() == ()


@pytest.fixture(scope="module")
async def spoken(anyio_backend: str) -> dict[str, Audio]:
    """Kokoro's stock voices, each saying something."""
    engine = load("voice", "kokoro", Context(ModelStore(), threads=2))
    said = dict[str, Audio]()
    for key, speaker, text in (
        ("sample", "af_heart", "The weather changed quickly, so we walked home along the river."),
        ("consent", "af_heart", SPOKEN),
        ("another voice", "bm_george", SPOKEN),
        ("other words", "af_heart", "I do not agree that this avatar speaks with my voice."),
    ):
        async with engine.open(language="en", speaker=Speaker(speaker)) as voice:
            said[key] = resample(join(await collect(voice.speak(stream([text])))), 16_000)
    engine.close()
    return said


@pytest.mark.skipif(
    not ModelStore().has("kokoro-voices"), reason="kokoro-voices is not here: npm fetches it"
)
@pytest.mark.parametrize("encoder", [CAMPPLUS, GE2E])
async def test_a_spoken_consent_is_recognised_and_matched_to_the_sample_s_speaker(
    spoken: dict[str, Audio], agreed: Consent, encoder: str, monkeypatch: pytest.MonkeyPatch
):
    has = ModelStore.has

    def has_others(self: ModelStore, model: str) -> bool:
        return model != CAMPPLUS and has(self, model)

    if encoder == GE2E:
        monkeypatch.setattr(ModelStore, "has", has_others)
    async with Ensemble(settings()) as ensemble:
        sample = spoken["sample"]
        for key, why in (("another voice", "in another voice"), ("other words", "do not agree")):
            with pytest.raises(ConsentError, match=why):
                await run(Enrolment(ensemble, "Ann", sample, agreed, spoken[key]))
            assert ensemble.people.names() == ()
        await run(Enrolment(ensemble, "Ann", sample, agreed, spoken["consent"]))
        kept = ensemble.people.load("Ann").consent
        assert kept.spoken.startswith("I agree that this avatar speaks")
        assert kept.spoken_similarity > (0.8 if encoder == GE2E else 0.6)


@pytest.mark.parametrize("name", ["kokoro", "fake", "a:b", ""])
async def test_names_of_engines_are_no_voices(name: str, recordings: Path, agreed: Consent):
    async with Ensemble(settings()) as ensemble:
        with pytest.raises(InputError, match="name"):
            Enrolment(ensemble, name, read_recording(recordings / "jfk.wav"), agreed)


SAMPLES = 16_000  # a second's


def tones(seconds: float, *hertz: float) -> Floats:
    at = np.arange(int(seconds * SAMPLES)) / SAMPLES
    return sum((0.15 * np.sin(2 * np.pi * high * at) for high in hertz), np.zeros(1)).astype("f4")


def music(seconds: int) -> Floats:
    """Chords with overtones that fade, and a drum, four a second."""
    rng = np.random.default_rng(0)
    at, beats = np.arange(4000) / SAMPLES, list[Floats]()
    for _ in range(4 * seconds):
        chord = rng.choice([261.6, 329.6, 392.0, 440.0, 523.3], 3, replace=False)
        beat = sum(
            np.sin(2 * np.pi * note * over * at) / over for note in chord for over in range(1, 6)
        )
        drum = rng.standard_normal(4000) * np.exp(-at * 40)
        beats.append((0.08 * beat * np.exp(-4 * at) + 0.2 * drum).astype("f4"))
    return np.concatenate(beats)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("dial tone", "a tone or music is heard"),
        ("engaged tone", "a tone or music is heard"),
        ("music", "a tone or music is heard"),
        ("speech under music", "tone or music|noise or music"),
        ("two people in turn", "more than one person"),
        ("one second", "seconds of speech"),
        ("an hour", "longer than the limit of 180 seconds"),
        ("silence", "no sound"),
        ("noise", "nobody is heard"),
        ("distorted", "distorted"),
    ],
)
async def test_what_no_voice_can_be_learned_from_is_refused_with_advice(
    what: str, why: str, recordings: Path, agreed: Consent, tmp_path: Path
):
    def level(name: str) -> Floats:
        sound = read_audio(recordings / f"{name}.wav").float32()
        return sound * np.float32(0.07 / np.sqrt(np.square(sound).mean()))

    jfk = level("jfk")
    sounds: dict[str, Callable[[], Floats]] = {
        "dial tone": lambda: tones(12, 350, 440),
        "engaged tone": lambda: np.concatenate([tones(0.5, 480, 620), np.zeros(8000, "f4")] * 12),
        "music": lambda: music(12),
        "speech under music": lambda: jfk + 2 * music(11)[: len(jfk)],
        "two people in turn": lambda: np.concatenate(
            [jfk[: 3 * SAMPLES], level("arctic_a0007"), jfk[3 * SAMPLES : 6 * SAMPLES]]
        ),
        "one second": lambda: jfk[:SAMPLES],
        "an hour": lambda: np.tile(jfk, 330),
        "silence": lambda: np.zeros(12 * SAMPLES, "f4"),
        "noise": lambda: (0.1 * np.random.default_rng(0).standard_normal(192_000)).astype("f4"),
        "distorted": lambda: np.clip(jfk * 30, -0.9, 0.9),
    }
    file = tmp_path / "sample.wav"
    write_wav(Audio(to_int16(sounds[what]()), SAMPLES, 0), file)
    async with Ensemble(settings()) as ensemble:
        with pytest.raises(InputError, match=why):
            await run(Enrolment(ensemble, "Ann", read_recording(file), agreed))
        assert ensemble.people.names() == ()


async def test_a_constant_offset_hides_nobody(recordings: Path, agreed: Consent):
    sound = read_audio(recordings / "arctic_a0009.wav").float32()
    shifted = Audio(to_int16(sound * np.float32(0.5) + np.float32(0.4)), SAMPLES, 0)
    async with Ensemble(settings()) as ensemble:
        await run(Enrolment(ensemble, "Ann", shifted, agreed))
        assert ensemble.people.names() == ("Ann",)


def recorded(sound: Audio, container: str, codec: str) -> bytes:
    """Return a recording as a browser's MediaRecorder makes it: written once, never sought.

    WebM has no duration and clusters of unknown length, MP4 is fragmented.
    """
    out = io.BytesIO()
    live = {
        "webm": {"live": "1"},
        "mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    }
    unseekable = cast("Any", Sink(out))
    pcm = resample(sound, 48_000).pcm
    with av.open(unseekable, "w", format=container, options=live[container]) as file:
        stream: Any = file.add_stream(codec, rate=48_000, layout="mono")
        for at in range(0, len(pcm), 960):
            frame = av.AudioFrame.from_ndarray(pcm[None, at : at + 960], "s16", "mono")
            frame.sample_rate, frame.pts = 48_000, at
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


class Sink:
    """A file that can only be written on, as a recorder's."""

    def __init__(self, file: io.BytesIO) -> None:
        self.write = file.write


@pytest.mark.parametrize(
    ("container", "codec", "head"),
    [
        ("webm", "libopus", b"\x1aE\xdf\xa3"),  # Chromium, Firefox
        ("mp4", "aac", b"ftyp"),  # Safari, Chromium
        ("mp4", "libopus", b"ftyp"),  # Chromium
    ],
)
async def test_what_a_browser_recorded_is_taken(
    container: str, codec: str, head: bytes, recordings: Path
):
    sound = read_audio(recordings / "jfk.wav")
    sample = recorded(sound, container, codec)
    assert head in sample[:16]
    body = {
        "name": "Jack", "person": "John", "words": WORDING["voice"],
        "recording": base64.b64encode(sample).decode(),
    }  # fmt: skip
    async with open_site(cloner="fake") as site:
        made = await site.http.post("/api/v1/voices", json=body)
        assert made.status_code == 201, made.text
        (kept,) = (await site.http.get("/api/v1/people")).json()["voices"]
        assert kept["figures"]["seconds"] == pytest.approx(sound.seconds, abs=0.3)
        for route, field in (
            ("/api/v1/transcribe", {"audio": sample}),
            ("/v1/audio/transcriptions", {"file": sample}),
        ):
            form = {name: ("blob", data) for name, data in field.items()}
            heard = await site.http.post(route, files=form, data={"model": "whisper-1"})
            assert heard.status_code == 200, heard.text
            assert heard.json()["text"]
        cut = {"audio": ("blob", sample[: len(sample) * 2 // 3])}  # the tab was closed
        assert (await site.http.post("/api/v1/transcribe", files=cut)).json()["text"]


async def test_the_server_enrols_lists_exports_and_revokes(recordings: Path):
    sample = (recordings / "jfk.wav").read_bytes()
    body = {
        "name": "Jack", "person": "John", "words": WORDING["voice"],
        "recording": base64.b64encode(sample).decode(),
    }  # fmt: skip
    async with open_site(cloner="fake") as site:
        http = site.http
        assert (await http.get("/api/v1/people")).json()["wording"] == WORDING["voice"]
        refused = await http.post("/api/v1/voices", json=body | {"words": "Yes."})
        assert (refused.status_code, "words to agree to" in refused.text) == (403, True)
        refused = await http.post("/api/v1/voices", json=body | {"person": " "})
        assert (refused.status_code, "nobody has agreed" in refused.text) == (403, True)
        refused = await http.post("/api/v1/voices", json=body | {"recording": "aGVsbG8="})
        assert (refused.status_code, "recording" in refused.text) == (422, True)
        assert (await http.get("/api/v1/people")).json()["voices"] == []

        made = await http.post("/api/v1/voices", json=body)
        assert made.status_code == 201
        assert made.json()["name"] == "Jack"
        options = (await http.get("/api/v1/options")).json()
        assert {"id": "Jack", "name": "Jack"}.items() <= options["voices"][-1].items()
        listed = (await http.get("/api/v1/voices")).json()
        assert listed[-1]["id"] == "Jack"
        said = await http.post(
            "/v1/audio/speech", json={"model": "tts-1", "input": "Hello", "voice": "Jack"}
        )
        assert said.status_code == 200
        record = (await http.get("/api/v1/people/jack/consent")).json()
        assert record["consent"]["person"] == "John"
        assert (await http.delete("/api/v1/voices/Jack/refinement")).status_code == 204
        assert (await http.delete("/api/v1/voices/Jack")).status_code == 204
        assert (await http.get("/api/v1/people")).json()["voices"] == []
        assert (await http.delete("/api/v1/voices/Jack")).status_code == 422
        assert "Jack" not in (await http.get("/api/v1/options")).text


@pytest.mark.skipif(
    not ModelStore().has("kokoro-voices"), reason="kokoro-voices is not here: npm fetches it"
)
@pytest.mark.parametrize(
    ("wrong", "chinese", "refined"), [(0.02, 0.02, True), (0.03, 0.02, False), (0.02, 0.05, False)]
)
async def test_what_is_more_alike_but_less_well_understood_is_not_kept(
    recordings: Path,
    agreed: Consent,
    monkeypatch: pytest.MonkeyPatch,
    wrong: float,
    chinese: float,
    refined: bool,
):
    async def search(_: Kokoro, _sample: Audio, speaker: Speaker) -> AsyncGenerator[Refinement]:
        assert isinstance(speaker.data, np.ndarray)
        yield Refinement(1.0, Speaker(speaker.name, speaker.data + np.float32(0.01)), 0.9)

    figures = [
        {"judged_similarity": 0.6, "words_wrong": 0.02, "words_wrong_zh": 0.02},
        {"judged_similarity": 0.8, "words_wrong": wrong, "words_wrong_zh": chinese},
    ]

    async def measured(*_: object) -> dict[str, float]:
        return figures.pop(0)

    monkeypatch.setattr(Kokoro, "refine", search)
    monkeypatch.setattr(Enrolment, "_figures", measured)
    async with Ensemble(load_settings()) as ensemble:
        enrolment = Enrolment(
            ensemble, "Ann", read_recording(recordings / "arctic_a0009.wav"), agreed
        )
        await run(enrolment)
        async with aclosing(enrolment.refine()) as steps:
            last = [step async for step in steps][-1]
        assert last.stage == "done"
        assert ensemble.people.load("Ann").refined == refined


@pytest.mark.skipif(
    not ModelStore().has("kokoro-voices"), reason="kokoro-voices is not here: npm fetches it"
)
async def test_how_well_a_voice_is_understood_is_told_of_all_its_languages(
    recordings: Path, agreed: Consent, monkeypatch: pytest.MonkeyPatch
):
    heard = dict[str, float]()
    misheard = Enrolment._misheard

    async def watched(self: Enrolment, said: Sequence[Audio], language: str) -> float:
        heard[language] = await misheard(self, said, language)
        return heard[language]

    monkeypatch.setattr(Enrolment, "_misheard", watched)
    async with Ensemble(load_settings()) as ensemble:
        sample = read_recording(recordings / "arctic_a0009.wav")
        enrolment = Enrolment(ensemble, "Ann", sample, agreed)
        (*_, last) = await run(enrolment)
        assert last.voice is not None
        engine, _ = await ensemble.voice("en", last.voice.engine)
        ge2e, judge = await enrolment._encoder(), await enrolment._judge()
        figures = await enrolment._figures(engine, last.voice.speaker, ge2e, judge)
    assert set(heard) == {"en", "zh", "es"}
    assert figures["words_wrong"] == sum(heard.values()) / 3 < 0.1
    assert figures["words_wrong_zh"] == heard["zh"] < 0.1
    assert figures["judged_similarity"] > 0.5
