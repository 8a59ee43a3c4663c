"""Thoughts that some models write before they answer, `<think>…</think>`: not to be heard."""

from typing import Final

_BEGIN: Final = "<think>"
_END: Final = "</think>"


class Thoughts:
    """Takes them from the beginning of one answer, which comes in pieces."""

    def __init__(self) -> None:
        self._held = ""
        self._over = False

    def strip(self, piece: str) -> str:
        """Return what is to be said of the next piece and of what was held back before it."""
        if self._over:
            return piece
        self._held += piece
        begun = self._held.lstrip()
        if begun.startswith(_BEGIN):
            _, end, answer = begun.partition(_END)
            if end and answer.strip():
                self._over = True
                return answer.lstrip()
            return ""
        if _BEGIN.startswith(begun):
            return ""  # it may yet become the tag
        self._over = True
        return self._held

    def rest(self) -> str:
        """Return what was held back at the end of the answer and is no thought."""
        begun = self._held.lstrip()
        return "" if self._over or begun.startswith(_BEGIN) else begun
