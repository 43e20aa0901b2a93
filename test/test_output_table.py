"""The tables of output topics, compared with the advertised topics."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from rclpy.lifecycle import LifecycleNode

from enet_ros.labels import CAMVID
from enet_ros.ros.camera_stream import CameraStream
from enet_ros.ros.cloud_stream import CloudStream
from enet_ros.ros.label_stream import LabelStream
from enet_ros.ros.outputs import (
    CLOUD_OUTPUTS,
    FREE_SPACE_OUTPUTS,
    REPORTS,
    mask_topics,
    segmentation_outputs,
)

MASKS = mask_topics(CAMVID, ())
TABLES = {
    'segmentation': {**segmentation_outputs(MASKS), **REPORTS},
    'free space': FREE_SPACE_OUTPUTS,
    'semantic cloud': CLOUD_OUTPUTS,
}


@pytest.mark.parametrize('table', TABLES)
def test_every_entry_is_advertised_with_its_type_and_qos(local_node, table):
    node = local_node(LifecycleNode)
    if table == 'segmentation':
        CameraStream(node, '', segmentation_outputs(MASKS), lambda: 0.0, read_config=None,
                     on_frame=None)
    elif table == 'semantic cloud':
        CloudStream(node, lambda: 0.0, read_config=None, on_frame=None)
    else:
        LabelStream(node, lambda: 0.0, read_config=None, on_frame=None)
    publishers = {each.topic_name: each for each in node.publishers}
    for topic, output in TABLES[table].items():
        publisher = publishers[f'/node/{topic}']
        assert publisher.msg_type is output.message_type
        assert publisher.qos_profile.durability == output.qos.durability
        assert publisher.qos_profile.reliability == output.qos.reliability


def test_there_is_a_mask_for_every_class():
    masks = {topic for topic in TABLES['segmentation'] if topic.startswith('mask/')}
    assert masks == {f'mask/{label.topic_name}' for label in CAMVID.classes}


def test_the_label_is_published_first():
    assert next(iter(TABLES['segmentation'])) == 'label'
