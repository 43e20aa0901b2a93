"""The demo as users run it, and its checks of the outputs."""

import subprocess

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from enet_ros.msg import FrameTiming
from interrupted_demo import interrupt_demo
from nodes import DOMAIN, TIMEOUT
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from enet_ros.data.streets import SyntheticFrames
from enet_ros.images.postprocess import class_mask, colorize, overlay
from enet_ros.label_space.space import class_space
from enet_ros.labels import CAMVID
from enet_ros.ros.convert import array_to_image
from enet_ros.ros.demo.checks import faults
from enet_ros.ros.messages import label_map as label_map_message
from enet_ros.ros.messages import label_set

RNG = np.random.default_rng(6)


def command(tmp_path, *arguments):
    return ['demo', '--out', str(tmp_path / 'out'), '--domain', str(DOMAIN),
            *map(str, arguments)]


def run_demo(tmp_path, *arguments):
    return subprocess.run(command(tmp_path, *arguments), capture_output=True, text=True,
                          timeout=5 * TIMEOUT, cwd=tmp_path)


def test_the_demo_on_the_synthetic_street(tmp_path, tiny_model):
    result = run_demo(tmp_path, '--model', tiny_model, '--frames', 4, '--width', 64,
                      '--height', 48)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'latency   p50' in result.stdout and 'mIoU' in result.stdout
    sheet = cv2.imread(str(tmp_path / 'out/contact_sheet.png'))
    assert sheet is not None and sheet.std() > 20


def test_every_frame_of_a_labeled_folder_is_scored(tmp_path, tiny_model):
    for name in ('val', 'valannot'):
        (tmp_path / name).mkdir()
    for index, (image, labels) in enumerate(SyntheticFrames(64, 48, 5, 5)):
        cv2.imwrite(str(tmp_path / f'val/{index}.png'), image[..., ::-1])
        cv2.imwrite(str(tmp_path / f'valannot/{index}.png'), labels)
    result = run_demo(tmp_path, '--source', tmp_path / 'val', '--model', tiny_model)
    assert result.returncode == 0, result.stdout + result.stderr
    assert '5 sent, 5 segmented' in result.stdout and 'over 5 frames' in result.stdout
    segmented = subprocess.run(
        ['enet', 'segment', tmp_path / 'val', '--out', tmp_path / 'files', '--model', tiny_model],
        capture_output=True, text=True, timeout=TIMEOUT)
    score = segmented.stdout.split('mIoU ')[1].split(',')[0]
    assert f'mIoU      {score}' in result.stdout


@pytest.mark.parametrize('arguments, words', [
    (['--source', '/nowhere'], "'/nowhere' does not exist"),
    (['--model', '/nowhere/model.safetensors'], 'does not exist'),
])
def test_invalid_arguments_end_the_demo_with_a_reason(tmp_path, arguments, words):
    result = run_demo(tmp_path, *arguments)
    assert result.returncode != 0
    assert words in result.stderr and 'Traceback' not in result.stderr


def test_ctrl_c_ends_every_process(tmp_path, tiny_model):
    interrupt_demo(command(tmp_path, '--model', tiny_model, '--frames', 100000, '--width', 64,
                           '--height', 48), tmp_path, 'first segmented frame', tiny_model)


# The checks

def frame_messages():
    """Return (inputs, outputs): the messages of one frame with correct outputs."""
    header = Header(frame_id='camera')
    labels = RNG.integers(0, 11, (24, 32), np.uint8)
    image = RNG.integers(0, 256, (24, 32, 3), np.uint8)
    color = colorize(labels, CAMVID.palette()[:, ::-1].copy())
    outputs = {'label': array_to_image(labels, 'mono8', header),
               'color': array_to_image(color, 'bgr8', header),
               'overlay': array_to_image(overlay(image, color, 0.5), 'bgr8', header),
               'timing': FrameTiming(header=header)}
    for class_id, label in enumerate(CAMVID.classes):
        outputs[f'mask/{label.topic_name}'] = array_to_image(
            class_mask(labels, [class_id]), 'mono8', header)
    return {'image': array_to_image(image, 'bgr8', header)}, outputs


@pytest.fixture
def labels():
    return label_set(label_map_message(class_space(CAMVID), 'model', Header().stamp))


def test_correct_outputs_have_no_faults(labels):
    assert labels.names == CAMVID.names
    assert faults(*frame_messages(), labels) == []


def _flip_a_byte(message):
    message.data[5] ^= 1


@pytest.mark.parametrize('topic, damage, words', [
    ('label', lambda m: setattr(m, 'header', Header(frame_id='other')), 'frame_id'),
    ('color', lambda m: setattr(m.header.stamp, 'sec', 7), 'stamp'),
    ('timing', lambda m: setattr(m.header.stamp, 'sec', 7), 'timing: stamp'),
    ('overlay', lambda m: setattr(m, 'encoding', 'rgb8'), 'encoding'),
    ('mask/sky', lambda m: setattr(m, 'width', 31), '31x24'),
    ('mask/road', _flip_a_byte, 'mask/road'),
    ('color', _flip_a_byte, 'color'),
    ('label', lambda m: m.data.__setitem__(0, 200), 'id 200'),
])
def test_wrong_outputs_are_found(labels, topic, damage, words):
    inputs, outputs = frame_messages()
    header = outputs[topic].header
    outputs[topic].header = Header(stamp=type(header.stamp)(), frame_id=header.frame_id)
    damage(outputs[topic])
    assert any(words in fault for fault in faults(inputs, outputs, labels))


def test_missing_outputs_and_plain_overlays_are_found(labels):
    inputs, outputs = frame_messages()
    outputs['overlay'] = inputs['image']
    del outputs['mask/car']
    assert any('mask/car: missing' in fault for fault in faults(inputs, outputs, labels))
    outputs['mask/car'] = frame_messages()[1]['mask/car']
    assert any('overlay' in fault for fault in faults(inputs, outputs, labels))
    assert isinstance(outputs['overlay'], Image)
