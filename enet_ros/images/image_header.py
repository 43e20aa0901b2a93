"""The size that an encoded image states, read before the image is decoded.

A few bytes can state an image that takes gigabytes to decode. Formats: JPEG (ITU-T T.81), PNG
(W3C), WebP (RFC 9649) and BMP.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from enet_ros.errors import BadInput

MAX_SIDE = 16384  # pixels
MAX_PIXELS = 50_000_000
# Of a progressive JPEG: each scan takes time in proportion to the pixels, however short it is.
MAX_SCANS = 100

Size = tuple[int, int]  # width and height in pixels

# Markers of JPEG; 0xC4, 0xC8 and 0xCC are no starts of frames.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_END, _SCAN = 0xD9, 0xDA
_ALONE = {0x01, *range(0xD0, 0xD9)}  # without a length


def check_size(width: int, height: int, remedy: str = 'check the camera driver') -> None:
    """Raise BadInput if an image of this size (pixels) is empty or too large."""
    if width == 0 or height == 0:
        raise BadInput(f'image is {width}x{height}: it has no pixels; {remedy}')
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadInput(f'image is {width}x{height}: more than {MAX_SIDE} pixels per side or '
                       f'{MAX_PIXELS} in total; {remedy}')


def stated_size(data: bytes) -> Size | None:
    """Return the size that a JPEG, PNG, WebP or BMP image states; None for anything else.

    Raise BadInput for a JPEG with more than MAX_SCANS scans.
    """
    for magic, read in _READERS.items():
        if data.startswith(magic):
            try:
                return read(data)
            except IndexError:  # the data ends too early
                return None
    return None


def _png(data: bytes) -> Size | None:
    if data[12:16] != b'IHDR' or not _has_whole_chunks(data):
        return None
    return _number(data, 16, 4, 'big'), _number(data, 20, 4, 'big')


def _has_whole_chunks(data: bytes) -> bool:
    """Return whether each chunk of a PNG fits into the data; OpenCV reserves what they state."""
    position = 8
    while data[position + 4:position + 8] not in (b'IEND', b''):
        position += 12 + _number(data, position, 4, 'big')
    return position + 12 <= len(data)


def _jpeg(data: bytes) -> Size | None:
    if (scans := data.count(bytes([0xFF, _SCAN]))) > MAX_SCANS:
        raise BadInput(f'image is a JPEG of {scans} scans, more than {MAX_SCANS}; save it as a '
                       'baseline JPEG')
    for marker, start in _segments(data):
        if marker in _FRAMES:
            return _number(data, start + 5, 2, 'big'), _number(data, start + 3, 2, 'big')
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the marker of each segment before the first scan, and where its length stands."""
    position = 2
    while True:
        position = data.find(b'\xff', position)
        while position >= 0 and data[position] == 0xFF:  # markers may have several
            position += 1
        marker = data[position] if position >= 0 else _END
        if marker in (_END, _SCAN):
            return
        position += 1
        if marker and marker not in _ALONE:
            yield marker, position
            position += max(2, _number(data, position, 2, 'big'))


def _webp(data: bytes) -> Size | None:
    kind = data[8:16]
    if kind == b'WEBPVP8 ':
        return _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF
    if kind == b'WEBPVP8L':
        bits = _number(data, 21, 4)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b'WEBPVP8X':
        return 1 + _number(data, 24, 3), 1 + _number(data, 27, 3)
    return None


def _bmp(data: bytes) -> Size | None:
    if _number(data, 14, 4) == 12:  # bytes of OS/2's header
        return _number(data, 18, 2), _number(data, 20, 2)
    width, height = (int.from_bytes(_bytes(data, start, 4), 'little', signed=True)
                     for start in (18, 22))
    return abs(width), abs(height)  # a negative height: from top to bottom


def _number(data: bytes, start: int, length: int,
            order: Literal['little', 'big'] = 'little') -> int:
    return int.from_bytes(_bytes(data, start, length), order)


def _bytes(data: bytes, start: int, length: int) -> bytes:
    part = data[start:start + length]
    if len(part) < length:
        raise IndexError
    return part


_READERS: dict[bytes, Callable[[bytes], Size | None]] = {
    b'\xff\xd8': _jpeg, b'\x89PNG\r\n\x1a\n': _png, b'RIFF': _webp, b'BM': _bmp}
