"""Reading and writing of parameter files, and the pose of the simulated camera."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

import rclpy
from rclpy.node import Node

from enet_ros.config import ReplayConfig
from enet_ros.errors import BadInput
from enet_ros.ros.parameter_file import read_parameter_file, write_parameter_file
from enet_ros.ros.street_camera import StreetCamera
from enet_ros.synthetic.street import SyntheticStreet

TEXT = """
/**:
  ros__parameters: {seed: 1, a: {b: 1, c: [1, 2]}}
replay_node:
  ros__parameters: {seed: 2}
/*/replay_node:
  ros__parameters: {seed: 3}
/front/**/replay_node:
  ros__parameters: {a.b: 4}
front:
  left:
    replay_node:
      ros__parameters: {seed: 6}
/*:
  replay_node:
    ros__parameters: {a: {c: [3]}}
other_node:
  ros__parameters: {seed: 5}
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / 'params.yaml').write_text(TEXT)
    return str(tmp_path / 'params.yaml')


@pytest.mark.parametrize('namespace', ['', '/front', 'front/left', 'rear'])
def test_it_reads_the_values_that_a_node_gets(path, namespace):
    context = rclpy.Context()
    context.init()
    node = Node('replay_node', namespace=namespace, context=context,
                cli_args=['--ros-args', '--params-file', path],
                automatically_declare_parameters_from_overrides=True)
    expected = {name: node.get_parameter(name).value for name in ('seed', 'a.b', 'a.c')}
    node.destroy_node()
    context.try_shutdown()
    values = read_parameter_file(path, 'replay_node', namespace)
    assert {**values, 'a.c': list(values['a.c'])} == {**expected, 'a.c': list(expected['a.c'])}


@pytest.mark.parametrize('text, reason', [
    ('a: [', 'is not YAML'), ('- a', 'does not map'), (None, 'is not a file')])
def test_an_invalid_file_is_rejected(tmp_path, text, reason):
    path = tmp_path / 'params.yaml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput, match=reason):
        read_parameter_file(path, 'replay_node')


def test_a_written_file_is_read_in_any_namespace():
    path = write_parameter_file('freespace_node', {'camera.z': 1.4, 'use_sim_time': True})
    for namespace in ('', 'front'):
        assert read_parameter_file(path, 'freespace_node', namespace) == {
            'camera.z': 1.4, 'use_sim_time': True}
    assert read_parameter_file(path, 'segmentation_node') == {}


def test_the_street_camera_follows_the_parameters_of_the_replay_node(path, tmp_path):
    (tmp_path / 'empty.yaml').write_text('')
    default = StreetCamera.from_parameter_file(str(tmp_path / 'empty.yaml'), '', 'freespace_node')
    street = SyntheticStreet(ReplayConfig.width, ReplayConfig.height, ReplayConfig.seed)
    assert (default.height_m, default.pitch) == (street.camera.height_m, street.camera.pitch)
    assert (default.base_frame, default.optical_frame) == ('base_link', 'camera_optical_frame')
    camera = StreetCamera.from_parameter_file(path, 'front', 'freespace_node')
    assert camera.height_m == SyntheticStreet(640, 360, 3).camera.height_m
    assert camera.parameters()['camera.z'] == camera.height_m


def test_a_seed_that_is_not_a_number_is_rejected(tmp_path):
    (tmp_path / 'params.yaml').write_text('/**: {ros__parameters: {seed: many}}')
    with pytest.raises(BadInput, match="seed is 'many'; it must be a whole number"):
        StreetCamera.from_parameter_file(str(tmp_path / 'params.yaml'), '', 'freespace_node')
