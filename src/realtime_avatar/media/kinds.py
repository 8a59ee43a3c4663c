"""What kind of recording a file is, by its first bytes and never by its name."""

from typing import Final

from realtime_avatar.errors import InputError

HEAD: Final = 16
"""Bytes that are looked at."""

_FTYP: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_STARTS: Final = {
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"\x1aE\xdf\xa3": "matroska",
    b"ID3": "mp3",
    b"#!AMR": "amr",
    b"caff": "caf",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"\x00\x00\x01\xba": "mpeg",
}
_RIFF: Final = {b"WAVE": "wav", b"AVI ": "avi", b"AIFF": "aiff", b"AIFC": "aiff"}


def demuxer_of(head: bytes, name: str) -> str:
    """Return FFmpeg's name of the one demuxer that may read a recording.

    FFmpeg itself would try hundreds, some of which follow addresses or run subtitles.

    Args:
        head: The file's first `HEAD` bytes.
        name: What to call it.

    Raises:
        InputError: if it is of no kind that people record.
    """
    if head[:4] in (b"RIFF", b"RF64", b"FORM") and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] in _FTYP:
        return "mov"
    for start, demuxer in _STARTS.items():
        if head.startswith(start):
            return demuxer
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "mp3" if head[1] & 0x06 else "aac"  # the layer: MPEG audio, or none (ADTS)
    raise InputError(
        f"{name} is not a recording that is known here; send WAV, MP3, FLAC, Ogg, WebM, MP4 or AAC"
    )
