"""Consent: who agreed, when, to which words, for which recording or picture.

Nothing that belongs to a person is used without a record of it. The record says which sample
it is for by that file's sha256, so it cannot be moved to another.
"""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from hashlib import sha256
from itertools import dropwhile
from typing import Any, Final, Literal

from realtime_avatar.errors import ConsentError

Subject = Literal["voice", "portrait"]

WORDING: Final[dict[Subject, str]] = {
    "voice": "This is my own voice, or its owner has agreed that this avatar may speak with it."
    " I know that the avatar is an AI, that films of it say so, and that I can withdraw this"
    " at any time, which deletes the voice.",
    "portrait": "This is a picture of me, or the person in it has agreed that this avatar may"
    " look like them. I know that the avatar is an AI, that films of it say so, and that I can"
    " withdraw this at any time, which deletes the portrait.",
}
"""What is agreed to."""

SPOKEN: Final = "I agree that this avatar speaks with my voice."
"""What may be recorded besides, in the voice that is enrolled."""

LONGEST: Final = 80
"""Characters of a name."""

_TOLERATED: Final = timedelta(minutes=5)  # clocks differ
_ALIKE: Final = 0.85  # share of a spoken consent's words that must be recognised: one may not be
_CONTRARY: Final = frozenset(
    {"not", "never", "no", "don", "doesn", "disagree", "refuse", "nobody"}
    | {"his", "her", "their", "your", "our"}
)
"""Words that turn a consent round, however alike the rest is."""
_BEFORE: Final = frozenset(
    {"um", "uh", "er", "okay", "ok", "so", "well", "yes", "hello", "hi", "and"}
)


@dataclass(frozen=True, slots=True)
class Consent:
    """A record.

    Attributes:
        person: Who agreed: the owner of the voice or face.
        when: ISO 8601, UTC.
        words: What was agreed to.
        sample: sha256 of the recording or picture, hexadecimal.
        spoken: What was heard in the recording of a spoken consent; empty if there is none.
        spoken_similarity: Of that recording's speaker to the sample's, a cosine; 0 if there
            is none.
    """

    person: str
    when: str
    words: str
    sample: str
    spoken: str = ""
    spoken_similarity: float = 0.0

    @classmethod
    def parse(cls, record: dict[str, Any]) -> "Consent":
        """Return the record that `as_dict` wrote.

        Raises:
            ConsentError: if something is missing in it.
        """
        try:
            consent = cls(**record)
            datetime.fromisoformat(consent.when)
        except (TypeError, ValueError) as error:
            raise ConsentError("its record of consent is not complete") from error
        if not all((consent.person, consent.words, re.fullmatch("[0-9a-f]{64}", consent.sample))):
            raise ConsentError("its record of consent is not complete")
        return consent

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def agree(
    subject: Subject, person: str, words: str, sample: bytes, now: datetime, when: str = ""
) -> Consent:
    """Return a record that a person agreed.

    Args:
        subject: To what.
        person: Their name.
        words: The wording that was shown, which must be `WORDING`'s.
        sample: The file.
        now: The time of day.
        when: Moment at which they agreed, ISO 8601, where that was earlier.

    Raises:
        ConsentError: if nobody is named, other words were agreed to, or the time makes no sense.
    """
    person = " ".join(person.split())[:LONGEST]
    if not person:
        raise ConsentError(
            f"nobody has agreed to the use of this {subject}: say whose it is, and that they do"
        )
    if " ".join(words.split()) != WORDING[subject]:
        raise ConsentError(f"the words to agree to are: {WORDING[subject]}")
    agreed = now
    if when:
        try:
            agreed = datetime.fromisoformat(when).astimezone(UTC)
        except ValueError:
            raise ConsentError(f"{when!r} is no moment at which somebody agreed") from None
        if agreed > now + _TOLERATED:
            raise ConsentError("nobody can have agreed in the future")
    return Consent(person, agreed.isoformat(timespec="seconds"), WORDING[subject], digest(sample))


def check_spoken(heard: str) -> None:
    """Return if a recording holds the spoken consent.

    Args:
        heard: What was recognised in it.

    Raises:
        ConsentError: if it says something else.
    """

    def words(text: str) -> list[str]:
        return re.findall(r"\w+", text.casefold())

    said = list(dropwhile(_BEFORE.__contains__, words(heard)))
    alike = SequenceMatcher(None, words(SPOKEN), said, autojunk=False).ratio()
    if alike < _ALIKE or said[:2] != ["i", "agree"] or _CONTRARY.intersection(said):
        raise ConsentError(f"the recording of the consent must say “{SPOKEN}”; heard was “{heard}”")


def digest(sample: bytes) -> str:
    """Return the sha256 of a file."""
    return sha256(sample).hexdigest()
