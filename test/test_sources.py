import builtins
import itertools

import cv2
import numpy as np
import pytest
from bags import compressed, from_raw_image, raw, text, write_bag
from encoded_images import (
    away_from_edges,
    encoded,
    expected_rgb,
    quadrants,
    raw_image,
    with_exif_orientation,
)

from enet_ros.errors import BadInput
from enet_ros.images import video_source
from enet_ros.images.open_source import open_source
from enet_ros.labels import CAMVID, CITYSCAPES, UNLABELED

IMAGE = np.full((48, 64, 3), (200, 100, 50), np.uint8)  # RGB


def write_image(path, image=IMAGE):
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])
    return path


def write_labels(path, ids):
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), ids)


def write_video(path, frames=5):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), (number * 40, 0, 200), np.uint8))  # BGR
    writer.release()
    return path


def read_all(source):
    """Return the source's frames, with the error in place of each that cannot be read."""
    frames, iterator = [], iter(source)
    while True:
        try:
            frames.append(next(iterator))
        except StopIteration:
            return frames
        except BadInput as error:
            assert '\n' not in str(error)
            frames.append(error)


def test_the_street_is_endless_and_repeats_with_labels():
    source = open_source('synthetic', width=64, height=48, seed=3)
    assert (source.length, source.endless, source.live, source.labeled) == (
        None, True, False, True)
    assert (source.camera.width, source.camera.height) == (64, 48)
    first, again = ([*itertools.islice(source, 3)] for _ in range(2))
    assert [frame.name for frame in first] == ['000000', '000001', '000002']
    for one, other in zip(first, again):
        assert one.image.shape == (48, 64, 3) and one.image.dtype == np.uint8
        assert one.truth.shape == (48, 64) and one.truth.dtype == np.uint8
        np.testing.assert_array_equal(one.image, other.image)
    other_seed = next(iter(open_source('synthetic', width=64, height=48, seed=4)))
    assert (other_seed.image != first[0].image).any()


def test_the_street_has_no_ground_truth_for_other_classes():
    source = open_source('synthetic', CITYSCAPES, width=64, height=48)
    assert not source.labeled and next(iter(source)).truth is None


def test_folder_with_labels_beside_it(tmp_path):
    ids = np.zeros((48, 64), np.uint8)
    ids[:10], ids[10:20] = CAMVID.void_id, 3
    write_image(tmp_path / 'val' / 'b.png')
    write_image(tmp_path / 'val' / 'a.webp')
    write_labels(tmp_path / 'valannot' / 'b.png', ids)
    source = open_source(tmp_path / 'val')
    assert (source.length, source.endless, source.live, source.labeled) == (
        2, False, False, True)
    unlabeled, labeled = read_all(source)
    assert (unlabeled.name, labeled.name) == ('a', 'b')
    assert unlabeled.truth is None
    np.testing.assert_array_equal(labeled.image, IMAGE)
    assert [*labeled.truth[[0, 15, 40], 0]] == [UNLABELED, 3, 0]
    assert len(read_all(source)) == 2  # starts again


def test_folder_and_image_without_labels(tmp_path):
    file = write_image(tmp_path / 'a.png')
    for source in open_source(tmp_path), open_source(str(file)):
        assert (source.length, source.labeled) == (1, False)
        frame, = read_all(source)
        assert frame.name == 'a' and frame.truth is None


def test_reading_continues_after_a_file_that_cannot_be_read(tmp_path):
    for name in 'abcde':
        write_image(tmp_path / 'val' / f'{name}.png')
        write_labels(tmp_path / 'valannot' / f'{name}.png', np.zeros((48, 64), np.uint8))
    whole = (tmp_path / 'val' / 'a.png').read_bytes()
    (tmp_path / 'val' / 'a.png').write_bytes(whole[:len(whole) // 2])
    (tmp_path / 'val' / 'b.png').write_text('no image')
    write_labels(tmp_path / 'valannot' / 'c.png', np.zeros((24, 32), np.uint8))
    write_labels(tmp_path / 'valannot' / 'd.png', np.full((48, 64), 99, np.uint8))
    frames = read_all(open_source(tmp_path / 'val'))
    for frame, words in zip(frames, ('a.png', 'b.png', '64x48.*c.png.*32x24', 'd.png.*id 99')):
        with pytest.raises(BadInput, match=words):
            raise frame
    assert frames[4].name == 'e' and len(frames) == 5


def test_images_that_differ_only_in_their_suffix_are_rejected(tmp_path):
    write_image(tmp_path / 'a.png')
    write_image(tmp_path / 'a.jpg')
    with pytest.raises(BadInput, match='a.jpg and a.png.*rename'):
        open_source(tmp_path)


def test_video(tmp_path):
    source = open_source(write_video(tmp_path / 'v.avi'))
    assert (source.length, source.endless, source.live, source.labeled) == (
        5, False, False, False)
    for _ in range(2):
        frames = read_all(source)
        assert [frame.name for frame in frames] == [f'{i:06d}' for i in range(5)]
        for number, frame in enumerate(frames):
            assert frame.image.shape == (48, 64, 3) and frame.truth is None
            assert abs(frame.image.mean((0, 1)) - (200, 0, number * 40)).max() < 6
    source.close()


def test_camera_that_is_disconnected(tmp_path, monkeypatch):
    file = str(write_video(tmp_path / 'v.avi'))
    monkeypatch.setattr(video_source, 'open_capture', lambda index: cv2.VideoCapture(file))
    source = open_source('0')
    assert (source.length, source.endless, source.live, source.labeled) == (
        None, True, True, False)
    *frames, error = read_all(source)
    assert len(frames) == 5 and abs(frames[4].image.mean((0, 1)) - (200, 0, 160)).max() < 6
    with pytest.raises(BadInput, match='camera 0 sends no more frames'):
        raise error
    source.close()
    assert not source.device.isOpened()


@pytest.mark.parametrize('storage', ['sqlite3', 'mcap'])
def test_a_bag(tmp_path, storage):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 4), np.uint8)
    rgb, gray = pixels[..., :3], pixels[..., 0]
    jpeg = cv2.imencode('.jpg', IMAGE[..., ::-1])[1].tobytes()
    bag = write_bag(tmp_path / 'bag', [
        ('/chatter', text),
        ('/cam/image', raw(rgb, 'rgb8')),
        ('/cam/image', raw(rgb, 'rgb8', padding=5)),
        ('/cam/image', raw(rgb[..., ::-1], 'bgr8')),
        ('/cam/image', raw(pixels, 'rgba8')),
        ('/cam/image', raw(pixels[..., [2, 1, 0, 3]], 'bgra8', padding=4)),
        ('/cam/image', raw(gray, 'mono8', padding=2)),
        ('/front/compressed', compressed(jpeg)),
    ], storage)
    file = next(bag.glob('*.db3' if storage == 'sqlite3' else '*.mcap'))
    for path in (bag, file, f'{bag}:/cam/image'):
        source = open_source(path)
        assert (source.length, source.endless, source.live, source.labeled) == (
            6, False, False, False)
        frames = read_all(source)
        assert [frame.name for frame in frames] == [f'{i:06d}' for i in range(6)]
        for frame in frames[:5]:
            np.testing.assert_array_equal(frame.image, rgb)
        np.testing.assert_array_equal(frames[5].image, np.dstack([gray] * 3))
        assert len(read_all(source)) == 6
    frame, = open_source(f'{bag}:/front/compressed')
    assert np.abs(frame.image.astype(int) - IMAGE).max() < 6


def test_bag_of_camera_encodings(tmp_path):
    rgb = quadrants(28, 20)
    encodings = ('nv12', 'yuyv', 'bayer_rggb8', 'mono16')
    bag = write_bag(tmp_path / 'bag', [
        ('/image', from_raw_image(encoded(rgb, encoding, padding=3))) for encoding in encodings])
    frames = read_all(open_source(bag))
    assert len(frames) == len(encodings)
    for encoding, frame in zip(encodings, frames):
        difference = np.abs(frame.image.astype(int) - expected_rgb(rgb, encoding))
        tolerance = 2 if encoding in ('nv12', 'yuyv') else 0
        assert difference[away_from_edges(28, 20)].max() <= tolerance, encoding


def test_white_level_scales_16_bit_images_of_bags(tmp_path):
    levels = np.array([[0, 1000, 4095]], '<u2')
    bag = write_bag(tmp_path / 'bag', [
        ('/image', from_raw_image(raw_image(levels.view(np.uint8), 'mono16', 3, 1)))])
    frame, = open_source(bag, white_level=4095)
    assert frame.image[0, :, 0].tolist() == [0, 62, 255]


def test_exif_orientation_turns_image_files_but_not_messages(tmp_path):
    jpeg = cv2.imencode('.jpg', IMAGE)[1].tobytes()
    turned = with_exif_orientation(jpeg, 6)
    bag = write_bag(tmp_path / 'bag', [('/packed', compressed(turned))])
    assert next(iter(open_source(bag))).image.shape == (48, 64, 3)
    (tmp_path / 'a.jpg').write_bytes(turned)
    assert next(iter(open_source(tmp_path / 'a.jpg'))).image.shape == (64, 48, 3)


def test_reading_continues_after_a_message_that_cannot_be_read(tmp_path):
    gray = np.zeros((6, 8), np.uint8)
    bag = write_bag(tmp_path / 'bag', [
        ('/image', raw(gray, '32FC1')), ('/image', raw(gray, 'mono8', cut=1)),
        ('/image', raw(gray[:0], 'mono8')), ('/image', raw(gray, 'mono8')),
        ('/packed', compressed(b'')), ('/packed', compressed(b'no image')),
        ('/packed', compressed(cv2.imencode('.jpg', IMAGE)[1].tobytes()[:-2]))])
    *broken, good = read_all(open_source(bag))
    for error, words in zip(broken, ('32FC1.*use one of.*mono16', '47 bytes', '8x0')):
        with pytest.raises(BadInput, match=f'message.*/image.*{words}'):
            raise error
    assert good.name == '000003' and len(broken) == 3
    assert [type(frame) for frame in read_all(open_source(f'{bag}:/packed'))] == [BadInput] * 3


def test_bags_that_cannot_be_read(tmp_path):
    bag = write_bag(tmp_path / 'text', [('/chatter', text)])
    with pytest.raises(BadInput, match='has no images; its image topics are none'):
        open_source(bag)
    bag = write_bag(tmp_path / 'bag', [('/image', raw(IMAGE, 'rgb8'))])
    with pytest.raises(BadInput, match='has no /other; its image topics are /image'):
        open_source(f'{bag}:/other')
    storage = next(bag.glob('*.db3'))
    storage.write_bytes(storage.read_bytes()[:5000])
    with pytest.raises(BadInput, match='cannot be read as rosbag2.*reindex'):
        list(open_source(bag))
    unclosed = write_bag(tmp_path / 'unclosed', [('/image', raw(IMAGE, 'rgb8'))])
    (unclosed / 'metadata.yaml').unlink()
    (bag / 'metadata.yaml').write_text('nothing: [')
    (tmp_path / 'foreign.mcap').write_bytes(b'no recording')
    for path in (bag, unclosed, tmp_path / 'foreign.mcap'):
        with pytest.raises(BadInput, match='cannot be read as rosbag2.*reindex') as raised:
            open_source(path)
        assert '\n' not in str(raised.value)


def test_bag_without_rosbags(tmp_path, monkeypatch):
    (tmp_path / 'a.mcap').write_bytes(b'')
    real = builtins.__import__

    def without_rosbags(name, *rest):
        if name.startswith('rosbags'):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, '__import__', without_rosbags)
    with pytest.raises(BadInput, match='pip install rosbags'):
        open_source(tmp_path / 'a.mcap')


def test_sources_that_cannot_be_opened(tmp_path, capfd):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.avi').write_text('no video')
    for source, words in (('', 'does not exist'), (tmp_path / 'nothing', 'does not exist'),
                          ('bag:/topic', 'does not exist'),
                          ('~nobody-of-this-name/x', 'does not exist'),
                          ('~nobody-of-this-name/x:/topic', 'does not exist'),
                          (tmp_path / 'empty', 'holds no images'),
                          (tmp_path / 'text.avi', 'is not a video that can be decoded'),
                          ('917', 'camera 917 cannot be opened')):
        with pytest.raises(BadInput, match=words) as raised:
            open_source(source)
        assert '\n' not in str(raised.value)
    assert capfd.readouterr().err == ''


def test_a_video_without_a_whole_frame(tmp_path):
    whole = write_video(tmp_path / 'whole.avi').read_bytes()
    (tmp_path / 'head.avi').write_bytes(whole[:300])
    with pytest.raises(BadInput, match='is not a video that can be decoded'):
        open_source(tmp_path / 'head.avi')
