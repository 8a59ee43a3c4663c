"""A person's voice: learned from a recording, spoken with, and gone when it is withdrawn."""

import base64
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from live import open_site
from realtime_avatar.config import Settings, load_settings
from realtime_avatar.dialogue.enrolment import Enrolment, Progress, read_recording
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.engines.ports import Speaker
from realtime_avatar.engines.registry import Context, load
from realtime_avatar.errors import ConsentError, InputError
from realtime_avatar.identity.consent import SPOKEN, WORDING, Consent, agree
from realtime_avatar.identity.records import Records
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.media.credentials import now
from realtime_avatar.media.read import read_audio
from realtime_avatar.media.resample import resample
from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.speakers import DVECTOR, GE2E, DVector, Ge2e
from streams import collect, stream

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
async def test_a_spoken_consent_is_recognised_and_matched_to_the_sample_s_speaker(
    spoken: dict[str, Audio], agreed: Consent
):
    async with Ensemble(settings()) as ensemble:
        sample = spoken["sample"]
        for key, why in (("another voice", "in another voice"), ("other words", "do not agree")):
            with pytest.raises(ConsentError, match=why):
                await run(Enrolment(ensemble, "Ann", sample, agreed, spoken[key]))
            assert ensemble.people.names() == ()
        await run(Enrolment(ensemble, "Ann", sample, agreed, spoken["consent"]))
        kept = ensemble.people.load("Ann").consent
        assert kept.spoken.startswith("I agree that this avatar speaks")
        assert kept.spoken_similarity > 0.8


@pytest.mark.parametrize("name", ["kokoro", "fake", "a:b", ""])
async def test_names_of_engines_are_no_voices(name: str, recordings: Path, agreed: Consent):
    async with Ensemble(settings()) as ensemble:
        with pytest.raises(InputError, match="name"):
            Enrolment(ensemble, name, read_recording(recordings / "jfk.wav"), agreed)


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
