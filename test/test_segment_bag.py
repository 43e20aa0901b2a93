"""`enet segment BAG --out X.mcap`: the results of a recording in another recording."""

import resource
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from bags import camera_info, compressed, raw, read_bag, text, write_bag

from enet_ros.cli import main
from enet_ros.errors import BadInput
from enet_ros.evaluation import segment_bag as module
from enet_ros.evaluation.segment_bag import segment_bag
from enet_ros.images.open_source import open_source
from enet_ros.images.postprocess import overlay, scale_labels
from enet_ros.label_space.space import class_space
from enet_ros.labels import CAMVID, UNLABELED
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.segmenter import Segmenter

pytest.importorskip('rosbags')

SIZE = 60, 100  # height and width of the images
IMAGES = [cv2.resize(np.random.default_rng(seed).integers(0, 256, (3, 5, 3), np.uint8), SIZE[::-1])
          for seed in range(3)]
RESULTS = {f'/segmentation_node/{topic}': kind for topic, kind in {
    'label': 'sensor_msgs/msg/Image', 'color': 'sensor_msgs/msg/Image',
    'overlay': 'sensor_msgs/msg/Image', 'camera_info': 'sensor_msgs/msg/CameraInfo',
    'label_map': 'enet_ros/msg/LabelMap'}.items()}
RECORDED = [('/chatter', text), ('/cam/image', raw(IMAGES[0], 'rgb8', stamp=5)),
            ('/cam/camera_info', camera_info(*SIZE[::-1], stamp=5)),
            ('/cam/image', raw(IMAGES[1], 'rgb8', stamp=6)), ('/chatter', text),
            ('/cam/image', raw(IMAGES[2], 'rgb8', stamp=7))]
IMAGE_TIMES = [1, 3, 5]  # positions in RECORDED, which write_bag uses as times


@pytest.fixture(scope='module')
def segmenter():
    torch.manual_seed(0)
    spec = ModelSpec(CAMVID, width=64, height=48)
    return Segmenter(spec.build().eval(), spec, engine='torch', device='cpu')


@pytest.fixture
def bag(tmp_path):
    return write_bag(tmp_path / 'bag', RECORDED)


def run(segmenter, bag, out, **options):
    return segment_bag(segmenter, class_space(CAMVID), open_source(bag), out, 'made', **options)


def stamps(messages, topic):
    return [message.header.stamp.sec for name, _, message in messages if name == topic]


def pixels(message):
    channels = {'mono8': 1, 'bgr8': 3}[message.encoding]
    assert message.step == channels * message.width and message.header.frame_id == 'camera'
    return message.data.reshape(message.height, message.width, channels).squeeze()


@pytest.mark.parametrize('storage', ['sqlite3', 'mcap'])
def test_results_under_the_stamps_of_the_images(tmp_path, segmenter, storage):
    source = write_bag(tmp_path / 'bag', RECORDED, storage)
    out = tmp_path / 'new' / 'out.mcap'
    report = run(segmenter, source, out)
    assert (report.written, report.broken, report.exit_code) == (3, [], 0)
    assert report.contents == 'label_map, label, color, overlay, camera_info'
    messages, connections = read_bag(out)
    assert {topic: each.msgtype for topic, each in connections.items()} == RESULTS
    for topic in RESULTS.keys() - {'/segmentation_node/label_map'}:
        assert stamps(messages, topic) == [5, 6, 7]
        assert [time for name, time, _ in messages if name == topic] == IMAGE_TIMES
    assert [file.name for file in out.parent.iterdir()] == ['out.mcap']


def test_the_images_are_those_of_the_node(tmp_path, segmenter, bag):
    run(segmenter, bag, tmp_path / 'out.mcap')
    messages, _ = read_bag(tmp_path / 'out.mcap')
    for name in ('label', 'color', 'overlay'):
        got = [pixels(message) for topic, _, message in messages
               if topic == f'/segmentation_node/{name}']
        for image, result in zip(IMAGES, got, strict=True):
            labels = scale_labels(segmenter(image).labels, *SIZE[::-1])
            color = CAMVID.palette()[labels][..., ::-1]
            right = {'label': labels, 'color': color,
                     'overlay': overlay(image[..., ::-1].copy(), color.copy(), 0.5)}[name]
            assert np.array_equal(result, right)


def test_label_map_and_camera_info(tmp_path, segmenter, bag):
    run(segmenter, bag, tmp_path / 'out.mcap')
    messages, connections = read_bag(tmp_path / 'out.mcap')
    (time, labels), = [(time, message) for topic, time, message in messages
                       if topic == '/segmentation_node/label_map']
    assert time == 1 and (labels.model, labels.unlabelled_id) == ('made', UNLABELED)
    assert [(each.id, each.name, each.drivable) for each in labels.classes] == [
        (class_id, label.name, label.drivable) for class_id, label in enumerate(CAMVID.classes)]
    qos, = connections['/segmentation_node/label_map'].ext.offered_qos_profiles
    assert qos.durability.name == 'TRANSIENT_LOCAL' and qos.reliability.name == 'RELIABLE'
    info = next(message for topic, _, message in messages
                if topic == '/segmentation_node/camera_info')
    assert (info.width, info.height, info.k[2]) == (100, 60, 50)


def test_ros_reads_the_label_map(tmp_path, segmenter, bag):
    serialization = pytest.importorskip('rclpy.serialization', reason='needs ROS 2')
    from enet_ros.msg import LabelMap
    from rosbags.rosbag2 import Reader

    from enet_ros.ros.messages import label_set
    run(segmenter, bag, tmp_path / 'out.mcap')
    with Reader(tmp_path / 'out.mcap') as reader:
        data = next(data for connection, _, data in reader.messages()
                    if connection.msgtype == 'enet_ros/msg/LabelMap')
    assert label_set(serialization.deserialize_message(bytes(data), LabelMap)
                     ).classes == CAMVID.classes


def test_recorded_topics_can_be_kept(tmp_path, segmenter, bag):
    run(segmenter, bag, tmp_path / 'out.mcap', keep_topics=True)
    messages, connections = read_bag(tmp_path / 'out.mcap')
    before, _ = read_bag(bag)
    assert connections.keys() == RESULTS.keys() | {'/chatter', '/cam/image', '/cam/camera_info'}
    kept = [(topic, time) for topic, time, _ in messages if topic not in RESULTS]
    assert sorted(kept) == sorted((topic, time) for topic, time, _ in before)
    images = [message.data for topic, _, message in messages if topic == '/cam/image']
    assert all(np.array_equal(data, image.ravel()) for data, image in zip(images, IMAGES))


def test_earlier_results_are_not_kept(tmp_path, segmenter, bag, capsys):
    run(segmenter, bag, tmp_path / 'one.mcap', keep_topics=True)
    run(segmenter, f'{tmp_path / "one.mcap"}:/cam/image', tmp_path / 'two.mcap', keep_topics=True)
    assert '/segmentation_node/label is not copied: the new results' in capsys.readouterr().err
    for name in ('one', 'two'):
        messages, _ = read_bag(tmp_path / f'{name}.mcap')
        assert stamps(messages, '/segmentation_node/label') == [5, 6, 7]


def test_compressed_images_without_calibration(tmp_path, segmenter):
    jpeg = cv2.imencode('.jpg', IMAGES[0])[1].tobytes()
    bag = write_bag(tmp_path / 'bag', [('/cam/image/compressed', compressed(jpeg))])
    report = run(segmenter, bag, tmp_path / 'out.mcap')
    assert report.contents == 'label_map, label, color, overlay'


def test_calibration_of_another_size_is_left_out(tmp_path, segmenter):
    bag = write_bag(tmp_path / 'bag', [('/cam/camera_info', camera_info(50, 30)), RECORDED[1]])
    report = run(segmenter, bag, tmp_path / 'out.mcap')
    assert 'camera_info' not in report.contents


def test_broken_images_are_skipped_and_reported(tmp_path, segmenter, capsys):
    bag = write_bag(tmp_path / 'bag', [
        ('/cam/image', raw(IMAGES[0], 'rgb8', cut=1)), *RECORDED[1:]])
    report = run(segmenter, bag, tmp_path / 'out.mcap')
    assert (report.written, len(report.broken), report.exit_code) == (3, 1, 1)
    assert f'skipped: {report.broken[0]}\n' in capsys.readouterr().err


@pytest.mark.parametrize('frames, written', [(1, 1), (2, 2), (9, 3)])
def test_the_number_of_frames_can_be_limited(tmp_path, segmenter, bag, frames, written):
    report = run(segmenter, bag, tmp_path / 'out.mcap', frames=frames, keep_topics=True)
    messages, _ = read_bag(tmp_path / 'out.mcap')
    assert report.written == written == len(stamps(messages, '/cam/image'))


def test_an_existing_recording_is_replaced_at_the_end(tmp_path, segmenter, bag):
    (tmp_path / 'out.mcap').write_text('old')
    run(segmenter, bag, tmp_path / 'out.mcap')
    assert len(read_bag(tmp_path / 'out.mcap')[0]) == 13


def test_a_full_disk_leaves_nothing(tmp_path, segmenter, bag):
    out = tmp_path / 'out' / 'x.mcap'
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(BadInput, match=r'cannot write .*x.mcap: .*; free disk space, or'):
            run(segmenter, bag, out, keep_topics=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(out.parent.iterdir())


def test_an_interrupted_run_leaves_the_earlier_recording(tmp_path, segmenter, bag, monkeypatch):
    out = tmp_path / 'out' / 'x.mcap'
    out.parent.mkdir()
    out.write_text('old')
    calls = []

    def interrupted(segmenter, frame):
        calls.append(frame)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return np.zeros(SIZE, np.uint8)

    monkeypatch.setattr(module, '_labels', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(segmenter, bag, out)
    assert [file.name for file in out.parent.iterdir()] == ['x.mcap']
    assert out.read_text() == 'old'


def command(tiny_model, bag, out, *options):
    return main(['segment', str(bag), '--out', str(out), '--model', str(tiny_model), '--engine',
                 'torch', '--device', 'cpu', *options])


def test_the_command(tmp_path, tiny_model, bag, capsys):
    assert command(tiny_model, bag, tmp_path / 'out.mcap', '--keep-topics') == 0
    assert '3 frames segmented into' in capsys.readouterr().out
    assert len(read_bag(tmp_path / 'out.mcap')[0]) == 13 + len(RECORDED)
    # A folder gets files, as before.
    assert command(tiny_model, bag, tmp_path / 'files') == 0
    assert len(list((tmp_path / 'files' / 'label').iterdir())) == 3


def test_the_command_takes_the_parameters_of_the_node(tmp_path, tiny_model, bag):
    pytest.importorskip('yaml')
    table = tmp_path / 'table.yaml'
    table.write_text('encoding: 16SC1\nvoid: -1\nids: {Road: 700, Car: 3}\n')
    assert command(tiny_model, bag, tmp_path / 'out.mcap', '--label-ids', 'mapped',
                   '--label-table', str(table)) == 0
    messages, _ = read_bag(tmp_path / 'out.mcap')
    by_topic = {topic.rpartition('/')[2]: message for topic, _, message in messages}
    assert [(each.id, each.name) for each in by_topic['label_map'].classes] == [
        (700, 'Road'), (3, 'Car')]
    assert (by_topic['label_map'].unlabelled_id, by_topic['label'].encoding) == (-1, '16SC1')
    values = np.unique(by_topic['label'].data.view(np.int16))
    assert by_topic['label'].step == 200 and set(values.tolist()) <= {700, 3, -1}


def test_topics_without_a_definition_are_left_out(tmp_path, segmenter, bag, monkeypatch, capsys):
    source = open_source(bag)
    connections = [each._replace(msgdef=each.msgdef._replace(data=''), digest='')
                   for each in source.connections()]
    unknown = [each._replace(msgtype='my/msg/Text') if each.topic == '/chatter' else each
               for each in connections]
    monkeypatch.setattr(source, 'connections', lambda: unknown)
    segment_bag(segmenter, class_space(CAMVID), source, tmp_path / 'out.mcap', 'made',
                keep_topics=True)
    assert '/chatter is not copied: the recording lacks the definition of my/msg/Text' in (
        capsys.readouterr().err)
    _, written = read_bag(tmp_path / 'out.mcap')
    assert written.keys() == RESULTS.keys() | {'/cam/image', '/cam/camera_info'}


TERMINATED = """
import os, signal, sys
from enet_ros.cli import main
from enet_ros.evaluation import segment_bag

segment_bag._labels = lambda segmenter, frame: os.kill(os.getpid(), signal.SIGTERM)
sys.exit(main())
"""


def test_a_terminated_command_leaves_nothing(tmp_path, tiny_model, bag):
    result = subprocess.run(
        [sys.executable, '-c', TERMINATED, 'segment', bag, '--out', tmp_path / 'out/x.mcap',
         '--model', tiny_model, '--engine', 'torch', '--device', 'cpu'],
        capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (130, 'enet: interrupted')
    assert not list((tmp_path / 'out').iterdir())


@pytest.mark.parametrize('source, out, options, words', [
    ('text', 'x.mcap', [], 'text has no images; its image topics are none; name a recording'),
    ('broken', 'x.mcap', [], 'no image on /cam/image can be decoded; nothing was written'),
    ('synthetic', 'x.mcap', ['--frames', '1'], 'synthetic is not a rosbag2'),
    ('bag', 'files', ['--keep-topics'], '--keep-topics and the options of labels are for'),
    ('bag', 'files', ['--palette', 'x'], '--keep-topics and the options of labels are for'),
    ('bag', 'x.mcap', ['--palette', 'x'], 'cannot read x: No such file'),
    ('bag', 'bag/bag.mcap', [], 'would replace the recording that is read'),
    ('bag', 'folder.mcap', [], 'folder.mcap is a folder; name a file with --out'),
    ('bag', 'file/x.mcap', [], 'cannot write to'),
    ('bag', 'x.mcap', ['--frames', '0'], 'frames is 0; it must be at least 1'),
])
def test_errors_are_one_line_and_leave_no_file(tmp_path, tiny_model, bag, capsys, monkeypatch,
                                               source, out, options, words):
    write_bag(tmp_path / 'text', [('/chatter', text)])
    write_bag(tmp_path / 'broken', [('/cam/image', raw(IMAGES[0], 'rgb8', cut=1))])
    (tmp_path / 'folder.mcap').mkdir()
    (tmp_path / 'file').touch()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob('*'))
    assert command(tiny_model, source, out, *options) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('enet: ')]
    assert len(errors) == 1 and words in errors[0]
    assert sorted(tmp_path.rglob('*')) == before
