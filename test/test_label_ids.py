"""Label images in group ids and in ids of a table, group masks and palettes, over DDS."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('yaml')

from camera import result_of
from enet_ros.msg import LabelMap
from lifecycle_msgs.msg import Transition
from nav_msgs.msg import OccupancyGrid
from nodes import LATCHED
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from enet_ros.config import LabelSpaceConfig
from enet_ros.errors import BadInput
from enet_ros.label_space.files import read_files
from enet_ros.label_space.space import class_space, label_space
from enet_ros.labels import CAMVID, UNLABELED
from enet_ros.ros.convert import array_to_image, image_to_array
from enet_ros.ros.messages import label_info, label_map, label_set

NODE = '/segmentation_node'
PARAMETERS = {'model.engine': 'torch', 'model.precision': 'float32'}
REST = [name for name in CAMVID.names if name not in ('Road', 'Car', 'Bicyclist')]
GROUPS = f'ground: [Road]\nvehicle: [Car, Bicyclist]\nscenery: [{", ".join(REST)}]\n'
TABLE = 'encoding: 16SC1\nvoid: -1\nids:\n' + ''.join(
    f'  {name}: {100 * (class_id + 1)}\n' for class_id, name in enumerate(CAMVID.names))
PIXELS = {'mono8': np.uint8, '16SC1': np.int16}


@pytest.fixture
def files(tmp_path):
    """Return {parameter: path} of a file of groups, a table of ids and a palette."""
    palette = 'name,r,g,b,a,id\n' + ''.join(
        f'{name},{class_id},200,7,255,{class_id}\n' for class_id, name in enumerate(CAMVID.names))
    texts = {'output.groups': GROUPS, 'output.label_table': TABLE, 'output.palette': palette}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return {name: tmp_path / name for name in texts}


def space_of(files, label_ids):
    config = {name.partition('.')[2]: str(path) for name, path in files.items()}
    return label_space(CAMVID, read_files(LabelSpaceConfig(**config, label_ids=label_ids)))


def plane(message):
    dtype = PIXELS[message.encoding]
    assert message.step == message.width * np.dtype(dtype).itemsize and not message.is_bigendian
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width)


def results(probe, camera, *topics):
    """Return the label map, and the results of an image by topic."""
    probe.subscribe(LabelMap, f'{NODE}/label_map', LATCHED)
    for topic in topics:
        probe.subscribe(Image, f'{NODE}/{topic}')
    probe.bring_up(NODE)
    camera.wait_for_node()
    message = camera.send_until(lambda m: all(
        result_of(probe, f'{NODE}/{topic}', m) for topic in topics))
    label_maps = probe.received[f'{NODE}/label_map']
    return probe.wait(lambda: label_maps, 'label map')[0], [
        result_of(probe, f'{NODE}/{topic}', message) for topic in topics]


def test_group_masks_are_unions_of_class_masks(start, probe, camera, files):
    start({**PARAMETERS, 'output.groups': files['output.groups']})
    classes, (label, vehicle, car, bicyclist) = results(
        probe, camera, 'label', 'mask/vehicle', 'mask/car', 'mask/bicyclist')
    assert label_set(classes).names == CAMVID.names
    labels = plane(label)
    assert set(np.unique(labels)) - {0, 1, 2}, 'the label image holds class ids'
    assert np.array_equal(plane(vehicle), plane(car) | plane(bicyclist))
    members = [CAMVID.id_of('Car'), CAMVID.id_of('Bicyclist')]
    assert np.array_equal(plane(vehicle) == 255, np.isin(labels, members))


def test_label_images_in_group_ids(start, probe, camera, files):
    node = start({**PARAMETERS, 'output.groups': files['output.groups'],
                  'output.label_ids': 'groups'})
    groups, (label, ground, vehicle, scenery, color) = results(
        probe, camera, 'label', 'mask/ground', 'mask/vehicle', 'mask/scenery', 'color')
    assert [(info.id, info.name, info.drivable) for info in groups.classes] == [
        (0, 'ground', True), (1, 'vehicle', False), (2, 'scenery', False)]
    assert groups.unlabelled_id == UNLABELED and label.encoding == 'mono8'
    expected = np.select([plane(mask) == 255 for mask in (ground, vehicle, scenery)],
                         [0, 1, 2], UNLABELED)
    assert np.array_equal(plane(label), expected) and (expected == 2).any()
    table = np.array([[round(255 * channel) for channel in (c.color.r, c.color.g, c.color.b)]
                      for c in groups.classes])
    assert np.array_equal(image_to_array(color).rgb(), table[plane(label)])
    assert 'label ids: groups of ' in node.output()


def test_label_images_in_ids_of_a_table(start, probe, camera, files):
    start({**PARAMETERS, 'output.label_table': files['output.label_table'],
           'output.label_ids': 'mapped', 'output.confidence_threshold': 0.15})
    classes, (label, car, confidence) = results(probe, camera, 'label', 'mask/car', 'confidence')
    assert [(info.id, info.name) for info in classes.classes] == [
        (100 * (class_id + 1), name) for class_id, name in enumerate(CAMVID.names)]
    assert classes.unlabelled_id == -1 and label.encoding == '16SC1'
    car_id = 100 * (CAMVID.id_of('Car') + 1)
    assert np.array_equal(plane(label) == car_id, plane(car) == 255)
    uncertain = plane(confidence) < np.ceil(0.15 * 255)
    assert np.array_equal(plane(label) == -1, uncertain)
    assert set(np.unique(plane(label))) <= {-1, *(info.id for info in classes.classes)}


def test_the_palette_colors_pictures_and_label_map(start, probe, camera, files):
    start({**PARAMETERS, 'output.palette': files['output.palette'], 'overlay.alpha': 1.0})
    classes, (label, color, overlay) = results(probe, camera, 'label', 'color', 'overlay')
    assert [info.color for info in label_set(classes).classes] == [
        (class_id, 200, 7) for class_id in range(len(CAMVID))]
    expected = np.stack([plane(label), 0 * plane(label) + 200, 0 * plane(label) + 7], 2)
    for picture in (color, overlay):
        assert np.array_equal(image_to_array(picture).rgb(), expected)


@pytest.mark.parametrize('label_ids', ['groups', 'mapped'])
def test_label_info_has_the_published_ids(start, probe, files, label_ids):
    vision_msgs = pytest.importorskip('vision_msgs.msg', reason='needs vision_msgs')
    start({**PARAMETERS, **files, 'output.label_ids': label_ids, 'output.palette': "''"})
    topic = f'{NODE}/label_info'
    probe.subscribe(vision_msgs.LabelInfo, topic, LATCHED)
    probe.bring_up(NODE)
    info = probe.wait(lambda: probe.received[topic], 'the label info')[0]
    space = space_of({name: path for name, path in files.items() if 'palette' not in name},
                     label_ids)
    assert [(entry.class_id, entry.class_name) for entry in info.class_map] == [
        (value.id, value.name) for value in space.values]


def test_label_info_of_a_table_without_vision_msgs(monkeypatch, files):
    types = SimpleNamespace(LabelInfo=SimpleNamespace, VisionClass=SimpleNamespace)
    monkeypatch.setitem(sys.modules, 'vision_msgs', SimpleNamespace(msg=types))
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', types)
    space = space_of({'output.label_table': files['output.label_table']}, 'mapped')
    info = label_info(space, 0.25, Header().stamp)
    assert info.threshold == 0.25
    assert [(entry.class_id, entry.class_name) for entry in info.class_map] == [
        (100 * (class_id + 1), name) for class_id, name in enumerate(CAMVID.names)]


def test_a_reloaded_model_keeps_the_ids(start, probe, camera, files):
    start({**PARAMETERS, 'output.groups': files['output.groups'], 'output.label_ids': 'groups'})
    groups, _ = results(probe, camera, 'label')
    files['output.groups'].unlink()  # the files are read when the node is configured
    assert probe.call(Trigger, f'{NODE}/reload', Trigger.Request()).success
    label = result_of(probe, f'{NODE}/label', camera.send_until(
        lambda m: result_of(probe, f'{NODE}/label', m)))
    assert set(np.unique(plane(label))) <= {info.id for info in groups.classes} | {UNLABELED}


def test_classes_in_no_group_are_void_and_named(start, probe, camera, files):
    files['output.groups'].write_text('ground: [Road]\n')
    node = start({**PARAMETERS, 'output.groups': files['output.groups'],
                  'output.label_ids': 'groups'})
    _, (label, road) = results(probe, camera, 'label', 'mask/road')
    assert np.array_equal(plane(label), np.where(plane(road) == 255, 0, UNLABELED))
    assert 'leaves out Sky, Building' in node.output()


def test_a_bad_file_leaves_the_node_up(start, probe, files):
    files['output.groups'].write_text('vehicle: [Car, Lorry]\n')
    node = start({**PARAMETERS, 'output.groups': files['output.groups']})
    assert not probe.change_state(NODE, Transition.TRANSITION_CONFIGURE)
    assert "group 'vehicle': label set 'camvid' has no class 'Lorry'" in probe.status(NODE).message
    files['output.groups'].write_text('vehicle: [Car]\n')
    probe.bring_up(NODE)
    assert node.alive and 'Traceback' not in node.output()


def test_the_free_space_node_reads_group_ids(start, start_node, probe, camera, files):
    start({**PARAMETERS, 'output.groups': files['output.groups'], 'output.label_ids': 'groups'})
    topics = ('label', 'label_map', 'camera_info')
    start_node('freespace_node', {'camera.z': 1.5, 'camera.pitch': 0.35, 'grid.resolution': 0.5,
                                  'input.confidence': False},
               remaps={topic: f'{NODE}/{topic}' for topic in topics})
    probe.subscribe(OccupancyGrid, '/freespace_node/grid')
    for node in ('/freespace_node', NODE):
        probe.bring_up(node)
    camera.wait_for_node()

    def make():
        camera.send_info(*camera.size)
        return camera.image()

    message = camera.send_until(
        make=make, is_done=lambda m: result_of(probe, '/freespace_node/grid', m))
    assert message is not None


def test_the_free_space_node_refuses_ids_of_a_table(free_space, probe, files):
    node, source = free_space()
    space = space_of({'output.label_table': files['output.label_table']}, 'mapped')
    stamp = probe.node.get_clock().now().to_msg()
    source.publishers['label_map'].publish(label_map(space, 'made', stamp))

    def mapped_frame():
        frame = source.frame()
        values = source.labels.astype(np.int16)
        return {**frame, 'label': array_to_image(values, '16SC1', frame['label'].header)}

    def refused():
        source.send(mapped_frame())
        return 'set output.label_ids of the segmentation node' in probe.status(
            '/freespace_node').message

    probe.wait(refused, 'report that names the parameter')
    assert node.alive and 'Traceback' not in node.output()


def test_images_of_16_bit_ids():
    image = array_to_image(np.array([[-1, 300]], np.int16), '16SC1', Header())
    assert (image.encoding, image.step, bytes(image.data)) == ('16SC1', 4, b'\xff\xff\x2c\x01')
    with pytest.raises(BadInput, match='it must be int16'):
        array_to_image(np.zeros((1, 1), np.uint8), '16SC1', Header())


def test_the_label_map_of_classes_is_read_back():
    stamp = Header().stamp
    labels = label_set(label_map(class_space(CAMVID), 'camvid', stamp))
    assert labels.classes == CAMVID.classes
