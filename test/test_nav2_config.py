"""The parameters for Nav2's costmaps."""

import dataclasses
from pathlib import Path

import pytest

from enet_ros.cli import main
from enet_ros.config import ReplayConfig, SegmentationConfig
from enet_ros.evaluation.freespace_score import calibration_of
from enet_ros.freespace.config import CameraConfig, FreeSpaceNodeConfig
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.nav2_config import check_costmap, costmap_yaml
from enet_ros.freespace.pose import Pose
from enet_ros.labels import CAMVID, CITYSCAPES, SUN_RGBD
from enet_ros.pointcloud.config import ObstaclesConfig, SemanticCloudConfig
from enet_ros.synthetic.street import SyntheticStreet

yaml = pytest.importorskip('yaml')

CONFIGS = {'segmentation_node': SegmentationConfig(), 'freespace_node': FreeSpaceNodeConfig(),
           'semantic_cloud_node': SemanticCloudConfig()}
TOPICS = {'/segmentation_node/label', '/segmentation_node/confidence',
          '/segmentation_node/label_info', '/freespace_node/ground_points', '/freespace_node/scan',
          '/freespace_node/points', '/freespace_node/grid', '/semantic_cloud_node/obstacles',
          '/semantic_cloud_node/scan'}
NAV2 = Path(__file__).parent.parent / 'config' / 'nav2'
SHIPPED = NAV2 / 'semantic_layer.yaml'


def parameters_of(text):
    return yaml.safe_load(text)['local_costmap']['local_costmap']['ros__parameters']


def camera_of(text):
    return parameters_of(text)['semantic_layer']['camera']


def shipped_estimator():
    """Return the estimator for the camera pose of the default parameters."""
    camera = CameraConfig()
    return FreeSpaceEstimator(
        calibration_of(SyntheticStreet(640, 360, 0).camera),
        Pose.from_angles(camera.x, camera.y, camera.z, camera.roll, camera.pitch, camera.yaw),
        (640, 360), CAMVID)


@pytest.mark.parametrize('name', ['scan_layer.yaml', 'semantic_layer.yaml', 'grid_layer.yaml'])
def test_costmaps_contain_the_ground_that_the_camera_sees(name):
    estimator = shipped_estimator()
    parameters = parameters_of((NAV2 / name).read_text())
    assert estimator.scan.range_min > 2.5  # where Nav2's default of 5 m ends
    for side in ('width', 'height'):
        assert parameters[side] / 2 >= estimator.scan.range_min + 2


def test_costmaps_reach_as_far_as_their_sources():
    scan_layer = parameters_of((NAV2 / 'scan_layer.yaml').read_text())
    layer = scan_layer['obstacle_layer']
    reach = max(layer['scan']['raytrace_max_range'], layer['points']['obstacle_max_range'])
    assert min(scan_layer['width'], scan_layer['height']) / 2 >= reach
    semantic_layer = parameters_of(SHIPPED.read_text())
    reach = semantic_layer['semantic_layer']['camera']['max_obstacle_distance']
    assert min(semantic_layer['width'], semantic_layer['height']) / 2 >= reach


def test_stamps_are_matched_exactly_unless_a_depth_camera_gives_the_points(capsys):
    layer = parameters_of(SHIPPED.read_text())['semantic_layer']
    assert layer['use_approximate_time_sync'] is False
    assert main(['nav2-config', '--points', '/rgbd_camera/depth/points']) == 0
    layer = parameters_of(capsys.readouterr().out)['semantic_layer']
    assert layer['use_approximate_time_sync'] is True
    assert layer['camera']['pointcloud_topic'] == '/rgbd_camera/depth/points'


def test_the_shipped_file_is_what_the_command_writes(tmp_path, capsys):
    assert main(['nav2-config', '--out', str(tmp_path / 'made.yaml')]) == 0
    assert (tmp_path / 'made.yaml').read_text() == SHIPPED.read_text()
    assert main(['nav2-config', '--check', str(SHIPPED)]) == 0
    assert 'the 11 classes of enet_camvid, each once' in capsys.readouterr().out
    assert main(['nav2-config']) == 0
    assert capsys.readouterr().out == SHIPPED.read_text()
    assert main(['nav2-config', '--out', str(tmp_path / 'made.yaml')]) == 1
    assert 'already exists' in capsys.readouterr().err


@pytest.mark.parametrize('labels', [CAMVID, CITYSCAPES, SUN_RGBD], ids=lambda each: each.name)
def test_every_class_has_a_cost(tmp_path, labels):
    text = costmap_yaml('model', labels)
    path = tmp_path / 'costmap.yaml'
    path.write_text(text)
    assert sorted(check_costmap(path, labels)) == sorted(labels.names)
    camera = camera_of(text)
    assert all(camera[kind]['classes'] for kind in camera['class_types'])
    drivable = [label.name for label in labels.classes if label.drivable]
    assert camera['drivable']['classes'] == drivable and camera['drivable']['max_cost'] == 0
    assert camera['obstacle']['base_cost'] == 254
    assert ('flat' in camera) == (labels is not SUN_RGBD)


def test_surfaces_can_be_set(capsys):
    assert main(['nav2-config', '--drivable', 'Road', 'Pavement', '--flat', 'Fence']) == 0
    camera = camera_of(capsys.readouterr().out)
    assert camera['drivable']['classes'] == ['Road', 'Pavement']
    assert camera['flat']['classes'] == ['Fence']
    assert main(['nav2-config', '--drivable', 'road']) == 1
    assert "no class 'road'" in capsys.readouterr().err


def test_groups_get_costs_instead_of_classes(tmp_path, capsys):
    groups = tmp_path / 'groups.yaml'
    groups.write_text('ground: [Road]\npavement: [Pavement]\nthing: [Car, Pole, Tree]\n')
    file = tmp_path / 'costmap.yaml'
    assert main(['nav2-config', '--groups', str(groups), '--out', str(file)]) == 0
    camera = camera_of(file.read_text())
    assert [camera[kind]['classes'] for kind in ('drivable', 'flat', 'obstacle')] == [
        ['ground'], ['pavement'], ['thing']]
    assert main(['nav2-config', '--groups', str(groups), '--check', str(file)]) == 0
    assert main(['nav2-config', '--check', str(file)]) == 1
    assert "class 'ground' is not in label set camvid" in capsys.readouterr().err


@pytest.mark.parametrize('change, words', [
    (("'Road'", "'road'"), "class 'road' is not in label set camvid"),
    (("'Sky', ", ''), 'no cost for Sky'),
    (("['Road']", "['Road', 'Sky']"), "'Sky' has several costs"),
    (("['Road']", '[]'), 'drivable has no classes'),
    (('class_types', 'types'), 'has no class_types'),
    (('[drivable, flat', '[drivable, lawn'), 'lawn has no classes'),
    (("['Road']", '5'), 'drivable.classes is 5; it must be a list'),
    (("['Road']", 'Road'), "drivable.classes is 'Road'; it must be a list"),
    (("['Road']", "[['Road']]"), "drivable.classes is [['Road']]; it must be a list"),
    (('[drivable, flat, obstacle]', '[[a]]'), "class_types has ['a']; each must be a string"),
])
def test_class_names_that_do_not_match_are_reported(tmp_path, capsys, change, words):
    path = tmp_path / 'costmap.yaml'
    assert change[0] in SHIPPED.read_text()
    path.write_text(SHIPPED.read_text().replace(*change))
    assert main(['nav2-config', '--check', str(path)]) == 1
    error = capsys.readouterr().err
    assert words in error and error.count('\n') == 1


@pytest.fixture
def monitor():
    """Return the parameters of the nodes in collision_monitor.yaml, by node."""
    nodes = yaml.safe_load((NAV2 / 'collision_monitor.yaml').read_text())
    return {name: node['ros__parameters'] for name, node in nodes.items()}


def test_the_collision_monitor_waits_for_two_frames_beyond_the_latency_budget(monitor):
    budgets = [monitor[node]['latency']['budget_ms']
               for node in ('freespace_node', 'semantic_cloud_node')]
    period = 1 / ReplayConfig.rate_hz
    assert monitor['collision_monitor']['source_timeout'] == pytest.approx(
        1e-3 * max(budgets) + 2 * period)


def test_the_collision_monitor_keeps_the_points(monitor):
    parameters, obstacles = monitor['collision_monitor'], ObstaclesConfig()
    assert parameters['points']['min_height'] < 0 < parameters['points']['max_height']
    assert parameters['obstacles']['min_height'] < obstacles.min_height
    assert parameters['obstacles']['max_height'] >= obstacles.max_height
    sources = set(parameters['observation_sources'])
    assert sources == {'scan', 'points'} < parameters.keys()


def test_the_stop_zone_reaches_beyond_the_nearest_ground_that_the_camera_sees(monitor):
    corners = yaml.safe_load(monitor['collision_monitor']['stop_zone']['points'])
    assert max(x for x, _ in corners) > shipped_estimator().scan.range_min + 2


@pytest.mark.parametrize('file', sorted(NAV2.glob('*.yaml')), ids=lambda file: file.name)
def test_the_files_name_topics_of_the_nodes(file):
    lines = [line for line in file.read_text().splitlines() if not line.strip().startswith('#')]
    named = {word for line in lines for word in line.split() if word.startswith('/')}
    assert named <= TOPICS and (named or file.name == 'lifecycle_manager.yaml')
    assert isinstance(yaml.safe_load(file.read_text()), dict)


def test_the_topics_are_those_that_the_nodes_publish():
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from enet_ros.ros.outputs import CLOUD_OUTPUTS, FREE_SPACE_OUTPUTS, segmentation_outputs
    outputs = {'segmentation_node': {'label_info', *segmentation_outputs({}, 'mono8')},
               'freespace_node': FREE_SPACE_OUTPUTS, 'semantic_cloud_node': CLOUD_OUTPUTS}
    assert TOPICS.issubset(f'/{node}/{topic}' for node, topics in outputs.items()
                           for topic in topics)


@pytest.mark.parametrize('file', sorted(NAV2.glob('*.yaml')), ids=lambda file: file.name)
def test_the_files_name_parameters_of_the_nodes(file):
    nodes = yaml.safe_load(file.read_text())
    for node in nodes.keys() & CONFIGS.keys():
        for section, values in nodes[node]['ros__parameters'].items():
            assert dataclasses.replace(getattr(CONFIGS[node], section), **values)


def test_the_lifecycle_manager_manages_nodes_of_the_package():
    manager = yaml.safe_load((NAV2 / 'lifecycle_manager.yaml').read_text())
    parameters = manager['lifecycle_manager_perception']['ros__parameters']
    assert set(parameters['node_names']) < CONFIGS.keys()
