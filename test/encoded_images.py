"""Images encoded as cameras send them."""

import numpy as np

from enet_ros.images.encodings import RawImage

YUV_ENCODINGS = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', 'nv12', 'nv21')
BAYER_ENCODINGS = tuple(f'bayer_{pattern}{bits}' for bits in (8, 16)
                        for pattern in ('rggb', 'bggr', 'gbrg', 'grbg'))
GRAY_ENCODINGS = ('mono8', '8UC1', 'mono16', '16UC1')
COLOR_ENCODINGS = ('rgb8', 'bgr8', '8UC3', 'rgba8', 'bgra8')
ALL_ENCODINGS = COLOR_ENCODINGS + GRAY_ENCODINGS + YUV_ENCODINGS + BAYER_ENCODINGS

# Colors whose channels differ much, so that swapped channels or chroma are detected.
QUADRANTS = ((200, 40, 30), (20, 190, 60), (40, 60, 210), (220, 200, 20))


def quadrants(width, height):
    """Return an image of four plain colors, uint8 (H, W, 3) RGB, divided at even pixels."""
    image = np.empty((height, width, 3), np.uint8)
    right, below = width // 4 * 2, height // 4 * 2
    image[:below, :right], image[:below, right:] = QUADRANTS[:2]
    image[below:, :right], image[below:, right:] = QUADRANTS[2:]
    return image


def away_from_edges(width, height, margin=2):
    """Return which pixels of `quadrants` have no other color within `margin` pixels."""
    def far(size):
        edge, position = size // 4 * 2, np.arange(size)
        return (position < edge - margin) | (position >= edge + margin)
    return far(height)[:, None] & far(width)[None, :]


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def expected_rgb(rgb, encoding):
    """Return what remains of an RGB image in an encoding: gray encodings hold its red channel."""
    return rgb[..., :1].repeat(3, -1) if encoding in GRAY_ENCODINGS else rgb


def encode(rgb, encoding, bigendian=False):
    """Return the rows of an RGB image in a ROS encoding, uint8 (rows, bytes)."""
    height, width = rgb.shape[:2]
    if encoding in YUV_ENCODINGS:
        y, u, v = _to_yuv(rgb)
        if encoding.startswith('nv'):
            pair = (u, v) if encoding == 'nv12' else (v, u)
            chroma = np.stack([plane[::2, ::2] for plane in pair], -1)  # (H / 2, W / 2, 2)
            return np.concatenate([y, chroma.reshape(height // 2, width)])
        luma_first = encoding in ('yuv422_yuy2', 'yuyv')
        rows = np.empty((height, 2 * width), np.uint8)
        rows[:, (0 if luma_first else 1)::2] = y
        rows[:, (1 if luma_first else 0)::4] = u[:, ::2]
        rows[:, (3 if luma_first else 2)::4] = v[:, ::2]
        return rows
    if encoding.startswith('bayer'):
        samples = np.empty((height, width), np.uint8)
        for i, channel in enumerate(encoding[len('bayer_'):][:4]):
            corner = slice(i // 2, None, 2), slice(i % 2, None, 2)
            samples[corner] = rgb[(*corner, 'rgb'.index(channel))]
    elif encoding in GRAY_ENCODINGS:
        samples = rgb[..., 0]
    else:
        samples = rgb if encoding.startswith('rgb') else rgb[..., ::-1]
        if encoding.endswith('a8'):
            alpha = np.full((height, width, 1), 77, np.uint8)
            samples = np.concatenate([samples, alpha], -1)
    if '16' in encoding:
        # Not the exact multiple of 257, whose two bytes are equal and would hide their order.
        samples = samples * np.uint16(257) + np.where(samples < 128, 90, -90)
        samples = samples.astype('>u2' if bigendian else '<u2')
    return np.ascontiguousarray(samples).view(np.uint8).reshape(height, -1)


def raw_image(rows, encoding, width, height, padding=0, bigendian=False, seed=0):
    """Return a RawImage of encoded rows, each followed by `padding` bytes of noise."""
    random = np.random.default_rng(seed).integers(0, 256, (len(rows), padding), np.uint8)
    data = np.concatenate([rows, random], 1)
    return RawImage(encoding, width, height, data.shape[1], bigendian, data.tobytes())


def encoded(rgb, encoding, **options):
    """Return a RawImage of an RGB image in a ROS encoding; options as of `raw_image`."""
    rows = encode(rgb, encoding, options.get('bigendian', False))
    return raw_image(rows, encoding, rgb.shape[1], rgb.shape[0], **options)


def with_exif_orientation(jpeg, orientation):
    """Return a JPEG image, bytes, with an orientation (1-8) in EXIF."""
    entry = b'\x01\x12\x00\x03' + bytes([0, 0, 0, 1, 0, orientation, 0, 0])
    tiff = b'MM\x00*' + bytes([0, 0, 0, 8, 0, 1]) + entry + bytes(4)
    exif = b'Exif\x00\x00' + tiff
    return jpeg[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + jpeg[2:]


def _to_yuv(rgb):
    """Return BT.601 studio-range Y, U and V as cameras send them, uint8 (H, W) each."""
    r, g, b = np.moveaxis(rgb.astype(float) / 255, -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    planes = 16 + 219 * y, 128 + 224 * (b - y) / 1.772, 128 + 224 * (r - y) / 1.402
    return [np.rint(plane).astype(np.uint8) for plane in planes]
