"""Conversions between image messages and arrays, and of CameraInfo.

Pixels are not copied where their layout allows that.
"""

import os
import sys
from array import array
from copy import deepcopy

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.images.encodings import (
    ENCODINGS,
    DecodedImage,
    RawImage,
    decode_compressed,
    decode_depth,
    decode_mono8,
    decode_raw,
)
from enet_ros.images.image_header import check_size
from enet_ros.ros.messages import calibration
from enet_ros.synthetic.pinhole_camera import PinholeCamera


def image_to_array(msg: Image, white_level: int = 65535) -> DecodedImage:
    """Decode a sensor_msgs/Image as `decode_raw` does; cv_bridge converts other encodings to RGB.

    Raise BadInput if size, step and data do not fit together or nothing can convert the encoding.
    """
    if msg.encoding not in ENCODINGS:
        check_size(msg.width, msg.height)
        return DecodedImage(_through_cv_bridge(msg), 'rgb')
    return decode_raw(_raw_image(msg), white_level)


def image_to_plane(msg: Image) -> NDArray[np.uint8]:
    """Return a mono8 sensor_msgs/Image as a view on its memory, uint8 (H, W).

    Raise BadInput for another encoding, or if size, step and data do not fit together.
    """
    return decode_mono8(_raw_image(msg))


def image_to_depth(msg: Image) -> NDArray[np.uint16] | NDArray[np.float32]:
    """Return a depth image as a view on its memory, as `decode_depth` does."""
    return decode_depth(_raw_image(msg))


def compressed_to_array(msg: CompressedImage, white_level: int = 65535) -> DecodedImage:
    """Decode a JPEG or PNG sensor_msgs/CompressedImage to BGR as `decode_compressed` does."""
    return decode_compressed(msg.data, msg.format, white_level)


def _raw_image(msg: Image) -> RawImage:
    return RawImage(msg.encoding, msg.width, msg.height, msg.step, bool(msg.is_bigendian),
                    msg.data)


def _through_cv_bridge(msg: Image) -> NDArray[np.uint8]:
    """Return the image as cv_bridge converts it to rgb8, uint8 (H, W, 3)."""
    name, known = f'image encoding {msg.encoding!r}', ', '.join(ENCODINGS)
    try:
        from cv_bridge import CvBridge

        bridge = CvBridge()
        dtype, channels = bridge.encoding_to_dtype_with_channels(msg.encoding)
        pixel = np.dtype(dtype).itemsize * channels
        # cv_bridge would skew the image without an error.
        if msg.step < msg.width * pixel or msg.step % pixel:
            raise ValueError(f'step is {msg.step} bytes, not {msg.width} or more pixels '
                             f'of {pixel} bytes')
        return bridge.imgmsg_to_cv2(msg, 'rgb8')
    except ModuleNotFoundError as error:
        distro = os.environ.get('ROS_DISTRO', '<distro>')
        raise BadInput(f'{name} is not supported; publish one of {known}, or install '
                       f'ros-{distro}-cv-bridge to convert others') from error
    except Exception as error:  # cv_bridge's compiled part raises many types of exceptions
        raise BadInput(f'{name}: cv_bridge cannot convert it to rgb8 '
                       f'({" ".join(str(error).split())}); publish one of {known}') from error


# The type and the shape of one pixel in the encodings that are published.
_PIXELS: dict[str, tuple[type[np.number], tuple[int, ...]]] = {
    'mono8': (np.uint8, ()), '16SC1': (np.int16, ()), '16UC1': (np.uint16, ()),
    '32FC1': (np.float32, ()), 'bgr8': (np.uint8, (3,)), 'rgb8': (np.uint8, (3,))}


def array_to_image(image: NDArray[np.number], encoding: str, header: Header) -> Image:
    """Return a sensor_msgs/Image with a header; rows are tightly packed.

    image: uint8 (H, W) for mono8, or (H, W, 3) for bgr8 and rgb8; int16 (H, W) for 16SC1, uint16
    for 16UC1, float32 for 32FC1. It need not be contiguous. Raise BadInput for anything else.
    """
    if encoding not in _PIXELS:
        raise BadInput(f'cannot make an image of encoding {encoding!r}; '
                       f'use one of {", ".join(_PIXELS)}')
    dtype, pixel = _PIXELS[encoding]
    fits = image.ndim == 2 + len(pixel) and image.shape[2:] == pixel and image.size
    if image.dtype != dtype or not fits:
        raise BadInput(f'cannot make a {encoding} image of {image.dtype} {image.shape}; '
                       f'it must be {np.dtype(dtype).name} (H, W{", 3" if pixel else ""})')
    height, width = image.shape[:2]
    # rclpy checks bytes and lists element by element, but copies no array.array.
    data = array('B')
    data.frombytes(np.ascontiguousarray(image).data.cast('B'))
    return Image(header=header, height=height, width=width, encoding=encoding,
                 is_bigendian=int(sys.byteorder == 'big'), step=len(data) // height, data=data)


def array_to_jpeg(image: NDArray[np.uint8], quality: int, header: Header) -> CompressedImage:
    """Return a sensor_msgs/CompressedImage of uint8 (H, W, 3) BGR, quality 1-100."""
    _, jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    data = array('B')
    data.frombytes(jpeg.data)
    return CompressedImage(header=header, format='bgr8; jpeg compressed bgr8', data=data)


def scale_camera_info(msg: CameraInfo, width: int, height: int) -> CameraInfo:
    """Return the CameraInfo of the same camera's image resized to width x height pixels.

    K and P are scaled; header, D and R stay. The result has no binning, and the offset of a
    region of interest moves into the principal point. An uncalibrated camera stays uncalibrated.
    Raise BadInput if a size is zero or the region leaves the sensor.
    """
    if width <= 0 or height <= 0:
        raise BadInput(f'cannot scale camera_info to {width}x{height}: a size is zero; choose a '
                       'larger one')
    x, y, region_width, region_height = calibration(msg).region()
    sx, sy = width / region_width, height / region_height
    to_resized = np.array([[sx, 0, -sx * x], [0, sy, -sy * y], [0, 0, 1]])

    scaled = deepcopy(msg)
    scaled.width, scaled.height = width, height
    scaled.k = (to_resized @ np.reshape(msg.k, (3, 3))).ravel()
    scaled.p = (to_resized @ np.reshape(msg.p, (3, 4))).ravel()
    # sx and sy include the binning.
    scaled.binning_x, scaled.binning_y = min(msg.binning_x, 1), min(msg.binning_y, 1)
    scaled.roi.x_offset = scaled.roi.y_offset = 0
    if msg.roi.width or msg.roi.height:
        scaled.roi.width, scaled.roi.height = width, height
    return scaled


def camera_info_from_pinhole(camera: PinholeCamera, header: Header) -> CameraInfo:
    """Return the sensor_msgs/CameraInfo of a camera without distortion."""
    k = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]], float)
    return CameraInfo(header=header, width=camera.width, height=camera.height,
                      distortion_model='plumb_bob', d=[0.0] * 5, k=k.ravel(),
                      r=np.eye(3).ravel(), p=np.c_[k, np.zeros(3)].ravel())
