import sys
from array import array

import numpy as np
import pytest

pytest.importorskip('sensor_msgs', reason='needs the ROS message packages')

from builtin_interfaces.msg import Time
from encoded_images import ALL_ENCODINGS, encoded, noise, quadrants, raw_image
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.images.encodings import decode_raw
from enet_ros.ros.convert import (
    array_to_image,
    camera_info_from_pinhole,
    image_to_array,
    image_to_plane,
    scale_camera_info,
)
from enet_ros.synthetic.pinhole_camera import PinholeCamera


def to_message(raw):
    """Return the sensor_msgs/Image of a RawImage."""
    return Image(height=raw.height, width=raw.width, encoding=raw.encoding, step=raw.step,
                 is_bigendian=int(raw.is_bigendian), data=array('B', raw.data))


def error_of(msg):
    """Return the one-line error with which image_to_array refuses a message."""
    with pytest.raises(BadInput) as caught:
        image_to_array(msg)
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('bigendian', (False, True))
@pytest.mark.parametrize('encoding', ALL_ENCODINGS)
def test_messages_are_decoded_as_their_raw_images(encoding, bigendian):
    raw = encoded(quadrants(12, 8), encoding, padding=3, bigendian=bigendian)
    decoded, expected = image_to_array(to_message(raw), 40000), decode_raw(raw, 40000)
    assert decoded.order == expected.order and np.array_equal(decoded.image, expected.image)


@pytest.mark.parametrize('encoding', ('rgb8', 'bgr8', '8UC3'))
def test_three_channels_of_8_bits_share_the_memory_of_the_message(encoding):
    msg = to_message(encoded(noise(40, 30), encoding, padding=5))
    assert np.shares_memory(image_to_array(msg).image, np.frombuffer(msg.data, np.uint8))


def test_planes_share_the_memory_of_the_message():
    rgb = noise(40, 30)
    msg = to_message(encoded(rgb, 'mono8', padding=5))
    plane = image_to_plane(msg)
    assert np.array_equal(plane, rgb[..., 0])
    assert np.shares_memory(plane, np.frombuffer(msg.data, np.uint8))
    with pytest.raises(BadInput, match='publish mono8'):
        image_to_plane(to_message(encoded(rgb, 'mono16')))


def test_inconsistent_messages_are_rejected():
    msg = to_message(encoded(quadrants(12, 8), 'nv12'))
    msg.data.pop()
    assert 'data has 143 bytes' in error_of(msg)
    assert '0x8: it has no pixels' in error_of(Image(height=8, encoding='unknown'))


@pytest.mark.parametrize('encoding', ('', 'BGR8', 'jpeg', '32FC1', '16SC1', 'nv24'))
def test_an_unknown_encoding_without_cv_bridge_names_the_remedies(encoding, monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)  # importing it now fails
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    text = error_of(Image(width=4, height=2, step=16, encoding=encoding, data=bytes(32)))
    assert repr(encoding) in text and 'ros-humble-cv-bridge' in text
    assert all(known in text for known in ALL_ENCODINGS)
    monkeypatch.delenv('ROS_DISTRO')
    text = error_of(Image(width=4, height=2, step=16, encoding=encoding, data=bytes(32)))
    assert 'ros-<distro>-cv-bridge' in text


def test_an_unknown_encoding_goes_through_cv_bridge():
    pytest.importorskip('cv_bridge', reason='needs cv_bridge: apt install ros-<distro>-cv-bridge')
    rgb = noise(12, 8)
    wide = (rgb[..., ::-1].astype(np.uint16) * 257).view(np.uint8).reshape(8, -1)
    for padding in (0, 6):
        frame = image_to_array(to_message(raw_image(wide, 'bgr16', 12, 8, padding=padding)))
        assert frame.order == 'rgb' and np.abs(frame.image.astype(int) - rgb).max() <= 1
    for wrong in (to_message(raw_image(wide, 'bgr16', 12, 8, padding=2)),
                  to_message(raw_image(wide, 'bgr16', 13, 7))):
        assert f'step is {wrong.step} bytes' in error_of(wrong)


def test_encodings_that_cv_bridge_cannot_convert_are_rejected():
    pytest.importorskip('cv_bridge', reason='needs cv_bridge: apt install ros-<distro>-cv-bridge')
    for encoding in ('', 'jpeg', '32FC1'):
        assert repr(encoding) in error_of(
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
def test_array_to_image_accepts_arrays_that_are_not_contiguous(view):
    picture = view(noise(21, 13))
    assert np.array_equal(image_to_array(array_to_image(picture, 'rgb8', header())).image, picture)
    labels = picture[..., 0]
    msg = array_to_image(labels, 'mono8', header())
    assert bytes(msg.data) == labels.tobytes()


def test_messages_survive_serialization():
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
def test_array_to_image_rejects_arrays_that_do_not_fit(picture, encoding):
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


def test_camera_info_of_the_same_size_is_unchanged():
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
def test_a_scaled_camera_info_projects_points_to_the_scaled_pixels(roi, binning):
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
def test_camera_info_without_a_size_is_rejected(info, size):
    with pytest.raises(BadInput, match='zero'):
        scale_camera_info(info, *size)


@pytest.mark.parametrize('roi', ((1, 0, 1280, 720), (0, 700, 100, 21), (5, 5, 0, 0)))
def test_a_region_outside_the_frame_is_rejected(roi):
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
