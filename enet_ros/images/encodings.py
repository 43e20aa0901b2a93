"""Decoding of camera images: the raw encodings of ROS, JPEG and PNG.

This is the only decoder; the nodes, recordings and the command line share it. Raw images are not
copied where their layout allows that.
"""

from array import array
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.images.image_header import check_size, stated_size

ImageBytes: TypeAlias = 'bytes | bytearray | memoryview | array[int] | NDArray[np.uint8]'
ChannelOrder: TypeAlias = Literal['rgb', 'bgr']


class RawImage(NamedTuple):
    """An uncompressed image as sensor_msgs/Image describes it.

    width and height are in pixels, step is the length of a row in bytes, padding included.
    """

    encoding: str
    width: int
    height: int
    step: int
    is_bigendian: bool
    data: ImageBytes


class DecodedImage(NamedTuple):
    """Pixels, uint8 (H, W, 3), and the order of their channels.

    `image` may share the memory of the data that it was decoded from: do not write to it.
    """

    image: NDArray[np.uint8]
    order: ChannelOrder

    def rgb(self) -> NDArray[np.uint8]:
        """Return the image in RGB order, as a copy only if it is in BGR order."""
        return self.image if self.order == 'rgb' else cv2.cvtColor(self.image, cv2.COLOR_BGR2RGB)

    def bgr(self) -> NDArray[np.uint8]:
        """Return the image in BGR order, as a copy only if it is in RGB order."""
        return self.image if self.order == 'bgr' else cv2.cvtColor(self.image, cv2.COLOR_RGB2BGR)


class _Layout(NamedTuple):
    """The memory layout of an encoding, and OpenCV's conversion code to RGB."""

    samples: int  # per pixel in a row
    to_rgb: int | None = None  # None: already three 8-bit channels
    order: ChannelOrder = 'rgb'
    bits: int = 8  # per sample
    multiple: tuple[int, int] = (1, 1)  # width and height must be multiples of these
    min_side: int = 1  # pixels
    planar: bool = False  # height / 2 rows of chroma follow the luma, with the same step


_BGR = _Layout(3, order='bgr')
_MONO8 = _Layout(1, cv2.COLOR_GRAY2RGB)
_MONO16 = _MONO8._replace(bits=16)
_DEPTH = {'16UC1': _MONO16, 'mono16': _MONO16, '32FC1': _Layout(1, bits=32)}
_UYVY = _Layout(2, cv2.COLOR_YUV2RGB_UYVY, multiple=(2, 1))
_YUYV = _Layout(2, cv2.COLOR_YUV2RGB_YUY2, multiple=(2, 1))
_NV12 = _Layout(1, cv2.COLOR_YUV2RGB_NV12, multiple=(2, 2), planar=True)

# ROS names a Bayer pattern by its 2x2 pixels at the top left, OpenCV by those one further down
# and to the right. OpenCV returns black for patterns of fewer than 3 pixels per side.
_BAYER = {
    f'bayer_{pattern}{bits}': _Layout(1, code, bits=bits, min_side=3)
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

# The start and end markers of JPEG and PNG. OpenCV fills missing parts of an image with gray.
_END_MARKERS = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND'}
# Keep the camera's pixels as they are: camera_info does not follow a rotation in EXIF.
_IMREAD_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


def decode_raw(raw: RawImage, white_level: int = 65535) -> DecodedImage:
    """Decode an uncompressed image of one of ENCODINGS.

    rgb8, bgr8 and 8UC3 images become views on the data, without its row padding; others are
    converted to RGB. In 16-bit encodings, `white_level` is the value that becomes 255; larger
    values saturate. Raise BadInput if the encoding is unknown, or if size, step and data do not
    fit together.
    """
    check_size(raw.width, raw.height)
    layout = _LAYOUTS.get(raw.encoding)
    if layout is None:
        raise BadInput(f'image encoding {raw.encoding!r} is not supported; use one of '
                       f'{", ".join(ENCODINGS)}')
    pixels = _pixels(raw, layout)
    if layout.bits == 16:
        pixels = _to_8_bits(np.require(pixels, np.uint16, ['C', 'A']), white_level)
    if layout.to_rgb is not None:
        pixels = cv2.cvtColor(pixels, layout.to_rgb)
    return DecodedImage(pixels, layout.order)


def decode_mono8(raw: RawImage) -> NDArray[np.uint8]:
    """Return a mono8 image as a view on its data, uint8 (H, W).

    Raise BadInput for another encoding, or if size, step and data do not fit together.
    """
    check_size(raw.width, raw.height)
    if raw.encoding not in ('mono8', '8UC1'):
        raise BadInput(f'image encoding {raw.encoding!r} does not have one byte per pixel; '
                       'publish mono8')
    return _pixels(raw, _MONO8)[..., 0]


def decode_depth(raw: RawImage) -> NDArray[np.uint16] | NDArray[np.float32]:
    """Return a depth image as a view on its data, (H, W).

    16UC1 and mono16 are uint16 in millimeters, 32FC1 is float32 in meters (REP-118). Raise
    BadInput for another encoding, or if size, step and data do not fit together.
    """
    check_size(raw.width, raw.height)
    if raw.encoding not in _DEPTH:
        raise BadInput(f'depth encoding {raw.encoding!r} is not supported; publish 16UC1 '
                       '(millimeters) or 32FC1 (meters)')
    pixels = _pixels(raw, _DEPTH[raw.encoding])[..., 0]
    byte_order = pixels.dtype.str[0]
    return pixels.view(byte_order + ('f4' if raw.encoding == '32FC1' else 'u2'))


def decode_compressed(data: ImageBytes, image_format: str,
                      white_level: int = 65535) -> DecodedImage:
    """Decode a JPEG or PNG image to BGR; an orientation in EXIF is ignored.

    image_format is named in errors only. In 16-bit PNG images, `white_level` is the value that
    becomes 255; larger values saturate. Raise BadInput if the data is truncated or not an image.
    """
    encoded = np.frombuffer(data, np.uint8)
    content = encoded.tobytes()
    name = f'compressed image of format {image_format!r} with {encoded.size} bytes'
    end = _END_MARKERS.get(content[:2])
    if end and content.rfind(end) < 0:
        raise BadInput(f'{name} is truncated; check the camera driver')
    size = stated_size(content) if end else None
    if size:
        check_size(*size)
    try:
        image = cv2.imdecode(encoded, _IMREAD_FLAGS) if size else None
    except cv2.error:
        image = None
    if image is None:
        raise BadInput(f'{name} cannot be decoded; publish complete JPEG or PNG images, or use '
                       'the topic of raw images')
    if image.dtype != np.uint8:
        image = _to_8_bits(image, white_level)
    return DecodedImage(image, 'bgr')


def _pixels(raw: RawImage, layout: _Layout) -> NDArray[np.uint8]:
    """Return a view on the data, (rows, W, samples) of unsigned integers; raise BadInput.

    Size, step and data must fit together. For planar layouts, the rows of chroma follow those of
    luma.
    """
    width, height = raw.width, raw.height
    name = f'{raw.encoding} image {width}x{height}'
    across, down = layout.multiple
    if width % across or height % down:
        raise BadInput(f'{name}: {across}x{down} pixels share their chroma, so width and height '
                       f'must be multiples of {across} and {down}; set another size in the '
                       'camera driver')
    if min(width, height) < layout.min_side:
        raise BadInput(f'{name}: a Bayer pattern needs at least {layout.min_side} pixels per '
                       'side; set another size in the camera driver')
    sample_bytes = layout.bits // 8
    row_bytes = width * layout.samples * sample_bytes
    if raw.step < row_bytes:
        raise BadInput(f'{name}: step is {raw.step} bytes but a row takes {row_bytes}; '
                       'correct step in the camera driver')
    rows = height * 3 // 2 if layout.planar else height
    size = len(raw.data)
    if size < rows * raw.step:
        raise BadInput(f'{name}: data has {size} bytes but {rows} rows of step {raw.step} take '
                       f'{rows * raw.step}; the message is truncated or its step is wrong')
    dtype = np.dtype(f'{">" if raw.is_bigendian else "<"}u{sample_bytes}')
    return np.ndarray((rows, width, layout.samples), dtype, raw.data,
                      strides=(raw.step, layout.samples * sample_bytes, sample_bytes))


def _to_8_bits(pixels: NDArray[np.uint16], white_level: int) -> NDArray[np.uint8]:
    return cv2.convertScaleAbs(pixels, alpha=255 / white_level)
