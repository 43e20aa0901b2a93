from array import array

import cv2
import numpy as np
import pytest
from encoded_images import (
    ALL_ENCODINGS,
    BAYER_ENCODINGS,
    COLOR_ENCODINGS,
    GRAY_ENCODINGS,
    QUADRANTS,
    YUV_ENCODINGS,
    away_from_edges,
    encoded,
    expected_rgb,
    noise,
    quadrants,
    raw_image,
    with_exif_orientation,
)

from enet_ros.errors import BadInput
from enet_ros.images.encodings import (
    ENCODINGS,
    RawImage,
    decode_compressed,
    decode_depth,
    decode_mono8,
    decode_raw,
)
from enet_ros.images.image_header import MAX_PIXELS, MAX_SIDE


def error_of(raw, decode=decode_raw):
    """Return the one-line error with which a raw image is rejected."""
    with pytest.raises(BadInput) as caught:
        decode(raw)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_supported_encodings():
    assert sorted(ENCODINGS) == sorted(ALL_ENCODINGS)


@pytest.mark.parametrize('bigendian', (False, True))
@pytest.mark.parametrize('padding', (0, 1, 10))
@pytest.mark.parametrize('encoding', ALL_ENCODINGS)
def test_every_encoding_shows_the_right_colors(encoding, padding, bigendian):
    rgb = quadrants(28, 20)
    decoded = decode_raw(encoded(rgb, encoding, padding=padding, bigendian=bigendian))
    assert decoded.image.dtype == np.uint8 and decoded.image.shape == rgb.shape
    assert decoded.order == ('bgr' if encoding in ('bgr8', '8UC3') else 'rgb')
    difference = np.abs(decoded.rgb().astype(int) - expected_rgb(rgb, encoding))
    tolerance = 2 if encoding in YUV_ENCODINGS else 0
    assert difference[away_from_edges(28, 20)].max() <= tolerance
    assert np.array_equal(decoded.bgr(), decoded.rgb()[..., ::-1])


@pytest.mark.parametrize('encoding', COLOR_ENCODINGS + GRAY_ENCODINGS)
def test_noise_of_any_size_is_decoded_exactly(encoding):
    random = np.random.default_rng(len(encoding))
    for seed in range(30):
        width, height, padding = map(int, random.integers((1, 1, 0), (70, 50, 20)))
        rgb = noise(width, height, seed)
        raw = encoded(rgb, encoding, padding=padding, bigendian=bool(seed % 2), seed=seed)
        expected = expected_rgb(rgb, encoding)
        assert np.array_equal(decode_raw(raw).rgb(), expected), (width, height, padding)


@pytest.mark.parametrize('encoding', YUV_ENCODINGS + BAYER_ENCODINGS)
def test_plain_color_of_any_size_is_decoded(encoding):
    random = np.random.default_rng(len(encoding))
    for seed in range(30):
        width, height, padding = map(int, random.integers((2, 2, 0), (35, 25, 20)))
        if encoding in YUV_ENCODINGS:
            width, height = 2 * width, 2 * height
        else:
            width, height = width + 1, height + 1  # odd sizes too
        rgb = np.full((height, width, 3), QUADRANTS[seed % 4], np.uint8)
        decoded = decode_raw(encoded(rgb, encoding, padding=padding, seed=seed))
        assert decoded.image.shape == rgb.shape
        difference = np.abs(decoded.image.astype(int) - rgb).max()
        tolerance = 2 if encoding in YUV_ENCODINGS else 0
        assert difference <= tolerance, (width, height, padding)


@pytest.mark.parametrize('wrap', (
    bytearray, memoryview, lambda data: array('B', data),
    lambda data: np.frombuffer(data, np.uint8)), ids=('bytearray', 'memoryview', 'array', 'numpy'))
@pytest.mark.parametrize('encoding', ALL_ENCODINGS)
def test_data_may_be_any_buffer(encoding, wrap):
    raw = encoded(quadrants(12, 8), encoding, padding=3)
    wrapped = raw._replace(data=wrap(raw.data))
    assert np.array_equal(decode_raw(wrapped).image, decode_raw(raw).image)


@pytest.mark.parametrize('padding', (0, 5))
@pytest.mark.parametrize('encoding', ('rgb8', 'bgr8', '8UC3'))
def test_three_channels_of_8_bits_are_not_copied(encoding, padding):
    raw = encoded(noise(40, 30), encoding, padding=padding)
    raw = raw._replace(data=bytearray(raw.data))
    decoded = decode_raw(raw)
    assert np.shares_memory(decoded.image, np.frombuffer(raw.data, np.uint8))
    same_order = decoded.bgr() if decoded.order == 'bgr' else decoded.rgb()
    assert np.shares_memory(decoded.image, same_order)
    raw.data[0] ^= 255
    assert decoded.image[0, 0, 0] == raw.data[0]


@pytest.mark.parametrize('padding', (0, 5))
@pytest.mark.parametrize('encoding', ('mono8', '8UC1'))
def test_mono8_is_a_view_on_the_data(encoding, padding):
    rgb = noise(40, 30)
    raw = encoded(rgb, encoding, padding=padding)
    plane = decode_mono8(raw)
    assert np.array_equal(plane, rgb[..., 0])
    assert np.shares_memory(plane, np.frombuffer(raw.data, np.uint8))


@pytest.mark.parametrize('encoding', ('mono16', '16UC1', 'rgb8', 'bayer_rggb8'))
def test_other_encodings_are_not_mono8(encoding):
    assert repr(encoding) in error_of(encoded(noise(6, 4), encoding), decode_mono8)


@pytest.mark.parametrize('encoding', ('mono16', '16UC1'))
def test_white_level_scales_16_bits_and_saturates(encoding):
    levels = np.array([[0, 16, 1000, 2048, 4095, 5000, 65535]], '<u2')
    raw = raw_image(levels.view(np.uint8), encoding, 7, 1)
    twelve_bit = decode_raw(raw, white_level=4095).image[0, :, 0]
    assert twelve_bit.tolist() == [0, 1, 62, 128, 255, 255, 255]
    dark = raw_image(levels[:, :3].copy().view(np.uint8), encoding, 3, 1)
    assert decode_raw(dark, white_level=4095).image[0, :, 0].tolist() == [0, 1, 62]
    assert decode_raw(dark).image[0, :, 0].tolist() == [0, 0, 4]


def test_white_level_scales_16_bit_bayer_patterns():
    pattern = np.full((6, 8), 4095, '<u2')
    raw = raw_image(pattern.view(np.uint8), 'bayer_grbg16', 8, 6)
    assert (decode_raw(raw, white_level=4095).image == 255).all()
    assert (decode_raw(raw).image == 16).all()


@pytest.mark.parametrize('bigendian', [False, True])
@pytest.mark.parametrize('encoding, dtype', [('16UC1', 'u2'), ('mono16', 'u2'), ('32FC1', 'f4')])
def test_depth_is_a_view_on_the_data(encoding, dtype, bigendian):
    padded = np.arange(15).reshape(3, 5).astype(f'{">" if bigendian else "<"}{dtype}')
    values = padded[:, :4]  # one pixel of padding per row
    raw = RawImage(encoding, 4, 3, padded.strides[0], bigendian, padded.tobytes())
    depth = decode_depth(raw)
    np.testing.assert_array_equal(depth, values)
    assert depth.dtype.kind == dtype[0] and not depth.flags.owndata


def test_other_encodings_are_not_depth():
    with pytest.raises(BadInput, match='publish 16UC1'):
        decode_depth(RawImage('rgb8', 2, 2, 6, False, bytes(12)))
    with pytest.raises(BadInput, match='truncated'):
        decode_depth(RawImage('32FC1', 2, 2, 8, False, bytes(12)))


def test_data_longer_than_the_rows_is_accepted():
    raw = encoded(quadrants(12, 8), 'nv12')
    longer = raw._replace(data=raw.data + b'page rounding')
    assert np.array_equal(decode_raw(longer).image, decode_raw(raw).image)


@pytest.mark.parametrize('encoding', ALL_ENCODINGS)
def test_truncated_data_is_rejected(encoding):
    for padding in (0, 4):
        raw = encoded(quadrants(12, 8), encoding, padding=padding)
        size = len(raw.data)
        text = error_of(raw._replace(data=raw.data[:-1]))
        assert encoding in text and str(size) in text and str(size - 1) in text
        assert 'data has 0 bytes' in error_of(raw._replace(data=b''))


@pytest.mark.parametrize('encoding', ALL_ENCODINGS)
def test_step_smaller_than_the_row_is_rejected(encoding):
    raw = encoded(quadrants(12, 8), encoding)
    for step in (raw.step - 1, 0):
        text = error_of(raw._replace(step=step))
        assert encoding in text
        assert f'step is {step} bytes but a row takes {raw.step}' in text


@pytest.mark.parametrize('width, height', ((0, 8), (12, 0), (0, 0)))
def test_empty_images_are_rejected(width, height):
    raw = encoded(quadrants(12, 8), 'bgr8')
    text = error_of(raw._replace(width=width, height=height))
    assert f'{width}x{height}: it has no pixels' in text


@pytest.mark.parametrize('width, height', (
    (MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (2**32 - 1, 2**32 - 1), (MAX_SIDE, MAX_SIDE)))
def test_absurd_sizes_are_rejected_before_the_data_is_read(width, height):
    text = error_of(RawImage('bgr8', width, height, 3 * width, False, b''))
    assert f'{width}x{height}' in text and str(MAX_SIDE) in text and str(MAX_PIXELS) in text


@pytest.mark.parametrize('encoding', YUV_ENCODINGS)
def test_sizes_that_cannot_share_chroma_are_rejected(encoding):
    sizes = [(11, 8), (11, 7)]
    if encoding.startswith('nv'):
        sizes.append((12, 7))
    for width, height in sizes:
        raw = encoded(quadrants(12, 8), encoding)
        text = error_of(raw._replace(width=width, height=height))
        assert f'{encoding} image {width}x{height}' in text and 'multiples' in text


@pytest.mark.parametrize('encoding', BAYER_ENCODINGS)
def test_bayer_patterns_too_small_for_color_are_rejected(encoding):
    for width, height in ((2, 8), (8, 2), (1, 1)):
        assert f'{width}x{height}' in error_of(encoded(quadrants(width, height), encoding))


@pytest.mark.parametrize('encoding', ('', 'BGR8', 'jpeg', '32FC1', '16SC1', 'nv24'))
def test_error_for_an_unknown_encoding_lists_the_supported_ones(encoding):
    text = error_of(RawImage(encoding, 4, 2, 16, False, bytes(32)))
    assert repr(encoding) in text and all(known in text for known in ALL_ENCODINGS)


@pytest.fixture
def smooth():
    """Return a smooth image, uint8 (60, 80, 3) BGR, which JPEG changes little."""
    coarse = np.random.default_rng(4).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC)


def compress(image, suffix):
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.mark.parametrize('suffix, tolerance', [('.png', 0), ('.jpg', 6)])
def test_compressed_images_are_decoded_to_bgr(smooth, suffix, tolerance):
    decoded = decode_compressed(compress(smooth, suffix), 'any')
    assert decoded.order == 'bgr' and decoded.image.dtype == np.uint8
    assert np.abs(decoded.image - smooth.astype(int)).mean() <= tolerance


def test_compressed_gray_images_have_three_channels(smooth):
    decoded = decode_compressed(compress(smooth[:, :, 0], '.png'), 'png')
    assert np.array_equal(decoded.image, np.repeat(smooth[:, :, :1], 3, 2))


def test_white_level_scales_16_bit_png():
    deep = np.full((4, 4, 3), 500, np.uint16)
    deep[0, 0] = 2000
    image = decode_compressed(compress(deep, '.png'), 'png', white_level=1000).image
    assert image.dtype == np.uint8 and image[0, 0, 0] == 255 and image[1, 1, 0] in (127, 128)


@pytest.mark.parametrize('orientation', [3, 6, 8])
def test_orientation_in_exif_is_ignored(smooth, orientation):
    jpeg = compress(smooth, '.jpg')
    turned = with_exif_orientation(jpeg, orientation)
    rotated = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    plain = decode_compressed(jpeg, 'jpeg').image
    assert rotated.shape != plain.shape or (rotated != plain).any()  # OpenCV's default
    assert np.array_equal(decode_compressed(turned, 'jpeg').image, plain)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('share', [0.0, 0.02, 0.5, 0.95])
def test_truncated_compressed_images_are_rejected(smooth, suffix, share):
    data = compress(smooth, suffix)
    with pytest.raises(BadInput, match='is truncated|cannot be decoded'):
        decode_compressed(data[:int(share * len(data))], suffix)


@pytest.mark.parametrize('data', [b'no image at all', bytes(range(256)) * 10,
                                  b'\xff\xd8\xff\xd9'])
def test_data_that_is_no_image_is_rejected(data):
    with pytest.raises(BadInput, match="'jpeg'.*cannot be decoded"):
        decode_compressed(data, 'jpeg')
