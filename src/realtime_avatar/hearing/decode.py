"""One piece of speech through Whisper."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.hearing.activity import RATE
from realtime_avatar.hearing.beam_search import SPOKEN, Written
from realtime_avatar.hearing.writer import Writer

FULL: Final = 30 * RATE
"""Samples that Whisper was trained to hear at once."""

# Silence before the speech. With 0.2 or 0.4 s an unusual name is heard less surely.
LEAD: Final = RATE // 4
TAIL: Final = 4 * RATE  # and after it: with 1 s, or without timestamps, Whisper loops
# While somebody waits: on 51 sentences in three languages, with and without noise, as many
# words are wrong, give or take two, and a seventh of the time is saved.
LIVE_TAIL: Final = 2 * RATE
STAMP: Final = RATE // 50  # samples from one timestamp to the next
REPETITIVE: Final = 2.4  # compression ratio of a text that goes round in circles
TWICE: Final = 8  # letters: as much is hardly ever said twice, word for word
# What was said before, as Whisper is told, decides how it writes: without it, Chinese comes
# out in traditional characters half of the time, and questions end in full stops.
BEFORE: Final = {"zh": "我们来谈谈今天的问题吧，请说。"}
TOKENS: Final = 15  # a second: more than anybody says in any language; Chinese has up to 12
# And in these. While no hypothesis is likelier than all others, CTranslate2 follows one that has
# gone wrong up to the limit: a tight one saves a third. If that is not enough, it has more.
FEWER_TOKENS: Final = {"en": 9, "es": 9}
EXTRA_TOKENS: Final = 8  # for punctuation and timestamps, however short the piece


@dataclass(frozen=True, slots=True)
class Heard:
    """What Whisper makes of a piece.

    Attributes:
        text: As written language.
        end: First sample of the piece that is not in it; Whisper stops early now and then.
        confidence: Mean log probability of its tokens.
        no_speech: Probability that nobody speaks.
        looping: Whether it goes round in circles.
        spans: The text again, with the first sample of each part and that after it.
        tokens: It begins with these, and may do so again when more was said.
    """

    text: str
    end: int
    confidence: float
    no_speech: float
    looping: bool
    spans: tuple[tuple[int, int, str], ...] = ()
    tokens: tuple[int, ...] = ()


class Decoder:
    """Runs a Whisper model in steps. Holds no state between them.

    Whisper pads all it hears to 30 s. CTranslate2 takes less, so a piece is padded by a
    few seconds of silence only, which is several times faster for a sentence. If Whisper
    loops nevertheless, `encode(full=True)` hears it in the way that it was trained.

    Args:
        model: A `faster_whisper.WhisperModel`.
        writer: Writes instead of CTranslate2.
    """

    def __init__(self, model: Any, writer: Writer | None = None) -> None:
        self.model: Any = model
        self.writer = writer

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes of what the model knows."""
        return tuple(self.model.supported_languages)

    def close(self) -> None:
        """Let go of the weights."""
        self.model = self.writer = None

    def encode(self, samples: NDArray[np.float32], *, tail: int = TAIL, full: bool = False) -> Any:
        """Return what the encoder makes of a piece.

        Args:
            samples: In [-1, 1], shape (samples,), 16 kHz, at most 29 s.
            tail: Samples of silence after it; more, after a short one.
            full: Whether to pad it to 30 s.
        """
        length = FULL if full else min(FULL, LEAD + max(len(samples) + tail, TAIL))
        padded = np.zeros(length, np.float32)
        padded[LEAD : LEAD + len(samples)] = samples
        encoded = self.model.encode(self.model.feature_extractor(padded, padding=0))
        return self.writer.listen(np.array(encoded)[0]) if self.writer else encoded

    def probable(self, encoded: Any) -> dict[str, float]:
        """Return the probability of each language; none for a model that knows only one."""
        if len(self.languages) == 1:
            return {}
        if self.writer:
            return self.writer.probable(encoded)
        (found,) = self.model.model.detect_language(encoded)
        return {token[2:-2]: probability for token, probability in found}

    def decode(
        self,
        encoded: Any,
        language: str,
        samples: int,
        *,
        beam: int,
        allow_repeats: bool = True,
        guess: Sequence[int] = (),
    ) -> Heard:
        """Return the words.

        The hypothesis is the most probable as a whole: dividing its score by its length,
        as is usual, favours words spelt in many pieces ("gregs in" for "Gregson").

        Args:
            encoded: From `encode`.
            language: ISO 639-1.
            samples: Length of the piece.
            beam: How many hypotheses are followed at once.
            allow_repeats: Whether three tokens may come again in the same order.
            guess: Tokens that were heard when less was said; CTranslate2 does not want them.
        """
        from faster_whisper.tokenizer import Tokenizer

        model = self.model.model
        tokenizer = Tokenizer(
            self.model.hf_tokenizer, model.is_multilingual, "transcribe", language
        )
        first = tokenizer.timestamp_begin
        prompt: list[int] = tokenizer.sot_sequence
        if language in BEFORE:
            prompt = [tokenizer.sot_prev, *tokenizer.encode(BEFORE[language]), *prompt]

        def written(most: int) -> Written:
            if self.writer:
                return self.writer.write(
                    encoded, prompt, beam=beam, most=most, allow_repeats=allow_repeats, guess=guess
                )
            for penalty in (0, 1):  # no text at all is likely as a whole, but hardly by token
                (found,) = model.generate(
                    encoded,
                    [prompt],
                    beam_size=beam,
                    length_penalty=penalty,
                    no_repeat_ngram_size=0 if allow_repeats else 3,
                    max_length=max(2 * most, len(prompt) + most),  # it makes half, or the rest
                    return_scores=True,
                    return_no_speech_prob=True,
                )
                tokens: list[int] = found.sequences_ids[0]
                if found.no_speech_prob >= SPOKEN or min(tokens, default=first) < first:
                    break
            score = found.scores[0] * (len(tokens) + 1) ** penalty
            return Written(tokens, score, found.no_speech_prob, len(tokens) < most)

        pace = TOKENS if self.writer else FEWER_TOKENS.get(language, TOKENS)
        fewest, most = (
            min(self.model.max_length // 2, EXTRA_TOKENS + tokens * samples // RATE)
            for tokens in (pace, TOKENS)
        )

        def unfinished(found: Written) -> bool:
            within = _within(found.tokens, first, samples)
            return not found.ended and len(within) == len(found.tokens)

        found = written(fewest)
        if fewest < most and unfinished(found):
            found = written(most)
        tokens = _within(found.tokens, first, samples)
        spans, end = _spans(tokens, first, samples)
        text: str = tokenizer.decode([token for *_, spoken in spans for token in spoken]).strip()
        return Heard(
            text,
            end,
            found.score / (len(found.tokens) + 1),
            found.silence,
            unfinished(found) or _compression(text) > REPETITIVE,
            tuple((start, end, tokenizer.decode(spoken).strip()) for start, end, spoken in spans),
            _first_part(found.tokens, first),
        )


def _first_part(tokens: Sequence[int], timestamp: int) -> tuple[int, ...]:
    """Return a text up to the timestamp that ends its first part, which moves when more is said."""
    ends = (at for at, token in enumerate(tokens) if at and token >= timestamp)
    return tuple(tokens[: next(ends, len(tokens))])


def _within(tokens: Sequence[int], timestamp: int, samples: int) -> Sequence[int]:
    """Return the tokens up to the first timestamp at or after the piece's end.

    What begins in the silence after the piece is invented, often all of it once more.
    """
    last = timestamp + -(-(samples + LEAD) // STAMP)
    for at, token in enumerate(tokens):
        if token >= last:
            return tokens[: at + 1]
    return tokens


def _spans(
    tokens: Sequence[int], timestamp: int, samples: int
) -> tuple[list[tuple[int, int, list[int]]], int]:
    """Return where parts of a piece begin and end, with their text tokens; and where all end.

    Args:
        tokens: Text tokens between timestamp tokens, from `_within`.
        timestamp: The first timestamp token, that of 0 s.
        samples: Length of the piece.
    """
    spans: list[tuple[int, int, list[int]]] = []
    spoken: list[int] = []
    start, end = 0, samples
    for token in tokens:
        if token < timestamp:
            spoken.append(token)
            end = samples
            continue
        end = min(max((token - timestamp) * STAMP - LEAD, 0), samples)
        if spoken:
            spans.append((start, end, spoken))
            spoken = []
        start = end
    if spoken:
        spans.append((start, samples, spoken))
    return spans, end


def twice(text: str) -> bool:
    """Tell whether a text is the same words twice in a row."""
    letters = [letter for letter in text.casefold() if letter.isalnum()]
    half = len(letters) // 2
    return half >= TWICE and letters[:half] == letters[half:]


def _compression(text: str) -> float:
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))
