"""Conversions between ROS messages and arrays, without a copy wherever the layout allows it."""

import os
from array import array
from copy import deepcopy
from typing import NamedTuple

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from enet_ros.errors import BadInput

MAX_SIDE = 16384  # pixels
MAX_PIXELS = 100_000_000


class Frame(NamedTuple):
    """A camera's picture, uint8 (H, W, 3), and the order of its channels: 'rgb' or 'bgr'.

    `image` may lie in the message's own memory: read it, do not write to it.
    """

    image: np.ndarray
    order: str

    def rgb(self):
        """Return the picture in RGB; a copy only where it is not RGB already."""
        return self.image if self.order == 'rgb' else cv2.cvtColor(self.image, cv2.COLOR_BGR2RGB)

    def bgr(self):
        """Return the picture in BGR; a copy only where it is not BGR already."""
        return self.image if self.order == 'bgr' else cv2.cvtColor(self.image, cv2.COLOR_RGB2BGR)


class _Layout(NamedTuple):
    """How an encoding lies in memory, and OpenCV's code that turns it into RGB."""

    samples: int  # per pixel in a row
    to_rgb: int | None = None  # None: three 8-bit channels already
    order: str = 'rgb'
    bits: int = 8  # per sample
    multiple: tuple = (1, 1)  # of which width and height must be
    smallest: int = 1  # side
    planar: bool = False  # height / 2 more rows of chroma below the luma, with the same step


_BGR = _Layout(3, order='bgr')
_MONO8 = _Layout(1, cv2.COLOR_GRAY2RGB)
_MONO16 = _MONO8._replace(bits=16)
_UYVY = _Layout(2, cv2.COLOR_YUV2RGB_UYVY, multiple=(2, 1))
_YUYV = _Layout(2, cv2.COLOR_YUV2RGB_YUY2, multiple=(2, 1))
_NV12 = _Layout(1, cv2.COLOR_YUV2RGB_NV12, multiple=(2, 2), planar=True)

# ROS names the top left 2x2 pixels, OpenCV those one further down and to the right.
# OpenCV turns mosaics of fewer than 3 pixels a side into black.
_BAYER = {
    f'bayer_{pattern}{bits}': _Layout(1, code, bits=bits, smallest=3)
    for bits in (8, 16)
    for pattern, code in (('rggb', cv2.COLOR_BayerBG2RGB), ('bggr', cv2.COLOR_BayerRG2RGB),
                          ('gbrg', cv2.COLOR_BayerGR2RGB), ('grbg', cv2.COLOR_BayerGB2RGB))
}

_LAYOUTS = {
    'rgb8': _Layout(3),
    'bgr8': _BGR,
    '8UC3': _BGR,
    'rgba8': _Layout(4, cv2.COLOR_RGBA2RGB),
    'bgra8': _Layout(4, cv2.COLOR_BGRA2RGB),
    'mono8': _MONO8,
    '8UC1': _MONO8,
    'mono16': _MONO16,
    '16UC1': _MONO16,
    'yuv422': _UYVY,
    'uyvy': _UYVY,
    'yuv422_yuy2': _YUYV,
    'yuyv': _YUYV,
    'nv12': _NV12,
    'nv21': _NV12._replace(to_rgb=cv2.COLOR_YUV2RGB_NV21),
    **_BAYER,
}

ENCODINGS = tuple(_LAYOUTS)


def image_to_array(msg, white_level=65535):
    """Return a sensor_msgs/Image as a Frame.

    rgb8, bgr8 and 8UC3 are views on the message's memory, padded rows included; all else is
    converted to RGB. In 16-bit encodings `white_level` is the value that becomes 255; larger ones
    saturate. An encoding not among ENCODINGS goes through cv_bridge. Raise BadInput where size,
    step and data do not fit together or nothing can convert the encoding.
    """
    _check_size(msg)
    layout = _LAYOUTS.get(msg.encoding)
    if layout is None:
        return Frame(_through_cv_bridge(msg), 'rgb')
    pixels = _pixels(msg, layout)
    if layout.bits == 16:
        pixels = cv2.convertScaleAbs(np.require(pixels, np.uint16, 'CA'),
                                     alpha=255 / white_level)
    if layout.to_rgb is not None:
        pixels = cv2.cvtColor(pixels, layout.to_rgb)
    return Frame(pixels, layout.order)


def image_to_plane(msg):
    """Return a mono8 sensor_msgs/Image as uint8 (H, W), a view on its memory.

    Raise BadInput for another encoding, or where size, step and data do not fit together.
    """
    _check_size(msg)
    if msg.encoding not in ('mono8', '8UC1'):
        raise BadInput(f'image encoding {msg.encoding!r} has no single bytes for pixels; publish '
                       'mono8')
    return _pixels(msg, _MONO8)[..., 0]


def _check_size(msg):
    width, height = msg.width, msg.height
    if width == 0 or height == 0:
        raise BadInput(f'image is {width}x{height}: it has no pixels; check the camera driver')
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadInput(f'image is {width}x{height}: more than {MAX_SIDE} pixels a side or '
                       f'{MAX_PIXELS} in all; check the camera driver')


def _pixels(msg, layout):
    """Return a view on msg.data, (rows, W, samples); raise BadInput where it does not fit."""
    width, height, what = msg.width, msg.height, f'{msg.encoding} image {msg.width}x{msg.height}'
    across, down = layout.multiple
    if width % across or height % down:
        raise BadInput(f'{what}: colour is shared by {across}x{down} pixels, so the size must be '
                       'a multiple of that; set another size in the camera driver')
    if min(width, height) < layout.smallest:
        raise BadInput(f'{what}: colour cannot be told from fewer than {layout.smallest} pixels '
                       'a side; set another size in the camera driver')
    sample = layout.bits // 8
    row = width * layout.samples * sample
    if msg.step < row:
        raise BadInput(f'{what}: step is {msg.step} bytes but a row takes {row}; '
                       'correct step in the camera driver')
    rows = height * 3 // 2 if layout.planar else height
    size = memoryview(msg.data).nbytes
    if size < rows * msg.step:
        raise BadInput(f'{what}: data has {size} bytes but {rows} rows of step {msg.step} take '
                       f'{rows * msg.step}; the message is cut short or its step is wrong')
    dtype = f'{">" if msg.is_bigendian else "<"}u{sample}'
    return np.ndarray((rows, width, layout.samples), dtype, msg.data,
                      strides=(msg.step, layout.samples * sample, sample))


def _through_cv_bridge(msg):
    """Return the picture as cv_bridge converts it, uint8 (H, W, 3) RGB."""
    what, known = f'image encoding {msg.encoding!r}', ', '.join(ENCODINGS)
    try:
        from cv_bridge import CvBridge

        bridge = CvBridge()
        dtype, channels = bridge.encoding_to_dtype_with_channels(msg.encoding)
        pixel = np.dtype(dtype).itemsize * channels
        if msg.step < msg.width * pixel or msg.step % pixel:  # it would skew the picture silently
            raise ValueError(f'step is {msg.step} bytes, not {msg.width} or more pixels '
                             f'of {pixel} bytes')
        return bridge.imgmsg_to_cv2(msg, 'rgb8')
    except ModuleNotFoundError as error:
        distro = os.environ.get('ROS_DISTRO', '<distro>')
        raise BadInput(f'{what} is not supported; publish one of {known}, or install '
                       f'ros-{distro}-cv-bridge to try others') from error
    except Exception as error:  # its compiled part raises many kinds; a bad frame ends nothing
        raise BadInput(f'{what}: cv_bridge cannot convert it to rgb8 '
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


def camera_info_from_pinhole(camera, header):
    """Return the sensor_msgs/CameraInfo of an enet_ros.synthetic.PinholeCamera: no distortion."""
    k = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]], float)
    return CameraInfo(header=header, width=camera.width, height=camera.height,
                      distortion_model='plumb_bob', d=[0.0] * 5, k=k.ravel(),
                      r=np.eye(3).ravel(), p=np.c_[k, np.zeros(3)].ravel())
