"""The Foxglove layout has the form that Foxglove exports, and shows topics of the nodes.

The form is that of layouts exported from Foxglove: `configById` holds the settings of each panel
under TYPE!id, and `layout` is a binary tree whose leaves are these names.
"""

import json
import re
from pathlib import Path

import pytest

LAYOUT = json.loads((Path(__file__).parent.parent / 'config/foxglove.json').read_text())
PANELS = LAYOUT['configById']
KEYS = {'configById', 'globalVariables', 'userNodes', 'playbackConfig', 'layout'}
NODES = 'segmentation_node', 'freespace_node', 'semantic_cloud_node'


def leaves(tree):
    """Return the panels of a layout tree; fail if it has another form."""
    if isinstance(tree, str):
        return [tree]
    assert tree.keys() == {'direction', 'splitPercentage', 'first', 'second'}
    assert tree['direction'] in ('row', 'column') and 0 < tree['splitPercentage'] < 100
    return [*leaves(tree['first']), *leaves(tree['second'])]


def shown_topics():
    """Return the topics of all panels, without the fields of messages."""
    for name, panel in PANELS.items():
        kind = name.partition('!')[0]
        if kind == 'Image':
            yield from panel['imageMode'].values()
        elif kind == '3D':
            yield from panel['topics']
        elif kind == 'Plot':
            yield from (path['value'].partition('.')[0] for path in panel['paths'])
        else:
            yield panel['topicToRender']


def test_the_layout_tree_holds_every_panel_once():
    assert LAYOUT.keys() == KEYS
    assert sorted(leaves(LAYOUT['layout'])) == sorted(PANELS)
    assert all(re.fullmatch(r'(Image|3D|DiagnosticSummary|Plot)!\w+', name) for name in PANELS)


def test_every_panel_shows_something():
    for name, panel in PANELS.items():
        if name.startswith('3D!'):  # only visible topics are subscribed to
            assert panel['topics'] and all(each['visible'] for each in panel['topics'].values())
            for key, layer in panel['layers'].items():
                assert layer['instanceId'] == key and layer['layerId'] == 'foxglove.Grid'
        elif name.startswith('Image!'):
            assert panel['imageMode'].keys() == {'imageTopic', 'calibrationTopic'}
        elif name.startswith('Plot!'):
            assert all(path['enabled'] for path in panel['paths'])
    kinds = [name.partition('!')[0] for name in PANELS]
    assert kinds.count('Image') == 2 and {'3D', 'DiagnosticSummary'} <= set(kinds)


def test_the_topics_are_those_of_the_nodes():
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from enet_ros.msg import FrameTiming

    from enet_ros.ros.outputs import (
        CLOUD_OUTPUTS,
        FREE_SPACE_OUTPUTS,
        REPORTS,
        segmentation_outputs,
    )
    tables = {**segmentation_outputs({}), **REPORTS}, FREE_SPACE_OUTPUTS, CLOUD_OUTPUTS
    known = {f'/{node}/{topic}' for node, table in zip(NODES, tables) for topic in table}
    shown = set(shown_topics())
    assert shown <= known | {'/diagnostics'}
    assert {f'/semantic_cloud_node/{topic}' for topic in CLOUD_OUTPUTS} <= shown
    fields = FrameTiming.get_fields_and_field_types()
    for path in PANELS['Plot!timing']['paths']:
        assert path['value'].partition('.')[2] in fields
