"""Conversions between ROS messages and arrays, without a copy wherever the layout allows it."""

import os
from array import array
from copy import deepcopy

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.images.encodings import (
    ENCODINGS,
    DecodedImage,
    RawImage,
    check_size,
    decode_mono8,
    decode_raw,
)
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


# The shape of one pixel in the encodings that are published.
_PIXEL_SHAPES = {'mono8': (), 'bgr8': (3,), 'rgb8': (3,)}


def array_to_image(image, encoding, header):
    """Return a sensor_msgs/Image of `image`, rows tightly packed, under `header` as it is.

    uint8 (H, W) as mono8, or (H, W, 3) as bgr8 or rgb8; need not be contiguous. Raise BadInput
    for anything else.
    """
    if encoding not in _PIXEL_SHAPES:
        raise BadInput(f'cannot make an image of encoding {encoding!r}; '
                       f'use one of {", ".join(_PIXEL_SHAPES)}')
    pixel = _PIXEL_SHAPES[encoding]
    fits = image.ndim == 2 + len(pixel) and image.shape[2:] == pixel and image.size
    if image.dtype != np.uint8 or not fits:
        raise BadInput(f'cannot make a {encoding} image of {image.dtype} {image.shape}; '
                       f'give it uint8 (H, W{", 3" if pixel else ""})')
    height, width = image.shape[:2]
    # The one fast way in: rclpy walks through bytes and arrays element by element.
    data = array('B')
    data.frombytes(memoryview(np.ascontiguousarray(image)))
    return Image(header=header, height=height, width=width, encoding=encoding, is_bigendian=0,
                 step=len(data) // height, data=data)


def seen_size(msg):
    """Return (width, height) of the part of its frame that a CameraInfo's images show.

    In pixels of the sensor, before binning. Raise BadInput where a size is zero or the region of
    interest does not lie in the frame.
    """
    roi = msg.roi
    width, height = roi.width or msg.width, roi.height or msg.height
    if not (msg.width and msg.height):
        raise BadInput(f'camera_info is of {msg.width}x{msg.height} pixels: a size is zero; set '
                       'it in the camera driver')
    if roi.x_offset + width > msg.width or roi.y_offset + height > msg.height:
        raise BadInput(f'camera_info: its roi {width}x{height} at ({roi.x_offset}, '
                       f'{roi.y_offset}) leaves the {msg.width}x{msg.height} frame; correct it '
                       'in the camera driver, all zeros mean the whole frame')
    return width, height


def scale_camera_info(msg, width, height):
    """Return the sensor_msgs/CameraInfo of the same camera's image resized to width x height.

    K and P then count the resized image's pixels; header, D and R stay. A region of interest is
    the image that was resized: its offset goes into the principal point, and neither offset nor
    binning is left in the result. An uncalibrated camera stays one. Raise BadInput where a size
    is zero or the region does not lie in the camera's frame.
    """
    if width <= 0 or height <= 0:
        raise BadInput(f'cannot scale camera_info to {width}x{height}: a size is zero; ask for a '
                       'larger one')
    roi, (seen_width, seen_height) = msg.roi, seen_size(msg)
    sx, sy = width / seen_width, height / seen_height
    to_resized = np.array([[sx, 0, -sx * roi.x_offset], [0, sy, -sy * roi.y_offset], [0, 0, 1]])

    scaled = deepcopy(msg)
    scaled.width, scaled.height = width, height
    scaled.k = (to_resized @ np.reshape(msg.k, (3, 3))).ravel()
    scaled.p = (to_resized @ np.reshape(msg.p, (3, 4))).ravel()
    # More than one sensor pixel in one of the image's: the ratio above holds that already.
    scaled.binning_x, scaled.binning_y = min(msg.binning_x, 1), min(msg.binning_y, 1)
    scaled.roi.x_offset = scaled.roi.y_offset = 0
    if roi.width or roi.height:
        scaled.roi.width, scaled.roi.height = width, height
    return scaled


def camera_info_from_pinhole(camera: PinholeCamera, header: Header) -> CameraInfo:
    """Return the sensor_msgs/CameraInfo of a camera without distortion."""
    k = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]], float)
    return CameraInfo(header=header, width=camera.width, height=camera.height,
                      distortion_model='plumb_bob', d=[0.0] * 5, k=k.ravel(),
                      r=np.eye(3).ravel(), p=np.c_[k, np.zeros(3)].ravel())
