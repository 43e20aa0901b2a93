"""Compressed images, decoded and encoded."""

import cv2
import numpy as np
import pytest

pytest.importorskip('sensor_msgs.msg', reason='needs ROS 2')

from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.ros.compressed import array_to_jpeg, compressed_to_array

RNG = np.random.default_rng(4)


def message(pixels, form):
    data = cv2.imencode(f'.{form}', pixels)[1].tobytes()
    return CompressedImage(format=f'bgr8; {form} compressed bgr8', data=data)


@pytest.fixture
def picture():
    """Return something smooth, uint8 (60, 80, 3) BGR, which JPEG keeps nearly."""
    coarse = RNG.integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize('form, tolerance', [('png', 0), ('jpeg', 6)])
def test_decoding(picture, form, tolerance):
    frame = compressed_to_array(message(picture, form))
    assert frame.order == 'bgr' and frame.image.dtype == np.uint8
    assert np.abs(frame.image - picture.astype(int)).mean() <= tolerance


def test_grey_images_have_three_channels(picture):
    frame = compressed_to_array(message(picture[:, :, 0], 'png'))
    assert np.array_equal(frame.image, np.repeat(picture[:, :, :1], 3, 2))


def test_sixteen_bits():
    deep = np.full((4, 4, 3), 500, np.uint16)
    deep[0, 0] = 2000
    image = compressed_to_array(message(deep, 'png'), white_level=1000).image
    assert image.dtype == np.uint8 and image[0, 0, 0] == 255 and image[1, 1, 0] in (127, 128)


@pytest.mark.parametrize('form', ['jpeg', 'png'])
@pytest.mark.parametrize('part', [0.0, 0.02, 0.5, 0.95])
def test_what_is_cut_short_is_refused(picture, form, part):
    whole = message(picture, form)
    data = bytes(whole.data)
    whole.data = data[:int(part * len(data))]
    with pytest.raises(BadInput, match='cut short|cannot be decoded'):
        compressed_to_array(whole)


@pytest.mark.parametrize('data', [b'no image at all', bytes(range(256)) * 10,
                                  b'\xff\xd8\xff\xd9'])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(BadInput, match='cannot be decoded'):
        compressed_to_array(CompressedImage(format='jpeg', data=data))


def test_jpeg(picture):
    header = Header(frame_id='front')
    sizes = []
    for quality in (10, 95):
        answer = array_to_jpeg(picture, quality, header)
        assert answer.format == 'bgr8; jpeg compressed bgr8' and answer.header == header
        sizes.append(len(answer.data))
    assert sizes[0] < sizes[1]
    assert np.abs(compressed_to_array(answer).image - picture.astype(int)).mean() < 6
