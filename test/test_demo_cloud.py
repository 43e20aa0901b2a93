"""The demo of labeled points as users run it, and its reading of clouds."""

import re
import subprocess

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from interrupted_demo import interrupt_demo
from nodes import DOMAIN, TIMEOUT
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.pointcloud.cloud import POINT
from enet_ros.ros.demo.cloud_receiver import read_cloud
from enet_ros.ros.messages import semantic_cloud


def command(tmp_path, *arguments):
    return ['demo_cloud', '--out', str(tmp_path / 'out'), '--domain', str(DOMAIN),
            *map(str, arguments)]


def run_demo(tmp_path, *arguments):
    return subprocess.run(command(tmp_path, *arguments), capture_output=True, text=True,
                          timeout=5 * TIMEOUT, cwd=tmp_path)


def test_the_demo_scores_and_draws(tmp_path, tiny_model):
    result = run_demo(tmp_path, '--model', tiny_model, '--frames', 2, '--width', 160,
                      '--height', 120)
    assert result.returncode == 0, result.stdout + result.stderr
    points = re.search(r'points +(\d+) within 20 m in 2 frames: (\S+) % have the true class, '
                       r'(\S+) % the true height', result.stdout)
    assert int(points[1]) > 5000 and float(points[3]) > 99.5  # whatever the network says
    for line in (r'latency +p50 \d+ ms', r'obstacles +\d+ points: ', r'scan +\d+ bearings'):
        assert re.search(line, result.stdout), result.stdout
    picture = cv2.imread(str(tmp_path / 'out/semantic_cloud.png'))
    assert picture is not None and picture.std() > 20
    for node in ('replay_node', 'segmentation_node', 'semantic_cloud_node'):
        assert 'Traceback' not in (tmp_path / f'out/{node}.log').read_text()


@pytest.mark.parametrize('arguments, words', [
    (['--model', '/nowhere/model.safetensors'], 'does not exist'),
    (['--frames', '0'], '--frames is 0'),
])
def test_invalid_arguments_end_the_demo_with_a_reason(tmp_path, arguments, words):
    result = run_demo(tmp_path, *arguments)
    assert result.returncode == 1
    assert words in result.stderr and 'Traceback' not in result.stderr


def test_ctrl_c_ends_every_process(tmp_path, tiny_model):
    interrupt_demo(command(tmp_path, '--model', tiny_model, '--frames', 100000, '--width', 160,
                           '--height', 120), tmp_path, 'first labeled points', tiny_model)


@pytest.mark.parametrize('with_confidence', [True, False])
def test_clouds_are_read_as_they_were_written(with_confidence):
    points = np.zeros((3, 4), POINT)
    points['x'], points['label'] = np.arange(12).reshape(3, 4), 7
    message = semantic_cloud(points, Header(), with_confidence)
    np.testing.assert_array_equal(read_cloud(message), points)
    message.fields[1].offset = 5
    with pytest.raises(BadInput, match='its points must have'):
        read_cloud(message)
