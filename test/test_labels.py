import numpy as np
import pytest

from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID, CITYSCAPES, LABEL_SETS, SUN_RGBD, LabelClass, LabelSet


def test_camvid_ids_and_colors():
    assert CAMVID.names == ['Sky', 'Building', 'Pole', 'Road', 'Pavement', 'Tree', 'SignSymbol',
                            'Fence', 'Car', 'Pedestrian', 'Bicyclist']
    palette = CAMVID.palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    assert palette[3].tolist() == [128, 64, 128]
    assert palette[10].tolist() == [0, 128, 192]
    assert not palette[11:].any()


@pytest.mark.parametrize('labels, count, drivable', [
    (CAMVID, 11, ['Road']), (CITYSCAPES, 19, ['road']), (SUN_RGBD, 37, ['floor', 'floor_mat'])])
def test_class_counts_and_drivable_classes(labels, count, drivable):
    assert len(labels) == count
    assert [label.name for label in labels.classes if label.drivable] == drivable
    assert len({label.color for label in labels.classes}) == count
    assert LABEL_SETS[labels.name] is labels


@pytest.mark.parametrize('name, topic', [
    ('SignSymbol', 'sign_symbol'), ('traffic light', 'traffic_light'), ('Sky', 'sky'),
    ('floor_mat', 'floor_mat'), ('tv', 'tv'), ('Lane-Mark 2', 'lane_mark_2')])
def test_topic_names(name, topic):
    assert LabelClass(name, (0, 0, 0)).topic_name == topic


@pytest.mark.parametrize('name', ['3d_thing', '道路', '7', '_'])
def test_names_that_are_not_valid_topics_are_rejected(name):
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from enet_ros.ros.outputs import mask_topics
    labels = LabelSet('own', (LabelClass('Road', (0, 0, 0)), LabelClass(name, (1, 1, 1))))
    for chosen in ((), ('Road', name)):
        with pytest.raises(BadInput, match=f'output.classes: {name!r} would .* rename it'):
            mask_topics(labels, chosen)
    assert mask_topics(labels, ('Road',)) == {'road': (0,)}


@pytest.mark.parametrize('labels', LABEL_SETS.values(), ids=LABEL_SETS)
def test_conversion_to_plain_data_and_back(labels):
    assert LabelSet.from_dict(labels.to_dict()) == labels


@pytest.mark.parametrize('data, complaint', [
    ({'name': 'x', 'classes': []}, '0 classes'),
    ({'name': 'x', 'classes': [{'name': 'a', 'color': [1, 2, 300]}]}, 'color'),
    ({'name': 'x', 'classes': [{'name': 'a', 'color': [1, 2, 3]}] * 2}, "'a' twice"),
    ({'name': 'x', 'classes': [{'name': '', 'color': [1, 2, 3]}]}, 'without a name'),
    ({'name': 'x', 'classes': [{'name': 'a'}]}, 'not a label set'),
    ({'classes': []}, 'not a label set'),
    ([], 'not a label set'),
])
def test_invalid_data_is_rejected(data, complaint):
    with pytest.raises(BadInput, match=complaint):
        LabelSet.from_dict(data)


def test_error_names_the_unknown_class():
    with pytest.raises(BadInput, match="no class 'Lane'"):
        CAMVID.id_of('Lane')
