"""Compressed images: sensor_msgs/CompressedImage to arrays and back."""

from array import array

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from enet_ros.errors import BadInput
from enet_ros.ros.convert import Frame

# How whole files begin and end. OpenCV fills up what is missing with grey.
ENDS = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND'}
# The camera's pixels as they are: a rotation in EXIF would not be in its camera_info.
AS_IT_IS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


def compressed_to_array(msg, white_level=65535):
    """Return a JPEG or PNG sensor_msgs/CompressedImage as a Frame in BGR.

    In 16-bit PNG files `white_level` is the value that becomes 255; larger ones saturate. Raise
    BadInput where the data is cut short or no such image.
    """
    data = np.frombuffer(msg.data, np.uint8)
    what = f'compressed image of format {msg.format!r} with {data.size} bytes'
    end = ENDS.get(data[:2].tobytes())
    if end and data.tobytes().rfind(end) < 0:
        raise BadInput(f'{what} is cut short; check the camera driver')
    try:
        image = cv2.imdecode(data, AS_IT_IS) if data.size else None
    except cv2.error:
        image = None
    if image is None:
        raise BadInput(f'{what} cannot be decoded; publish whole JPEG or PNG images, or set '
                       'input.transport to raw')
    if image.dtype != np.uint8:
        image = cv2.convertScaleAbs(image, alpha=255 / white_level)
    return Frame(image, 'bgr')


def array_to_jpeg(image, quality, header):
    """Return a sensor_msgs/CompressedImage of uint8 (H, W, 3) BGR, quality 1-100."""
    _, jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    data = array('B')
    data.frombytes(memoryview(jpeg.ravel()))
    return CompressedImage(header=header, format='bgr8; jpeg compressed bgr8', data=data)
