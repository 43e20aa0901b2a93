"""Conversions between sensor_msgs/CompressedImage and arrays."""

from array import array

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from enet_ros.images.encodings import DecodedImage, decode_compressed


def compressed_to_array(msg: CompressedImage, white_level: int = 65535) -> DecodedImage:
    """Decode a JPEG or PNG sensor_msgs/CompressedImage to BGR as `decode_compressed` does."""
    return decode_compressed(msg.data, msg.format, white_level)


def array_to_jpeg(image: NDArray[np.uint8], quality: int, header: Header) -> CompressedImage:
    """Return a sensor_msgs/CompressedImage of uint8 (H, W, 3) BGR, quality 1-100."""
    _, jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    data = array('B')
    data.frombytes(memoryview(jpeg.ravel()))
    return CompressedImage(header=header, format='bgr8; jpeg compressed bgr8', data=data)
