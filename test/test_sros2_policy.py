"""The SROS2 policy against what the running nodes publish, subscribe to and serve."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from nodes import Probe

FOLDER = Path(__file__).parent.parent / 'config/sros2'
CLOUD = {'label': '/segmentation_node/label', 'label_map': '/segmentation_node/label_map',
         'confidence': '/segmentation_node/confidence', 'depth': '/camera/depth/image_raw',
         'camera_info': '/camera/depth/camera_info'}
# Parameters and remappings of the nodes, under which they use all that the policy allows.
NODES = {
    'segmentation_node': ({}, {'image': '/camera/image_raw',
                               'image/compressed': '/camera/image_raw/compressed',
                               'camera_info': '/camera/camera_info'}),
    'freespace_node': ({'fusion.enabled': True},
                       {name: f'/segmentation_node/{name}'
                        for name in ('label', 'label_map', 'camera_info')}),
    'semantic_cloud_node': ({'input.confidence': True}, CLOUD),
    'replay_node': ({'source': 'synthetic'}, {}),
}
# Made with other parameters, where another package is installed, or by some versions of rclpy.
OPTIONAL = {'/camera/image_raw/compressed', '/bond', '/tf', '/tf_static', '/clock',
            '/parameter_events', '~/label_info', '~/get_type_description',
            '~/get_transition_graph'}


@pytest.fixture
def probe():
    made = Probe()
    yield made
    made.close()


def included(element: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Yield the children of a profile and of the files that it includes."""
    for child in element:
        if child.tag.endswith('}include'):
            yield from included(ElementTree.parse(FOLDER / child.attrib['href']).getroot())
        else:
            yield child


def policy(node: str) -> dict[str, set[str]]:
    """Return what the policy allows a node, by kind of access."""
    root = ElementTree.parse(FOLDER / 'enet_ros.policy.xml').getroot()
    profile, = (each for each in root.iter('profile') if each.attrib['node'] == node)
    allowed: dict[str, set[str]] = {'publish': set(), 'subscribe': set(), 'reply': set()}
    for element in included(profile):
        for access, rule in element.attrib.items():
            assert rule == 'ALLOW'
            allowed[access] |= {str(entry.text) for entry in element}
    return allowed


def graph(probe: Probe, node: str) -> dict[str, set[str]]:
    """Return the names of what a node publishes, subscribes to and serves."""
    functions = {'publish': probe.node.get_publisher_names_and_types_by_node,
                 'subscribe': probe.node.get_subscriber_names_and_types_by_node,
                 'reply': probe.node.get_service_names_and_types_by_node}
    return {access: {name for name, _ in function(node, '/')}
            for access, function in functions.items()}


@pytest.mark.parametrize('node', NODES)
def test_the_policy_allows_what_a_node_uses_and_no_more(start_node, tiny_model, probe, node):
    parameters, remaps = NODES[node]
    if node == 'segmentation_node':
        parameters = {'model.path': tiny_model, 'model.device': 'cpu', **parameters}
    start_node(node, parameters, remaps=remaps)
    allowed = policy(node)
    if node != 'replay_node':
        probe.bring_up(f'/{node}')

    def differences() -> list[str]:
        try:
            used = graph(probe, node)
        except Exception as error:  # rclpy: the node has not been discovered yet
            return [str(error)]
        found = []
        for access, names in used.items():
            entries = {entry: entry.replace('~', f'/{node}') for entry in allowed[access]}
            found += [f'not allowed to {access}: {name}' for name in names
                      if not any(fnmatchcase(name, entry) for entry in entries.values())]
            found += [f'needless right to {access}: {entry}' for entry, full in entries.items()
                      if entry not in OPTIONAL and not any(fnmatchcase(name, full)
                                                           for name in names)]
        return found

    probe.poll(lambda: not differences(), 6)
    assert differences() == []
