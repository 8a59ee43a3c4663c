"""Content credentials: what a file says about its own making, signed (C2PA).

Every film carries a manifest whose `c2pa.created` action has the digital source type
"trainedAlgorithmicMedia": made by AI. It is signed with a certificate that this installation
makes for itself at first use, so it proves that a file has not been changed since, but not who
made it: no list of trusted issuers knows the certificate. Owners with one from a certificate
authority put it in its place.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import platformdirs

from realtime_avatar.errors import InputError

AI_GENERATED: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

Clock = Callable[[], datetime]
now: Clock = partial(datetime.now, UTC)
"""The time of day in UTC; a parameter wherever it is used."""

_CHAIN: Final = "chain.pem"
_KEY: Final = "key.pem"
_YEARS: Final = 10
_NAME: Final = "Realtime Avatar"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a file says about itself.

    Attributes:
        generator: Which program made it.
        issuer: Who signed, as the certificate says.
        ai_generated: Whether it says that AI made it.
        intact: Whether it is as it was signed.
        trusted: Whether a known authority vouches for the signer.
        time: When it was signed, ISO 8601; empty where no authority says so.
    """

    generator: str
    issuer: str
    ai_generated: bool
    intact: bool
    trusted: bool
    time: str = ""


def credentials_folder() -> Path:
    """Return where key and certificate are: in the user's data, or `AVATAR_CREDENTIALS`."""
    default = platformdirs.user_data_path("realtime-avatar") / "credentials"
    return Path(os.environ.get("AVATAR_CREDENTIALS") or default).expanduser()


def sign_film(film: Path, title: str, folder: Path | None = None) -> None:
    """Give a finished MP4 file its content credentials, in place. Blocking, some 50 ms.

    Args:
        film: The file.
        title: What the manifest calls it.
        folder: Where key and certificate are or will be; by default `credentials_folder`.

    Raises:
        OSError: if the file, or the folder, cannot be written.
        InputError: if the certificate there cannot be used.
    """
    c2pa: Any = import_module("c2pa")
    from realtime_avatar import __version__

    folder = folder or credentials_folder()
    ensure_certificate(folder)
    manifest = {
        "title": title,
        "format": "video/mp4",
        "claim_generator_info": [{"name": _NAME, "version": __version__}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [{"action": "c2pa.created", "digitalSourceType": AI_GENERATED}]
                },
            }
        ],
    }
    chain, key = ((folder / name).read_bytes() for name in (_CHAIN, _KEY))
    part = film.with_name(f"{film.name}.signed")
    try:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, key, None))
        with (
            signer,
            film.open("rb") as source,
            part.open("w+b") as target,
            c2pa.Builder(manifest) as builder,
        ):
            builder.sign(signer, "video/mp4", source, target)
        part.replace(film)
    except c2pa.C2paError as error:
        raise InputError(f"{film.name} cannot be signed: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def read_credentials(file: Path) -> Credentials | None:
    """Return what a file's content credentials say; None if it has none.

    Raises:
        InputError: if there is no such file, or it is of a kind that cannot have any.
    """
    if not file.is_file():
        raise InputError(f"there is no file {file}")
    c2pa: Any = import_module("c2pa")
    reader: Any = None
    try:
        with file.open("rb") as stream:
            reader = c2pa.Reader(None, stream)
            with reader:
                active: dict[str, Any] = reader.get_active_manifest() or {}
                state = str(reader.get_validation_state())
    except c2pa.C2paError as error:
        if type(error).__name__.endswith("ManifestNotFound"):
            return None
        raise InputError(f"{file} holds no content credentials that can be read") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    info: list[dict[str, Any]] = active.get("claim_generator_info") or [{}]
    signature: dict[str, Any] = active.get("signature_info") or {}
    return Credentials(
        generator=" ".join(str(info[0].get(key, "")) for key in ("name", "version")).strip(),
        issuer=str(signature.get("issuer") or signature.get("common_name") or ""),
        ai_generated=AI_GENERATED in str(active.get("assertions")),
        intact=state in ("Valid", "Trusted"),
        trusted=state == "Trusted",
        time=str(signature.get("time") or ""),
    )


def ensure_certificate(folder: Path | None = None) -> None:
    """Make key and certificate unless they are there; see `make_certificate`.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder = folder or credentials_folder()
    if not (folder / _KEY).is_file():
        make_certificate(folder)


def make_certificate(folder: Path, clock: Clock = now) -> None:
    """Make a key, a certificate for it, and the authority of its own that signs that.

    The authority's key is thrown away. C2PA wants a chain: it refuses a certificate that is
    signed with its own key.

    Raises:
        OSError: if the folder cannot be written.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(common: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{_NAME} (this installation)"),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, subject = name(f"{_NAME} local authority"), name(f"{_NAME} films")
    begin = clock() - timedelta(days=1)

    def built(whose: x509.Name, public: Any, *, authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(whose)
            .issuer_name(root_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=365 * _YEARS))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(_usage(x509, authority=authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
                critical=False,
            )
        )
        if not authority:
            use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(use, critical=False)
        return builder.sign(root_key, hashes.SHA256())

    chain = [
        built(subject, key.public_key(), authority=False),
        built(root_name, root_key.public_key(), authority=True),
    ]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / _CHAIN).write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = os.open(folder / _KEY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "wb") as target:
        target.write(secret)


def _usage(x509: Any, *, authority: bool) -> Any:
    return x509.KeyUsage(
        digital_signature=not authority, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority,
        crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip
