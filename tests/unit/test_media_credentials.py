"""Films say that AI made them, and whether they were changed since."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509

from realtime_avatar.errors import InputError
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.credentials import make_certificate, read_credentials, sign_film
from realtime_avatar.media.mp4 import Format, Mp4Writer


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    writer = Mp4Writer(path, Format(64, 64, 25, 24_000))
    for index in range(10):
        picture = np.full((64, 64, 3), 20 * index, np.uint8)
        writer.write(Shot(Audio(np.zeros(960, np.int16), 24_000, index * 960), picture))
    writer.close()
    return path


def test_every_film_says_that_ai_made_it(film: Path):
    found = read_credentials(film)
    assert found is not None
    assert found.ai_generated
    assert found.intact
    assert not found.trusted
    assert found.generator.startswith("Realtime Avatar ")
    assert list(film.parent.iterdir()) == [film]


def test_a_changed_film_is_told(film: Path):
    data = bytearray(film.read_bytes())
    data[data.find(b"mdat") + 40] ^= 1
    film.write_bytes(data)
    found = read_credentials(film)
    assert found is not None
    assert not found.intact


def test_the_index_still_comes_first(film: Path):
    data = film.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")


def test_what_has_none_says_so(recordings: Path, tmp_path: Path):
    assert read_credentials(recordings / "jfk.wav") is None
    with pytest.raises(InputError, match="no file"):
        read_credentials(tmp_path / "nothing.mp4")
    text = tmp_path / "notes.txt"
    text.write_text("Hello.")
    with pytest.raises(InputError, match="no content credentials"):
        read_credentials(text)


def test_the_key_is_its_owners_alone_and_is_kept(film: Path, tmp_path: Path):
    folder = tmp_path / "new"
    make_certificate(folder, lambda: datetime(2026, 5, 4, tzinfo=UTC))
    key = folder / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    leaf, root = x509.load_pem_x509_certificates((folder / "chain.pem").read_bytes())
    leaf.verify_directly_issued_by(root)
    assert leaf.not_valid_before_utc.year == 2026
    before = key.read_bytes()
    sign_film(film, "film", folder)
    assert key.read_bytes() == before


def test_a_certificate_that_is_none_is_told(film: Path, tmp_path: Path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "key.pem").write_text("no key")
    (folder / "chain.pem").write_text("no chain")
    before = film.read_bytes()
    with pytest.raises(InputError, match="cannot be signed"):
        sign_film(film, "film", folder)
    assert film.read_bytes() == before
