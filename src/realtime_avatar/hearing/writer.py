"""What a Whisper model of CTranslate2's writes, by the decoder of our own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realtime_avatar.errors import ModelMissing
from realtime_avatar.hearing.beam_search import Marks, Written, search
from realtime_avatar.hearing.text_decoder import Floats, Sound, TextDecoder


class Writer:
    """Writes what is heard, and tells languages apart. Holds no state; threads may share it.

    Args:
        folder: Of the model.
        vocabulary: Its tokenizer, of the library tokenizers.
        multilingual: Whether it knows more than English.

    Raises:
        ModelMissing: if a file in it is not what it should be.
    """

    def __init__(self, folder: Path, vocabulary: Any, *, multilingual: bool) -> None:
        from faster_whisper.tokenizer import Tokenizer

        self._decoder = TextDecoder(folder / "model.bin")
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            never, not_first = config["suppress_ids"], config["suppress_ids_begin"]
            languages: list[int] = config["lang_ids"] if multilingual else []
        except (OSError, ValueError, KeyError) as error:
            raise ModelMissing(f"{folder}/config.json is not what it should be: {error}") from error

        words = Tokenizer(vocabulary, multilingual=False)
        self._marks = Marks(
            words.eot, words.sot, words.no_timestamps, words.no_speech, words.timestamp_begin,
            tuple(never), tuple(not_first),
        )  # fmt: skip
        self._languages = {vocabulary.id_to_token(token)[2:-2]: token for token in languages}
        nothing = np.zeros((2, self._decoder.width), np.float32)
        self.write(self.listen(nothing), [words.sot], beam=2, most=2)  # compiles it

    def listen(self, encoded: Floats) -> Sound:
        """Return what is needed of a piece, whose encoding is float32 (frames, width)."""
        return self._decoder.listen(encoded)

    def probable(self, sound: Sound) -> dict[str, float]:
        """Return the probability of each language."""
        memory = self._decoder.memory(1, 1)
        (logits,) = self._decoder.read(np.array([self._marks.start]), sound, memory)
        scores = logits[list(self._languages.values())]
        shares = np.exp(scores - scores.max())
        return dict(zip(self._languages, (shares / shares.sum()).tolist(), strict=True))

    def write(
        self, sound: Sound, prompt: Sequence[int], *, beam: int, most: int,
        allow_repeats: bool = True, guess: Sequence[int] = (),
    ) -> Written:  # fmt: skip
        """Return the most probable text; see `beam_search.search`."""
        return search(
            self._decoder, sound, prompt, self._marks,
            beam=beam, most=most, allow_repeats=allow_repeats, guess=guess,
        )  # fmt: skip
