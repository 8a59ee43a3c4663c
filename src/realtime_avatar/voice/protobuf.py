"""The wire format of protobuf, as far as an ONNX model needs it."""

from collections.abc import Iterator

Value = int | memoryview
"""Of a varint, or the bytes of anything else."""


def fields(message: Value) -> Iterator[tuple[int, Value]]:
    """Yield the numbers and values of a message's fields, in order."""
    if isinstance(message, int):
        return
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 5:
                size = 4
            case _:
                size, at = _varint(message, at)
        yield key >> 3, message[at : at + size]
        at += size


def field(number: int, value: int | bytes | memoryview) -> bytes:
    """Return a varint or a length-delimited field. `value`: if an integer, not negative."""
    if isinstance(value, int):
        return _encoded(number << 3) + _encoded(value)
    return b"".join([_encoded(number << 3 | 2), _encoded(len(value)), value])


def text(value: Value) -> str:
    """Return a field's value as text."""
    return "" if isinstance(value, int) else str(value, "utf-8")


def integers(value: Value) -> list[int]:
    """Return one integer, or packed ones."""
    if isinstance(value, int):
        return [value]
    numbers: list[int] = []
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7


def _encoded(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)
