"""Messages to arrays and back: every encoding, padding, byte order, damaged messages."""

import sys
from array import array

import numpy as np
import pytest

pytest.importorskip('sensor_msgs', reason='needs the ROS message packages')

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.ros.convert import (
    ENCODINGS,
    MAX_PIXELS,
    MAX_SIDE,
    array_to_image,
    camera_info_from_pinhole,
    image_to_array,
    scale_camera_info,
)
from enet_ros.synthetic.street import PinholeCamera

YUV_ENCODINGS = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', 'nv12', 'nv21')
BAYER_ENCODINGS = tuple(f'bayer_{p}{bits}' for bits in (8, 16)
                        for p in ('rggb', 'bggr', 'gbrg', 'grbg'))
GREY_ENCODINGS = ('mono8', '8UC1', 'mono16', '16UC1')
COLOR_ENCODINGS = ('rgb8', 'bgr8', '8UC3', 'rgba8', 'bgra8')
DESIGNED = COLOR_ENCODINGS + GREY_ENCODINGS + YUV_ENCODINGS + BAYER_ENCODINGS

# Colours whose channels differ much, so that swapped channels or chroma cannot pass.
QUADRANTS = ((200, 40, 30), (20, 190, 60), (40, 60, 210), (220, 200, 20))


def quadrants(width, height):
    """Return a picture of four plain colours, uint8 (H, W, 3) RGB, cut at even pixels."""
    picture = np.empty((height, width, 3), np.uint8)
    right, below = width // 4 * 2, height // 4 * 2
    picture[:below, :right], picture[:below, right:] = QUADRANTS[:2]
    picture[below:, :right], picture[below:, right:] = QUADRANTS[2:]
    return picture


def away_from_edges(width, height, margin=2):
    """Return which pixels of `quadrants` have no other colour within `margin` pixels."""
    def far(size):
        cut, at = size // 4 * 2, np.arange(size)
        return (at < cut - margin) | (at >= cut + margin)
    return far(height)[:, None] & far(width)[None, :]


def to_yuv(rgb):
    """Return BT.601 studio-range Y, U, V as cameras send them, uint8 (H, W) each."""
    r, g, b = np.moveaxis(rgb.astype(float) / 255, -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    planes = 16 + 219 * y, 128 + 224 * (b - y) / 1.772, 128 + 224 * (r - y) / 1.402
    return [np.rint(plane).astype(np.uint8) for plane in planes]


def encode(rgb, encoding, bigendian=False):
    """Return the rows of `rgb` in a ROS encoding, uint8 (rows, bytes)."""
    height, width = rgb.shape[:2]
    if encoding in YUV_ENCODINGS:
        y, u, v = to_yuv(rgb)
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
    elif encoding in GREY_ENCODINGS:
        samples = rgb[..., 0]
    else:
        samples = rgb if encoding.startswith('rgb') else rgb[..., ::-1]
        if encoding.endswith('a8'):
            alpha = np.full((height, width, 1), 77, np.uint8)
            samples = np.concatenate([samples, alpha], -1)
    if '16' in encoding:
        # Off the exact multiple of 257, whose two bytes are alike and would hide their order.
        samples = samples * np.uint16(257) + np.where(samples < 128, 90, -90)
        samples = samples.astype('>u2' if bigendian else '<u2')
    return np.ascontiguousarray(samples).view(np.uint8).reshape(height, -1)


def message(rows, encoding, width, height, padding=0, bigendian=False, seed=0):
    """Return an Image of encoded rows, each followed by `padding` bytes of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (len(rows), padding), np.uint8)
    data = np.concatenate([rows, noise], 1)
    return Image(height=height, width=width, encoding=encoding, is_bigendian=int(bigendian),
                 step=data.shape[1], data=array('B', data.tobytes()))


def encoded(rgb, encoding, **options):
    rows = encode(rgb, encoding, options.get('bigendian', False))
    return message(rows, encoding, rgb.shape[1], rgb.shape[0], **options)


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def refusal(msg):
    """Return the one line with which image_to_array refuses `msg`."""
    with pytest.raises(BadInput) as caught:
        image_to_array(msg)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_the_encodings_are_those_of_the_design():
    assert sorted(ENCODINGS) == sorted(DESIGNED)


@pytest.mark.parametrize('bigendian', (False, True))
@pytest.mark.parametrize('padding', (0, 1, 10))
@pytest.mark.parametrize('encoding', DESIGNED)
def test_every_encoding_shows_the_right_colours(encoding, padding, bigendian):
    rgb = quadrants(28, 20)
    frame = image_to_array(encoded(rgb, encoding, padding=padding, bigendian=bigendian))
    assert frame.image.dtype == np.uint8 and frame.image.shape == rgb.shape
    assert frame.order == ('bgr' if encoding in ('bgr8', '8UC3') else 'rgb')
    expected = rgb[..., :1].repeat(3, -1) if encoding in GREY_ENCODINGS else rgb
    there = away_from_edges(28, 20)
    error = np.abs(frame.rgb().astype(int) - expected)[there].max()
    assert error <= (2 if encoding in YUV_ENCODINGS else 0)
    assert np.array_equal(frame.bgr(), frame.rgb()[..., ::-1])


@pytest.mark.parametrize('encoding', COLOR_ENCODINGS + GREY_ENCODINGS)
def test_noise_of_any_size_comes_through_exactly(encoding):
    draw = np.random.default_rng(len(encoding))
    for seed in range(30):
        width, height, padding = map(int, draw.integers((1, 1, 0), (70, 50, 20)))
        rgb = noise(width, height, seed)
        bigendian = bool(seed % 2)
        msg = encoded(rgb, encoding, padding=padding, bigendian=bigendian, seed=seed)
        expected = rgb[..., :1].repeat(3, -1) if encoding in GREY_ENCODINGS else rgb
        assert np.array_equal(image_to_array(msg).rgb(), expected), (width, height, padding)


@pytest.mark.parametrize('encoding', YUV_ENCODINGS + BAYER_ENCODINGS)
def test_plain_colour_of_any_size_comes_through(encoding):
    draw = np.random.default_rng(len(encoding))
    for seed in range(30):
        width, height, padding = map(int, draw.integers((2, 2, 0), (35, 25, 20)))
        if encoding in YUV_ENCODINGS:
            width, height = 2 * width, 2 * height
        else:
            width, height = width + 1, height + 1  # odd sizes too
        rgb = np.full((height, width, 3), QUADRANTS[seed % 4], np.uint8)
        frame = image_to_array(encoded(rgb, encoding, padding=padding, seed=seed))
        assert frame.image.shape == rgb.shape
        error = np.abs(frame.image.astype(int) - rgb).max()
        assert error <= (2 if encoding in YUV_ENCODINGS else 0), (width, height, padding)


@pytest.mark.parametrize('wrap', (bytes, bytearray, memoryview, np.array))
@pytest.mark.parametrize('encoding', DESIGNED)
def test_data_may_be_any_bytes(encoding, wrap):
    rgb = quadrants(12, 8)
    msg = encoded(rgb, encoding, padding=3)
    expected = image_to_array(msg).image
    msg._data = wrap(msg.data)  # past the setter, which would turn it into an array
    assert np.array_equal(image_to_array(msg).image, expected)


@pytest.mark.parametrize('padding', (0, 5))
@pytest.mark.parametrize('encoding', ('rgb8', 'bgr8', '8UC3'))
def test_three_channels_of_8_bits_are_not_copied(encoding, padding):
    msg = encoded(noise(40, 30), encoding, padding=padding)
    frame = image_to_array(msg)
    assert np.shares_memory(frame.image, np.frombuffer(msg.data, np.uint8))
    assert np.shares_memory(frame.image, frame.bgr() if frame.order == 'bgr' else frame.rgb())
    msg.data[0] ^= 255
    assert frame.image[0, 0, 0] == msg.data[0]


@pytest.mark.parametrize('encoding', ('mono16', '16UC1'))
def test_the_scale_of_16_bits_is_fixed_and_saturates(encoding):
    levels = np.array([[0, 16, 1000, 2048, 4095, 5000, 65535]], '<u2')
    msg = message(levels.view(np.uint8), encoding, 7, 1)
    twelve_bit = image_to_array(msg, white_level=4095).image[0, :, 0]
    assert twelve_bit.tolist() == [0, 1, 62, 128, 255, 255, 255]
    dark = message(levels[:, :3].copy().view(np.uint8), encoding, 3, 1)
    assert image_to_array(dark, white_level=4095).image[0, :, 0].tolist() == [0, 1, 62]
    assert image_to_array(dark).image[0, :, 0].tolist() == [0, 0, 4]


def test_the_scale_holds_for_16_bit_mosaics():
    mosaic = np.full((6, 8), 4095, '<u2')
    msg = message(mosaic.view(np.uint8), 'bayer_grbg16', 8, 6)
    assert (image_to_array(msg, white_level=4095).image == 255).all()
    assert (image_to_array(msg).image == 16).all()


def test_data_longer_than_the_rows_is_accepted():
    msg = encoded(quadrants(12, 8), 'nv12')
    expected = image_to_array(msg).image
    longer = encoded(quadrants(12, 8), 'nv12')
    longer.data.frombytes(b'page rounding')
    assert np.array_equal(image_to_array(longer).image, expected)


@pytest.mark.parametrize('encoding', DESIGNED)
def test_short_data_is_refused(encoding):
    for padding in (0, 4):
        msg = encoded(quadrants(12, 8), encoding, padding=padding)
        size = len(msg.data)
        msg.data.pop()
        text = refusal(msg)
        assert encoding in text and str(size) in text and str(size - 1) in text
    msg.data = array('B')
    assert 'data has 0 bytes' in refusal(msg)


@pytest.mark.parametrize('encoding', DESIGNED)
def test_a_step_smaller_than_the_row_is_refused(encoding):
    msg = encoded(quadrants(12, 8), encoding)
    row = msg.step
    for step in (row - 1, 0):
        msg.step = step
        text = refusal(msg)
        assert encoding in text and f'step is {step} bytes but a row takes {row}' in text


@pytest.mark.parametrize('width, height', ((0, 8), (12, 0), (0, 0)))
def test_no_pixels_are_refused(width, height):
    msg = encoded(quadrants(12, 8), 'bgr8')
    msg.width, msg.height = width, height
    assert f'{width}x{height}: it has no pixels' in refusal(msg)


@pytest.mark.parametrize('width, height', (
    (MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (2**32 - 1, 2**32 - 1), (MAX_SIDE, MAX_SIDE)))
def test_absurd_sizes_are_refused_before_anything_is_read(width, height):
    msg = Image(width=width, height=height, encoding='bgr8', step=(3 * width) % 2**32)
    text = refusal(msg)
    assert f'{width}x{height}' in text and str(MAX_SIDE) in text and str(MAX_PIXELS) in text


@pytest.mark.parametrize('encoding', YUV_ENCODINGS)
def test_sizes_that_cannot_share_colour_are_refused(encoding):
    odd = [(11, 8), (11, 7)] + [(12, 7)] * encoding.startswith('nv')
    for width, height in odd:
        msg = encoded(quadrants(12, 8), encoding)
        msg.width, msg.height = width, height
        text = refusal(msg)
        assert f'{encoding} image {width}x{height}' in text and 'multiple' in text


@pytest.mark.parametrize('encoding', BAYER_ENCODINGS)
def test_mosaics_too_small_to_hold_colour_are_refused(encoding):
    for width, height in ((2, 8), (8, 2), (1, 1)):
        assert f'{width}x{height}' in refusal(encoded(quadrants(width, height), encoding))


@pytest.mark.parametrize('encoding', ('', 'BGR8', 'jpeg', '32FC1', '16SC1', 'nv24'))
def test_an_unknown_encoding_without_cv_bridge_names_the_remedies(encoding, monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)  # importing it now fails
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    text = refusal(Image(width=4, height=2, step=16, encoding=encoding, data=bytes(32)))
    assert repr(encoding) in text and 'ros-humble-cv-bridge' in text
    assert all(known in text for known in DESIGNED)
    monkeypatch.delenv('ROS_DISTRO')
    text = refusal(Image(width=4, height=2, step=16, encoding=encoding, data=bytes(32)))
    assert 'ros-<distro>-cv-bridge' in text


def test_an_unknown_encoding_goes_through_cv_bridge():
    pytest.importorskip('cv_bridge', reason='needs cv_bridge: apt install ros-<distro>-cv-bridge')
    rgb = noise(12, 8)
    wide = (rgb[..., ::-1].astype(np.uint16) * 257).view(np.uint8).reshape(8, -1)
    for padding in (0, 6):
        frame = image_to_array(message(wide, 'bgr16', 12, 8, padding=padding))
        assert frame.order == 'rgb' and np.abs(frame.image.astype(int) - rgb).max() <= 1
    for wrong in (message(wide, 'bgr16', 12, 8, padding=2), message(wide, 'bgr16', 13, 7)):
        assert f'step is {wrong.step} bytes' in refusal(wrong)


def test_what_cv_bridge_cannot_convert_is_refused():
    pytest.importorskip('cv_bridge', reason='needs cv_bridge: apt install ros-<distro>-cv-bridge')
    for encoding in ('', 'jpeg', '32FC1'):
        assert repr(encoding) in refusal(
            Image(width=4, height=2, step=16, encoding=encoding, data=bytes(32)))


def header():
    return Header(stamp=Time(sec=12, nanosec=345), frame_id='camera_optical')


@pytest.mark.parametrize('encoding', ('mono8', 'bgr8', 'rgb8'))
def test_array_to_image_packs_rows_tightly(encoding):
    picture = noise(21, 13)
    picture = picture[..., 1] if encoding == 'mono8' else picture
    msg = array_to_image(picture, encoding, header())
    assert (msg.width, msg.height, msg.encoding, msg.is_bigendian) == (21, 13, encoding, 0)
    assert msg.step == picture[0].size and bytes(msg.data) == picture.tobytes()
    assert isinstance(msg.data, array) and msg.header == header()
    back = image_to_array(msg).image
    assert np.array_equal(back, picture if picture.ndim == 3 else picture[..., None].repeat(3, 2))


@pytest.mark.parametrize('view', (
    lambda a: a[::2, 3:17:2], lambda a: a[::-1, ::-1], lambda a: a.transpose(1, 0, 2),
    lambda a: a[..., ::-1], np.asfortranarray, lambda a: np.broadcast_to(a[:1, :1], a.shape)))
def test_array_to_image_takes_arrays_that_are_not_contiguous(view):
    picture = view(noise(21, 13))
    assert np.array_equal(image_to_array(array_to_image(picture, 'rgb8', header())).image, picture)
    labels = picture[..., 0]
    msg = array_to_image(labels, 'mono8', header())
    assert bytes(msg.data) == labels.tobytes()


def test_messages_survive_the_wire():
    wire = pytest.importorskip('rclpy.serialization', reason='needs rclpy')
    picture, info = noise(21, 13), scale_camera_info(camera_info(), 640, 360)
    for sent in (array_to_image(picture, 'bgr8', header()), info):
        received = wire.deserialize_message(wire.serialize_message(sent), type(sent))
        assert received == sent
        if isinstance(received, Image):
            frame = image_to_array(received)
            assert np.shares_memory(frame.image, np.frombuffer(received.data, np.uint8))
            assert np.array_equal(frame.bgr(), picture)
        else:
            assert scale_camera_info(received, 1280, 720) == camera_info()


def test_array_to_image_does_not_keep_the_array():
    labels = np.zeros((4, 5), np.uint8)
    msg = array_to_image(labels, 'mono8', header())
    labels[:] = 9
    assert bytes(msg.data) == bytes(20)


@pytest.mark.parametrize('picture, encoding', (
    (np.zeros((4, 5, 3), np.uint8), 'mono8'), (np.zeros((4, 5, 1), np.uint8), 'mono8'),
    (np.zeros((4, 5), np.uint8), 'bgr8'), (np.zeros((4, 5, 4), np.uint8), 'rgb8'),
    (np.zeros((4, 5), np.int64), 'mono8'), (np.zeros((4, 5), bool), 'mono8'),
    (np.zeros(5, np.uint8), 'mono8'), (np.zeros((0, 5), np.uint8), 'mono8'),
    (np.zeros((4, 5), np.uint8), '32SC1')))
def test_array_to_image_refuses_what_does_not_fit(picture, encoding):
    with pytest.raises(BadInput, match=encoding):
        array_to_image(picture, encoding, header())


def camera_info(**fields):
    """Return a rectified right camera's info: K, R, P and D all different."""
    return CameraInfo(**{
        'header': header(), 'width': 1280, 'height': 720, 'distortion_model': 'plumb_bob',
        'd': [0.1, -0.2, 0.001, 0.002, 0.05],
        'k': [900.0, 0.0, 650.0, 0.0, 910.0, 350.0, 0.0, 0.0, 1.0],
        'r': [0.999, 0.01, -0.02, -0.01, 0.999, 0.03, 0.02, -0.03, 0.999],
        'p': [880.0, 0.0, 640.0, -105.6, 0.0, 890.0, 360.0, 7.0, 0.0, 0.0, 1.0, 0.0],
        **fields})


def region(x, y, width, height):
    return RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height, do_rectify=True)


def test_camera_info_is_scaled_by_the_ratio_of_the_sizes():
    before = camera_info(roi=region(0, 0, 1280, 720))
    after = scale_camera_info(before, 640, 240)
    assert (after.width, after.height) == (640, 240)
    assert after.k == pytest.approx([450, 0, 325, 0, 910 / 3, 350 / 3, 0, 0, 1])
    assert after.p == pytest.approx([440, 0, 320, -52.8, 0, 890 / 3, 120, 7 / 3, 0, 0, 1, 0])
    assert after.roi == region(0, 0, 640, 240)
    assert after.header == header() and after.distortion_model == 'plumb_bob'
    assert list(after.d) == list(before.d) and list(after.r) == list(before.r)
    assert before == camera_info(roi=region(0, 0, 1280, 720))


def test_the_same_size_leaves_camera_info_as_it_is():
    for info in (camera_info(), camera_info(roi=region(0, 0, 1280, 720), binning_x=1)):
        assert scale_camera_info(info, 1280, 720) == info


def test_a_scaled_camera_info_shares_nothing_with_its_source():
    before = camera_info()
    after = scale_camera_info(before, 640, 360)
    after.d[0] = after.r[0] = after.k[0] = 5.0
    after.header.frame_id = 'other'
    assert before == camera_info()


def test_an_uncalibrated_camera_stays_uncalibrated():
    after = scale_camera_info(CameraInfo(width=1280, height=720), 640, 360)
    assert (after.width, after.height) == (640, 360)
    assert not any(after.k) and not any(after.p)


def seen_at(info, point):
    """Return the pixel in a whole, unbinned image at which P sees a point (x, y, z)."""
    u, v, w = np.reshape(info.p, (3, 4)) @ [*point, 1]
    return np.array([u / w, v / w])


@pytest.mark.parametrize('binning', (0, 1, 2))
@pytest.mark.parametrize('roi', ((0, 0, 0, 0), (0, 0, 1280, 720), (200, 100, 800, 400)))
def test_points_are_seen_in_the_resized_image_where_the_sensor_saw_them(roi, binning):
    """The sensor's region, binned, is the image; the output resizes it to 400x300."""
    before = camera_info(roi=region(*roi), binning_x=binning, binning_y=binning)
    image = np.array(roi[2:] if roi[2] else (1280, 720)) / max(binning, 1)
    after = scale_camera_info(before, 400, 300)
    assert (after.width, after.height) == (400, 300)
    assert after.binning_x <= 1 and after.binning_y <= 1
    assert (after.roi.x_offset, after.roi.y_offset) == (0, 0)
    for point in ((0.3, -0.2, 4.0), (-1.0, 0.5, 9.0)):
        in_image = (seen_at(before, point) - roi[:2]) / max(binning, 1)
        assert seen_at(after, point) == pytest.approx(in_image * (400, 300) / image)


@pytest.mark.parametrize('info, size', (
    (camera_info(width=0), (640, 360)), (camera_info(height=0), (640, 360)),
    (camera_info(), (0, 360)), (camera_info(), (640, 0))))
def test_camera_info_of_no_size_is_refused(info, size):
    with pytest.raises(BadInput, match='zero'):
        scale_camera_info(info, *size)


@pytest.mark.parametrize('roi', ((1, 0, 1280, 720), (0, 700, 100, 21), (5, 5, 0, 0)))
def test_a_region_outside_the_frame_is_refused(roi):
    with pytest.raises(BadInput, match='roi'):
        scale_camera_info(camera_info(roi=region(*roi)), 640, 360)


def test_camera_info_of_the_synthetic_camera():
    camera = PinholeCamera(width=640, height=360, fx=500.0, fy=510.0, cx=321.0, cy=179.0,
                           height_m=1.5, pitch=0.1)
    info = camera_info_from_pinhole(camera, header())
    assert (info.width, info.height, info.header) == (640, 360, header())
    assert info.distortion_model == 'plumb_bob' and list(info.d) == [0.0] * 5
    assert info.k.tolist() == [500, 0, 321, 0, 510, 179, 0, 0, 1]
    assert info.r.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert info.p.tolist() == [500, 0, 321, 0, 0, 510, 179, 0, 0, 0, 1, 0]
