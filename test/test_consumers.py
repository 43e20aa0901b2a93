"""The topics in the documentation, among them the remappings in docs/consumers.md, exist."""

import re
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from doc_blocks import PAGES, page_name
from enet_ros.msg import LabelMap
from rclpy.lifecycle import LifecycleNode

from enet_ros.ros.camera_stream import CameraStream
from enet_ros.ros.cloud_stream import CloudStream
from enet_ros.ros.label_stream import LabelStream
from enet_ros.ros.messages import label_info_type
from enet_ros.ros.outputs import (
    CLOUD_OUTPUTS,
    FREE_SPACE_OUTPUTS,
    REPORTS,
    segmentation_outputs,
)

PAGE = (Path(__file__).parent.parent / 'docs/consumers.md').read_text()
SEGMENTATION = segmentation_outputs({'people': (0,)})
SERVICES = {'enable', 'reload'}
TABLES = {'segmentation_node': SEGMENTATION, 'freespace_node': FREE_SPACE_OUTPUTS,
          'semantic_cloud_node': CLOUD_OUTPUTS}


def type_name(message_type):
    """Return a message type as documentation writes it, such as sensor_msgs/Image."""
    return f'{message_type.__module__.partition(".")[0]}/{message_type.__name__}'


def known_topics():
    """Return {topic: type} of all nodes."""
    known = {f'/{node}/{topic}': type_name(output.message_type)
             for node, table in TABLES.items() for topic, output in table.items()}
    # Not in the tables, because they are published once and not for each frame.
    latched = {'label_map': type_name(LabelMap), 'label_info': 'vision_msgs/LabelInfo'}
    assert label_info_type() is None or type_name(label_info_type()) == latched['label_info']
    return {**known, **{f'/segmentation_node/{topic}': kind for topic, kind in latched.items()}}


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_topics_of_the_nodes_exist(page):
    text = page.read_text().replace('/segmentation_node/front/', '/segmentation_node/')
    named = re.findall(rf'`(/(?:{"|".join(TABLES)})/[a-z_/]+)`', text)
    assert not set(named) - set(known_topics())
    # ~ is one of the nodes.
    names = {topic.split('/', 2)[2] for topic in known_topics()} | set(REPORTS) | SERVICES
    private = [name for name in re.findall('`~/([a-z_/]+)`', text) if 'mask/' not in name]
    assert not set(private) - names


def remappings():
    """Yield (topic of the consumer, type, topic of these nodes) of the table."""
    section = PAGE.split('\n## Remappings\n')[1].split('\n## ')[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split('|')]
        if len(cells) == 7 and (topic := re.fullmatch(r'`(/\S+)`', cells[2])):
            for own in re.findall(r'`(/\S+)`', cells[4]):
                yield topic[1], cells[3], own


def test_the_table_has_the_types_of_the_outputs():
    rows, known = list(remappings()), known_topics()
    assert len(rows) >= 15
    for _, kind, own in rows:
        assert known.get(own) == kind, own


@pytest.mark.parametrize('name', TABLES)
def test_outputs_get_the_names_of_the_table(local_node, name):
    rules = {own.removeprefix(f'/{name}/'): topic for topic, _, own in remappings()
             if own.startswith(f'/{name}/') and own.rpartition('/')[2] != 'label_info'}
    assert rules
    arguments = [part for own, topic in rules.items() for part in ('-r', f'~/{own}:={topic}')]
    node = local_node(LifecycleNode, cli_args=['--ros-args', *arguments])
    if name == 'segmentation_node':
        CameraStream(node, '', SEGMENTATION, lambda: 0.0, read_config=None, on_frame=None)
    elif name == 'freespace_node':
        LabelStream(node, lambda: 0.0, read_config=None, on_frame=None)
    else:
        CloudStream(node, lambda: 0.0, read_config=None, on_frame=None)
    types = {publisher.topic_name: publisher.msg_type for publisher in node.publishers}
    for own, topic in rules.items():
        assert types[topic] is TABLES[name][own].message_type
