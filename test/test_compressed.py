import cv2
import numpy as np
import pytest

pytest.importorskip('sensor_msgs.msg', reason='needs ROS 2')

from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.ros.convert import array_to_jpeg, compressed_to_array


def test_messages_are_decoded_with_the_white_level():
    deep = np.full((4, 4, 3), 500, np.uint16)
    msg = CompressedImage(format='png', data=cv2.imencode('.png', deep)[1].tobytes())
    decoded = compressed_to_array(msg, white_level=1000)
    assert decoded.order == 'bgr' and decoded.image.shape == (4, 4, 3)
    assert decoded.image[0, 0, 0] in (127, 128)


@pytest.mark.parametrize('data', [b'', b'no image', b'\xff\xd8 truncated'])
def test_error_names_the_format_of_the_message(data):
    with pytest.raises(BadInput, match="format 'bgr8; jpeg compressed bgr8'"):
        compressed_to_array(CompressedImage(format='bgr8; jpeg compressed bgr8', data=data))


def test_array_to_jpeg():
    coarse = np.random.default_rng(4).integers(0, 256, (6, 8, 3), np.uint8)
    smooth = cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC)  # JPEG changes it little
    header = Header(frame_id='front')
    sizes = []
    for quality in (10, 95):
        msg = array_to_jpeg(smooth, quality, header)
        assert msg.format == 'bgr8; jpeg compressed bgr8' and msg.header == header
        sizes.append(len(msg.data))
    assert sizes[0] < sizes[1]
    assert np.abs(compressed_to_array(msg).image - smooth.astype(int)).mean() < 6
