"""The launch files; needs launch_ros."""

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from nodes import DOMAIN, TIMEOUT

pytest.importorskip(
    'launch_ros', reason='needs launch_ros, which a ROS 2 installation has and PyPI does not')

import launch
import launch_ros
import yaml
from ament_index_python.packages import PackageNotFoundError
from enet_ros.msg import FrameTiming
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import PointCloud2

from enet_ros.ros import launch_actions
from enet_ros.synthetic.street import SyntheticStreet

LAUNCH = Path(__file__).parent.parent / 'launch'
CONFIG = LAUNCH.parent / 'config' / 'enet.yaml'
COMMON = {'image', 'camera_info', 'source', 'params_file', 'model', 'engine', 'device',
          'namespace', 'use_sim_time', 'autostart', 'respawn', 'rviz', 'rviz_config'}
INSTALLED = launch_actions.get_package_prefix


@pytest.fixture
def installed(monkeypatch):
    """Return the set of packages that the launch files find in addition to installed ones."""
    packages = {'rviz2'}

    def prefix(name):
        if name == 'rviz2' and name not in packages:
            raise PackageNotFoundError(name)
        return '/opt/ros' if name in packages else INSTALLED(name)

    monkeypatch.setattr(launch_actions, 'get_package_prefix', prefix)
    return packages


def load(name):
    return runpy.run_path(str(LAUNCH / name))['generate_launch_description']()


@pytest.fixture
def start_segment(installed):
    return starter(load('segment.launch.py'))


@pytest.fixture
def start_freespace(installed):
    return starter(load('freespace.launch.py'))


def starter(description):
    """Return a function that returns the nodes and log actions for launch arguments."""
    def start(**arguments):
        context = launch.LaunchContext()
        context.launch_configurations.update(arguments)
        started, waiting = [], list(description.entities)
        while waiting:
            entity = waiting.pop(0)
            if isinstance(entity, (launch_ros.actions.Node, launch.actions.LogInfo)):
                if entity.condition is None or entity.condition.evaluate(context):
                    started.append(entity)
            else:
                waiting[:0] = entity.visit(context) or []
        return context, started
    return start


def nodes(started):
    return [entity.node_executable for entity in started
            if isinstance(entity, launch_ros.actions.Node)]


def log(context, started):
    """Return the text that is logged."""
    return ''.join(part.perform(context) for entity in started
                   if isinstance(entity, launch.actions.LogInfo) for part in entity.msg)


def expand(context, started, executable):
    """Return a node with its substitutions done, and the texts of its parameter files."""
    node = next(entity for entity in started
                if getattr(entity, 'node_executable', None) == executable)
    node._perform_substitutions(context)
    words = command(node)
    files = [Path(word).read_text() for option, word in zip(words, words[1:])
             if option == '--params-file']
    return node, files


def command(node):
    """Return the part of a node's command line that is known before it starts."""
    return [getattr(part, 'text', '') for word in node.cmd for part in word]


@pytest.mark.parametrize('name, arguments', [
    ('segment.launch.py', COMMON), ('freespace.launch.py', COMMON | {'processes', 'odom'}),
    ('semantic_cloud.launch.py', COMMON | {'depth'})])
def test_arguments_are_described(name, arguments):
    declared = load(name).get_launch_arguments()
    assert {argument.name for argument in declared} == arguments
    for argument in declared:
        assert argument.default_value is not None
        assert argument.description not in ('', 'no description given')


def test_no_source_is_started_for_a_real_camera(start_segment):
    context, entities = start_segment(image='/camera/image_raw',
                                      camera_info='/camera/camera_info')
    assert nodes(entities) == ['segmentation_node']
    node, files = expand(context, entities, 'segmentation_node')
    assert node.expanded_remapping_rules == [('image', '/camera/image_raw'),
                                             ('camera_info', '/camera/camera_info')]
    assert files[0] == CONFIG.read_text()


def test_a_source_replaces_the_camera(start_segment):
    context, entities = start_segment(source='0', image='/camera/image_raw')
    assert sorted(nodes(entities)) == ['replay_node', 'segmentation_node']
    node, _ = expand(context, entities, 'segmentation_node')
    assert node.expanded_remapping_rules == [('image', 'replay_node/image'),
                                             ('camera_info', 'replay_node/camera_info')]
    _, files = expand(context, entities, 'replay_node')
    assert "source: '0'" in files[1], 'the index of a camera must stay a string'


def test_only_given_arguments_override_parameters(start_segment):
    context, entities = start_segment(device='cpu', model='12')
    _, files = expand(context, entities, 'segmentation_node')
    assert 'model.device: cpu' in files[1]
    assert "model.path: '12'" in files[1]
    assert 'engine' not in files[1]


def test_all_nodes_are_in_the_namespace(start_segment):
    context, entities = start_segment(namespace='front', source='synthetic', rviz='true')
    assert sorted(nodes(entities)) == ['replay_node', 'rviz2', 'segmentation_node']
    for executable in nodes(entities):
        assert expand(context, entities, executable)[0].expanded_node_namespace == '/front'


@pytest.mark.parametrize('autostart', ['true', 'false'])
def test_managed_nodes_activate_themselves(start_freespace, autostart):
    context, entities = start_freespace(autostart=autostart)
    for executable in ('segmentation_node', 'freespace_node'):
        _, files = expand(context, entities, executable)
        assert any(f'autostart: {autostart}' in text for text in files)


def test_ended_nodes_are_started_again(start_freespace):
    context, entities = start_freespace(respawn='true')
    for executable in ('segmentation_node', 'freespace_node'):
        node, _ = expand(context, entities, executable)
        assert node._ExecuteLocal__respawn


def test_a_missing_parameter_file_is_named(start_segment):
    with pytest.raises(Exception, match='params_file .*nowhere.yaml.* is not a file'):
        start_segment(params_file='/nowhere.yaml')


@pytest.mark.parametrize('start', ['start_segment', 'start_freespace'])
def test_rviz_without_its_package_starts_nothing(request, installed, start):
    installed.clear()
    with pytest.raises(Exception, match=r'needs the package rviz2.*install ros-\S+-rviz2'):
        request.getfixturevalue(start)(rviz='true', source='synthetic')


@pytest.mark.parametrize('start, config', [
    ('start_segment', 'segment.rviz'), ('start_freespace', 'freespace.rviz')])
def test_rviz_opens_the_configuration_of_the_launch_file(request, start, config):
    context, entities = request.getfixturevalue(start)(rviz='true', image='/camera/image_raw')
    node, _ = expand(context, entities, 'rviz2')
    assert any(word.endswith(f'config/{config}') for word in command(node))
    assert node.expanded_remapping_rules == [('image', '/camera/image_raw')]
    assert 'static_transform_publisher' not in nodes(entities), 'a robot publishes its own TF'


@pytest.mark.parametrize('value', [True, False])
@pytest.mark.parametrize('processes', ['one', 'two'])
def test_all_nodes_use_the_same_clock(start_freespace, value, processes):
    context, entities = start_freespace(use_sim_time=str(value).lower(), rviz='true',
                                        source='synthetic', processes=processes)
    for executable in nodes(entities):
        _, files = expand(context, entities, executable)
        overrides = {name: section['ros__parameters']['use_sim_time'] for text in files
                     if text != CONFIG.read_text()
                     for name, section in yaml.safe_load(text).items()}
        assert overrides and all(given is value for given in overrides.values())
        if executable == 'segmentation_and_freespace':
            assert set(overrides) == {'/segmentation_node', '/**/freespace_node'}


def test_use_sim_time_must_be_true_or_false(start_segment):
    with pytest.raises(Exception, match='perhaps'):
        start_segment(use_sim_time='perhaps')


def test_free_space_behind_the_segmentation(start_freespace):
    context, entities = start_freespace(source='synthetic', namespace='front', odom='/odom')
    assert sorted(nodes(entities)) == ['freespace_node', 'replay_node', 'segmentation_node']
    node, files = expand(context, entities, 'freespace_node')
    assert node.expanded_node_namespace == '/front' and files[0] == CONFIG.read_text()
    assert dict(node.expanded_remapping_rules) == {
        'odom': '/odom', 'label': 'segmentation_node/label',
        'confidence': 'segmentation_node/confidence',
        'camera_info': 'segmentation_node/camera_info',
        'label_map': 'segmentation_node/label_map'}


def test_both_nodes_in_one_process(start_freespace):
    context, entities = start_freespace(processes='one', odom='/odom')
    assert nodes(entities) == ['segmentation_and_freespace']
    node, _ = expand(context, entities, 'segmentation_and_freespace')
    assert ('odom', '/odom') in node.expanded_remapping_rules
    with pytest.raises(Exception, match='processes is .many.; choose one or two'):
        start_freespace(processes='many')


@pytest.mark.parametrize('argument', ['autostart', 'use_sim_time', 'respawn', 'rviz'])
@pytest.mark.parametrize('value', ['perhaps', '', '\x1b'])
def test_switches_are_true_or_false(start_segment, argument, value):
    with pytest.raises(Exception, match=f'{argument} is .*; it must be true or false'):
        start_segment(**{argument: value})


@pytest.mark.parametrize('argument', ['image', 'camera_info', 'namespace', 'odom'])
@pytest.mark.parametrize('value', ['a b', 'a:=b', '1', 'a//b', 'ro\nad', '$(env HOME)'])
def test_names_are_those_of_ros(start_freespace, argument, value):
    with pytest.raises(Exception, match=f'{argument} is .*; names in ROS consist of letters'):
        start_freespace(**{argument: value})


@pytest.mark.parametrize('value', ['front', '/front', 'front/left', '/front/left/', '/', ''])
def test_namespaces_may_be_relative_or_empty(start_freespace, value):
    start_freespace(namespace=value)



@pytest.mark.parametrize('processes, executable', [
    ('two', 'freespace_node'), ('one', 'segmentation_and_freespace')])
def test_the_free_space_node_gets_the_pose_of_the_street_camera(start_freespace, processes,
                                                                executable):
    camera = SyntheticStreet(640, 360, 0).camera
    context, entities = start_freespace(source='synthetic', processes=processes)
    _, files = expand(context, entities, executable)
    pose = yaml.safe_load(files[-1])['/**/freespace_node']['ros__parameters']
    assert (pose['camera.z'], pose['camera.pitch']) == (camera.height_m, camera.pitch)
    assert f'{camera.height_m:.3f} m above the ground' in log(context, entities)


def test_other_sources_leave_the_pose_to_the_parameters(start_freespace):
    context, entities = start_freespace(source='0')
    _, files = expand(context, entities, 'freespace_node')
    assert 'camera' not in files[-1] and log(context, entities) == ''


def test_rviz_gets_the_frame_of_the_street_camera(start_freespace):
    context, entities = start_freespace(source='synthetic', rviz='true')
    node, _ = expand(context, entities, 'static_transform_publisher')
    words = command(node)
    assert words[words.index('--frame-id') + 1] == 'base_link'
    assert words[words.index('--child-frame-id') + 1] == 'camera_optical_frame'


# Whole launches

LAUNCHER = """
import signal
import sys
from launch import LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored, as in the background
service = LaunchService()
service.include_launch_description(IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]),
    launch_arguments=[argument.split(':=') for argument in sys.argv[2:]]))
sys.exit(service.run())
"""


@pytest.fixture
def run_launch(tmp_path):
    """Return a function that starts a launch file as a process of its own.

    At the end, all its processes get SIGINT, as Ctrl-C in a terminal sends it.
    """
    running = []

    def run(name, *arguments):
        running.append(subprocess.Popen(
            [sys.executable, '-c', LAUNCHER, str(LAUNCH / name), *arguments],
            env={**os.environ, 'ROS_DOMAIN_ID': str(DOMAIN), 'ROS_LOG_DIR': str(tmp_path)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True))
        return running[-1]

    yield run
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def test_nodes_follow_a_simulated_clock(run_launch, probe, tiny_model):
    run_launch('segment.launch.py', 'source:=synthetic', 'use_sim_time:=true',
               f'model:={tiny_model}', 'device:=cpu')
    clock = probe.node.create_publisher(Clock, '/clock', 10)
    timing = '/segmentation_node/timing'
    probe.subscribe(FrameTiming, timing)
    now = Clock()
    now.clock.sec = 1000

    def is_segmented():
        now.clock.nanosec += 50_000_000
        now.clock.sec += now.clock.nanosec // 10**9
        now.clock.nanosec %= 10**9
        clock.publish(now)
        return probe.received[timing]

    stamp = probe.wait(is_segmented, 'a segmented frame')[0].header.stamp
    assert 1000 <= stamp.sec <= now.clock.sec


def test_a_killed_node_is_active_again(run_launch, probe, tiny_model):
    run_launch('segment.launch.py', 'source:=synthetic', 'respawn:=true', f'model:={tiny_model}',
               'device:=cpu')
    timing = '/segmentation_node/timing'
    probe.subscribe(FrameTiming, timing)
    probe.wait(lambda: probe.received[timing], 'a segmented frame')
    process = next(path for path in Path('/proc').glob('[0-9]*') if is_node(path))
    os.kill(int(process.name), signal.SIGKILL)
    probe.wait(lambda: not process.exists(), 'end of the process')
    del probe.received[timing][:]
    probe.wait(lambda: probe.received[timing], 'a segmented frame after the node was killed')


def is_node(process):
    """Return whether a folder of /proc is that of the segmentation node of this test."""
    try:
        return (b'/segmentation_node\0' in (process / 'cmdline').read_bytes()
                and f'ROS_DOMAIN_ID={DOMAIN}\0'.encode() in (process / 'environ').read_bytes())
    except OSError:  # it ended, or belongs to another user
        return False


@pytest.mark.parametrize('processes', ['one', 'two'])
def test_the_pose_reaches_the_node(run_launch, probe, tiny_model, processes):
    run_launch('freespace.launch.py', 'source:=synthetic', f'processes:={processes}',
               'namespace:=front', f'model:={tiny_model}', 'device:=cpu')
    camera = SyntheticStreet(640, 360, 0).camera
    for name, value in (('z', camera.height_m), ('pitch', camera.pitch)):
        parameter = probe.get_parameter('/front/freespace_node', f'camera.{name}')
        assert parameter.double_value == pytest.approx(value)


def test_a_street_becomes_a_cloud(run_launch, probe, tiny_model):
    run_launch('semantic_cloud.launch.py', 'source:=synthetic', 'namespace:=front',
               f'model:={tiny_model}', 'device:=cpu')
    points = '/front/semantic_cloud_node/points'
    probe.subscribe(PointCloud2, points)
    cloud = probe.wait(lambda: probe.received[points], 'points')[0]
    assert (cloud.width, cloud.height) == (640, 360)
    assert [field.name for field in cloud.fields][:3] == ['x', 'y', 'z']
    height = probe.get_parameter('/front/semantic_cloud_node', 'camera.z').double_value
    assert height == pytest.approx(SyntheticStreet(640, 360, 0).camera.height_m)
