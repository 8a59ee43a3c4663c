"""Consent, the voices that it belongs to, and its end."""

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from realtime_avatar.errors import ConsentError, InputError
from realtime_avatar.identity.consent import SPOKEN, WORDING, Consent, agree, check_spoken, digest
from realtime_avatar.identity.records import Records
from realtime_avatar.identity.voices import EnrolledVoice, Voices, check_name, load_voice

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
AGREED = agree("voice", " Ann  Smith ", WORDING["voice"], b"sound", NOW)


def voice(name: str = "Ann") -> EnrolledVoice:
    style = np.linspace(-1, 1, 510 * 256, dtype=np.float32).reshape(510, 1, 256)
    unit = np.full(256, 1 / 16, np.float32)
    return EnrolledVoice(name, "kokoro", AGREED, style, unit, True, {"similarity": 0.8})


def test_a_record_says_who_when_to_what_and_for_which_sample():
    assert AGREED.person == "Ann Smith"
    assert AGREED.when == "2026-05-04T03:02:01+00:00"
    assert AGREED.words == WORDING["voice"]
    assert AGREED.sample == digest(b"sound") != digest(b"other sound")
    assert Consent.parse(AGREED.as_dict()) == AGREED


@pytest.mark.parametrize(
    ("person", "words", "when", "why"),
    [
        ("", WORDING["voice"], "", "nobody has agreed"),
        (" \n", WORDING["voice"], "", "nobody has agreed"),
        ("Ann", "Whatever.", "", "the words to agree to"),
        ("Ann", WORDING["portrait"], "", "the words to agree to"),
        ("Ann", WORDING["voice"], "yesterday", "no moment"),
        ("Ann", WORDING["voice"], (NOW + timedelta(hours=1)).isoformat(), "future"),
    ],
)
def test_without_all_of_that_there_is_no_consent(person: str, words: str, when: str, why: str):
    with pytest.raises(ConsentError, match=why):
        agree("voice", person, words, b"sound", NOW, when)


@pytest.mark.parametrize(
    ("heard", "counts"),
    [
        (SPOKEN, True),
        ("i agree that this avatar speaks with my voice", True),
        ("I agree that this avatar speaks with a voice", True),
        ("Okay, so, I agree that this avatar speaks, with my voice.", True),
        ("I do not agree that this avatar speaks with my voice.", False),
        ("I disagree that this avatar speaks with my voice.", False),
        ("I never agree that this avatar speaks with my voice.", False),
        ("I don't agree that this avatar speaks with my voice.", False),
        ("I agree that this avatar speaks with my voice, not.", False),
        ("I agree that this avatar speaks with his voice.", False),
        ("I agree that this computer sings with my voice.", False),
        ("Nobody said I agree that this avatar speaks with my voice.", False),
        ("If I agree that this avatar speaks with my voice.", False),
        ("I do not like avatars.", False),
        ("", False),
    ],
)
def test_a_spoken_consent_says_the_sentence(heard: str, counts: bool):
    if counts:
        check_spoken(heard)
        return
    with pytest.raises(ConsentError, match="must say"):
        check_spoken(heard)


def test_a_voice_is_kept_whole_and_private(tmp_path: Path):
    voices = Voices(tmp_path)
    assert voices.names() == ()
    voices.save(voice("Ann Ó'Neill-2"))
    assert voices.names() == ("Ann Ó'Neill-2",)
    assert voices.has("ann ó'neill-2")
    kept = voices.load("ann ó'neill-2")
    assert kept.about() == voice("Ann Ó'Neill-2").about()
    assert np.abs(kept.style - voice().style).max() < 1e-3
    np.testing.assert_array_equal(kept.embedding, voice().embedding)
    (file,) = voices.folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert voices.remove("Ann Ó'Neill-2")
    assert not voices.remove("Ann Ó'Neill-2")
    assert list(voices.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", "  ", "a:b", "../x", "a/b", "x" * 81, "a\0b", "<b>",
                                  "hibari", "Kokoro"])  # fmt: skip
def test_names_that_cannot_be_voices_are_refused(name: str):
    with pytest.raises(InputError, match="name"):
        check_name(name)


def change(path: Path, part: str, content: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (parts | {part: content}).items():
            archive.writestr(name, data)


def test_a_voice_without_consent_is_not_used(tmp_path: Path):
    voices = Voices(tmp_path)
    voices.save(voice())
    (file,) = voices.folder.iterdir()
    with zipfile.ZipFile(file) as archive:
        about = json.loads(archive.read("voice.json"))
    for consent in ({}, about["consent"] | {"person": ""}, about["consent"] | {"sample": "0"}):
        change(file, "voice.json", json.dumps(about | {"consent": consent}).encode())
        with pytest.raises(ConsentError, match=r"the voice Ann is not used: .*consent"):
            voices.load("Ann")


@pytest.mark.parametrize(
    ("part", "content", "why"),
    [
        ("voice.json", b"{", "damaged"),
        ("voice.json", b'{"format": "tune", "version": 1}', "not a voice"),
        ("voice.json", b'{"format": "realtime-avatar voice", "version": 9}', "format 9"),
        ("style.npy", b"\x93NUMPY", "damaged"),
        ("embedding.npy", b"", "damaged"),
    ],
)
def test_a_damaged_file_is_refused_in_words(tmp_path: Path, part: str, content: bytes, why: str):
    voices = Voices(tmp_path)
    voices.save(voice())
    (file,) = voices.folder.iterdir()
    change(file, part, content)
    with pytest.raises(InputError, match=why):
        voices.load("Ann")
    with pytest.raises(InputError, match="no voice"):
        load_voice(tmp_path / "nobody.voice")


def test_records_of_voices_are_listed_exported_and_end_with_the_voice(tmp_path: Path):
    records = Records(tmp_path)
    records.voices.save(voice())
    assert [one["name"] for one in records.all()] == ["Ann"]
    assert records.get("ANN")["consent"] == AGREED.as_dict()
    assert records.revoke("ann", NOW)["name"] == "Ann"
    assert records.all() == []
    assert not records.voices.has("Ann")
    with pytest.raises(InputError, match="no record of 'Ann'"):
        records.revoke("Ann", NOW)


def test_a_revoked_portrait_needs_new_consent(tmp_path: Path):
    records = Records(tmp_path)
    first = agree("portrait", "Ann", WORDING["portrait"], b"picture", NOW)
    assert not records.may_show(first.sample)
    records.agree_to_portrait("Ann", first)
    assert records.may_show(first.sample)
    records.revoke(first.sample[:8], NOW + timedelta(hours=1))
    assert not records.may_show(first.sample)
    assert records.all() == []
    with pytest.raises(ConsentError, match="withdrawn"):
        records.agree_to_portrait("Ann", first)
    anew = replace(first, when=(NOW + timedelta(hours=2)).isoformat())
    records.agree_to_portrait("Ann", anew)
    assert records.may_show(first.sample)
    # Nothing but the moment is kept of what was revoked.
    records.revoke(first.sample, NOW + timedelta(hours=3))
    assert "Ann" not in (records.folder / f"{first.sample}.json").read_text("utf-8")
