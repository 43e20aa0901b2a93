"""The parameters for Nav2's costmaps."""

from pathlib import Path

import pytest

from enet_ros.cli import main
from enet_ros.evaluation.freespace_score import calibration_of
from enet_ros.freespace.config import CameraConfig
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.nav2_config import check_costmap, costmap_yaml
from enet_ros.freespace.pose import Pose
from enet_ros.labels import CAMVID, CITYSCAPES, SUN_RGBD
from enet_ros.synthetic.street import SyntheticStreet

yaml = pytest.importorskip('yaml')

NAV2 = Path(__file__).parent.parent / 'config' / 'nav2'
SHIPPED = NAV2 / 'semantic_layer.yaml'


def parameters_of(text):
    return yaml.safe_load(text)['local_costmap']['local_costmap']['ros__parameters']


def camera_of(text):
    return parameters_of(text)['semantic_layer']['camera']


@pytest.mark.parametrize('name', ['scan_layer.yaml', 'semantic_layer.yaml', 'grid_layer.yaml'])
def test_costmaps_contain_the_ground_that_the_camera_sees(name):
    camera = CameraConfig()
    estimator = FreeSpaceEstimator(
        calibration_of(SyntheticStreet(640, 360, 0).camera),
        Pose.from_angles(camera.x, camera.y, camera.z, camera.roll, camera.pitch, camera.yaw),
        (640, 360), CAMVID)
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


def test_the_semantic_layer_matches_stamps_exactly():
    layer = parameters_of(SHIPPED.read_text())['semantic_layer']
    assert layer['use_approximate_time_sync'] is False


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


@pytest.mark.parametrize('file', sorted(NAV2.glob('*.yaml')), ids=lambda file: file.name)
def test_the_files_name_topics_of_the_nodes(file):
    topics = {'/segmentation_node/label', '/segmentation_node/confidence',
              '/segmentation_node/label_info', '/freespace_node/ground_points',
              '/freespace_node/scan', '/freespace_node/points', '/freespace_node/grid'}
    lines = [line for line in file.read_text().splitlines() if not line.strip().startswith('#')]
    named = {word for line in lines for word in line.split() if word.startswith('/')}
    assert named <= topics
    assert isinstance(yaml.safe_load(file.read_text()), dict)
