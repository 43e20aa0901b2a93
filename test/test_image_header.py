"""Images that state a size, before they are decoded."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from enet_ros.errors import BadInput
from enet_ros.images.encodings import decode_compressed
from enet_ros.images.files import read_image, read_pixels
from enet_ros.images.image_header import MAX_SCANS, MAX_SIDE, stated_size

SIZE = 37, 21
IMAGE = np.random.default_rng(6).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def encode(suffix, *options, image=IMAGE):
    return cv2.imencode(suffix, image, options)[1].tobytes()


def png_of_size(width, height):
    """Return a PNG that states a size and has the pixels of a small image."""
    header = struct.pack('>II', width, height) + bytes([8, 2, 0, 0, 0])
    chunk = b'IHDR' + header
    return (b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk
            + struct.pack('>I', zlib.crc32(chunk)) + encode('.png')[33:])


def jpeg_of_size(width, height):
    data = bytearray(encode('.jpg'))
    start = data.index(b'\xff\xc0')
    data[start + 5:start + 9] = struct.pack('>HH', height, width)
    return bytes(data)


def bmp_of_size(width, height):
    data = bytearray(encode('.bmp'))
    data[18:26] = struct.pack('<ii', width, height)
    return bytes(data)


LOSSLESS = cv2.IMWRITE_WEBP_QUALITY, 101


@pytest.mark.parametrize('data', [
    encode('.png'), encode('.png', image=IMAGE.astype(np.uint16)),
    encode('.png', image=IMAGE[..., 0]), encode('.jpg'),
    encode('.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    encode('.jpg', cv2.IMWRITE_JPEG_RST_INTERVAL, 1), encode('.bmp'), encode('.webp'),
    encode('.webp', *LOSSLESS),
    encode('.webp', *LOSSLESS, image=np.dstack([IMAGE, IMAGE[..., 0]]))])
def test_the_size_is_that_of_the_pixels(data):
    height, width = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert stated_size(data) == (width, height) == SIZE


def test_fill_bytes_and_other_segments_of_jpeg_are_skipped():
    jpeg = encode('.jpg')
    thumbnail = b'\xff\xe1' + struct.pack('>H', 2 + 400) + (jpeg * 9)[:400]
    assert stated_size(jpeg[:2] + b'\xff\xff' + thumbnail + b'\xff\xff' + jpeg[2:]) == SIZE


def test_a_bmp_from_top_to_bottom_has_a_negative_height():
    assert stated_size(bmp_of_size(SIZE[0], -SIZE[1])) == SIZE


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.webp'])
def test_other_and_truncated_data_has_no_size(suffix):
    data = encode(suffix)
    for length in range(24 if suffix != '.png' else len(data)):
        assert stated_size(data[:length]) is None
    assert stated_size(b'GIF89a' + bytes(20)) is None
    assert stated_size(data[:12] + bytes(300)) in (None, (0, 0))


@pytest.mark.parametrize('data', [
    png_of_size(MAX_SIDE + 1, 1), png_of_size(16000, 16000), png_of_size(2**31 - 1, 2**31 - 1),
    jpeg_of_size(65500, 65500), jpeg_of_size(10_000, 10_000)], ids=lambda data: str(data[1:4]))
def test_huge_images_are_refused_before_they_are_decoded(data, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(BadInput, match='image is .*more than 16384 pixels per side or 50000000'):
        decode_compressed(data, 'jpeg')
    path = tmp_path / 'a.png'
    path.write_bytes(data)
    for read in (read_image, read_pixels):
        with pytest.raises(BadInput, match=f'{path}: image is .*make it smaller'):
            read(path)


@pytest.mark.parametrize('data', [bmp_of_size(30_000, 30_000), b'RIFF\xff\xff\xff\xffWEBPVP8X'
                                  + bytes([10, 0, 0, 0, 0, 0, 0, 0]) + b'\xff' * 6])
def test_huge_files_of_other_formats_are_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', None)
    (tmp_path / 'a.bmp').write_bytes(data)
    with pytest.raises(BadInput, match='more than'):
        read_image(tmp_path / 'a.bmp')


def test_a_png_with_a_chunk_beyond_its_end_is_refused(monkeypatch):
    data = encode('.png')
    start = data.index(b'IDAT')
    broken = data[:start - 4] + struct.pack('>I', 2**31 - 1) + data[start:]
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(BadInput, match='cannot be decoded'):
        decode_compressed(broken, 'png')


def test_empty_images_are_refused(tmp_path):
    with pytest.raises(BadInput, match='0x7: it has no pixels'):
        decode_compressed(png_of_size(0, 7), 'png')


def test_jpeg_with_many_scans_is_refused():
    jpeg = encode('.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    scan = jpeg.rindex(b'\xff\xda')
    with pytest.raises(BadInput, match=f'scans, more than {MAX_SCANS}; save it as a baseline'):
        decode_compressed(jpeg[:-2] + jpeg[scan:-2] * MAX_SCANS + jpeg[-2:], 'jpeg')


@pytest.mark.parametrize('suffix', ['.tiff', '.ppm', '.webp', '.bmp'])
def test_messages_hold_jpeg_or_png(suffix):
    with pytest.raises(BadInput, match='cannot be decoded; publish complete JPEG or PNG'):
        decode_compressed(encode(suffix), suffix)


def test_files_of_other_formats_are_refused(tmp_path):
    (tmp_path / 'a.png').write_bytes(encode('.tiff'))
    with pytest.raises(BadInput, match='is not an image that can be decoded'):
        read_image(tmp_path / 'a.png')
