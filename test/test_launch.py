"""The launch files, where launch_ros is installed."""

import runpy
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parent.parent / 'launch'
CONFIG = LAUNCH.parent / 'config' / 'enet.yaml'

launch_ros = pytest.importorskip(
    'launch_ros', reason='needs launch_ros, which a ROS 2 installation has and PyPI does not')
launch = pytest.importorskip('launch')


def load(name):
    return runpy.run_path(str(LAUNCH / name))['generate_launch_description']()


@pytest.fixture
def description():
    return load('segment.launch.py')


@pytest.fixture
def started(description):
    return starter(description)


@pytest.fixture
def free_space_started():
    return starter(load('freespace.launch.py'))


def starter(description):
    """Return a function that gives the nodes and events which launch arguments lead to."""
    def start(**arguments):
        context = launch.LaunchContext()
        context.launch_configurations.update(arguments)
        started, waiting = [], list(description.entities)
        while waiting:
            entity = waiting.pop(0)
            if isinstance(entity, (launch_ros.actions.Node, launch.actions.EmitEvent)):
                if entity.condition is None or entity.condition.evaluate(context):
                    started.append(entity)
            else:
                waiting[:0] = entity.visit(context) or []
        return context, started
    return start


def nodes(started):
    return [entity.node_executable for entity in started
            if isinstance(entity, launch_ros.actions.Node)]


def expand(context, started, executable):
    """Return a node with its substitutions done, and the texts of its parameter files."""
    node = next(entity for entity in started
                if getattr(entity, 'node_executable', None) == executable)
    node._perform_substitutions(context)
    words = [getattr(part, 'text', '') for word in node.cmd for part in word]
    files = [Path(word).read_text() for option, word in zip(words, words[1:])
             if option == '--params-file']
    return node, files


def test_arguments_are_described(description):
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert set(arguments) == {'image', 'camera_info', 'params_file', 'model', 'engine', 'device',
                              'namespace', 'autostart', 'executable', 'rviz', 'source'}
    for argument in arguments.values():
        assert argument.default_value is not None
        assert argument.description not in ('', 'no description given')


def test_a_robot_has_its_own_camera(started):
    context, entities = started(image='/camera/image_raw', camera_info='/camera/camera_info')
    assert nodes(entities) == ['segmentation_node']
    node, files = expand(context, entities, 'segmentation_node')
    assert node.expanded_remapping_rules == [('image', '/camera/image_raw'),
                                             ('camera_info', '/camera/camera_info')]
    assert files == [CONFIG.read_text()]


def test_a_source_takes_the_place_of_the_camera(started):
    context, entities = started(source='0', image='/camera/image_raw')
    assert sorted(nodes(entities)) == ['replay_node', 'segmentation_node']
    node, _ = expand(context, entities, 'segmentation_node')
    assert node.expanded_remapping_rules == [('image', 'replay_node/image'),
                                             ('camera_info', 'replay_node/camera_info')]
    _, files = expand(context, entities, 'replay_node')
    assert "source: '0'" in files[1], 'the index of a camera must stay a text'


def test_only_arguments_that_are_given_override_parameters(started):
    context, entities = started(device='cpu', model='12')
    _, files = expand(context, entities, 'segmentation_node')
    assert 'model.device: cpu' in files[1]
    assert "model.path: '12'" in files[1]
    assert 'engine' not in files[1]


def test_a_namespace_holds_all_nodes(started):
    context, entities = started(namespace='front', source='synthetic', rviz='true')
    assert sorted(nodes(entities)) == ['replay_node', 'rviz2', 'segmentation_node']
    for executable in nodes(entities):
        assert expand(context, entities, executable)[0].expanded_node_namespace == '/front'


@pytest.mark.parametrize('autostart, events', [('true', 1), ('false', 0)])
def test_autostart(started, autostart, events):
    _, entities = started(autostart=autostart)
    assert len(entities) - len(nodes(entities)) == events


def test_a_missing_parameter_file_is_named(started):
    with pytest.raises(Exception, match='params_file .*nowhere.yaml.* is not a file'):
        started(params_file='/nowhere.yaml')


def test_free_space_behind_the_segmentation(free_space_started):
    context, entities = free_space_started(source='synthetic', namespace='front', odom='/odom')
    assert sorted(nodes(entities)) == ['freespace_node', 'replay_node', 'segmentation_node']
    assert len(entities) - len(nodes(entities)) == 2, 'each managed node is to be configured'
    node, files = expand(context, entities, 'freespace_node')
    assert node.expanded_node_namespace == '/front' and files == [CONFIG.read_text()]
    assert dict(node.expanded_remapping_rules) == {
        'odom': '/odom', 'label': 'segmentation_node/label',
        'confidence': 'segmentation_node/confidence',
        'camera_info': 'segmentation_node/camera_info',
        'label_map': 'segmentation_node/label_map'}


def test_both_nodes_in_one_process(free_space_started):
    _, entities = free_space_started(processes='one')
    assert nodes(entities) == ['segmentation_and_freespace']
    with pytest.raises(Exception, match='processes is .many.; choose one or two'):
        free_space_started(processes='many')
