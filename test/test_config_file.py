"""The parameter file and the RViz file fit the nodes."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from enet_ros.config import ReplayConfig, SegmentationConfig
from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.labels import CAMVID
from enet_ros.pointcloud.config import SemanticCloudConfig

yaml = pytest.importorskip('yaml')

CONFIG = Path(__file__).parent.parent / 'config'
TEXT = (CONFIG / 'enet.yaml').read_text()


def leaves(config, prefix=''):
    """Yield (dotted name, field, value) of each setting in a nest of dataclasses."""
    for item in fields(config):
        value = getattr(config, item.name)
        if is_dataclass(value):
            yield from leaves(value, f'{prefix}{item.name}.')
        else:
            yield prefix + item.name, item, value


def flat(tree, prefix=''):
    """Return {dotted name: value} of nested dictionaries."""
    values = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            values.update(flat(value, f'{prefix}{name}.'))
        else:
            values[prefix + name] = value
    return values


SECTIONS = {'/**': (SegmentationConfig(), ReplayConfig()),
            '/**/freespace_node': (FreeSpaceNodeConfig(),),
            '/**/semantic_cloud_node': (SemanticCloudConfig(),)}
SETTINGS = {(section, name): (item, value) for section, configs in SECTIONS.items()
            for config in configs for name, item, value in leaves(config)}


def comment_above(section, name):
    """Return the text of the comment lines right above a parameter."""
    lines = TEXT[TEXT.index(f'{section}:\n'):].splitlines()
    key = name.split('.')[-1] + ':'
    depth = ' ' * (4 + 2 * name.count('.'))
    group = f'    {name.split(".")[0]}:'
    first = lines.index(group) if '.' in name else 0
    at = next(number for number in range(first, len(lines))
              if lines[number].startswith(depth + key))
    comment = []
    while lines[at - 1].strip().startswith('#'):
        at -= 1
        comment.insert(0, lines[at].strip(' #'))
    return ' '.join(comment)


def words_of(text):
    words = text.lower().translate(str.maketrans(',:;', '   ')).split()
    return [word.rstrip('.') for word in words]


def test_all_parameters_and_no_others():
    tree = yaml.safe_load(TEXT)
    assert list(tree) == list(SECTIONS)
    assert all(list(tree[section]) == ['ros__parameters'] for section in tree)
    assert {(section, name) for section in tree
            for name in flat(tree[section]['ros__parameters'])} == set(SETTINGS)


@pytest.mark.parametrize('section, name', SETTINGS)
def test_value_is_the_default(section, name):
    value = flat(yaml.safe_load(TEXT)[section]['ros__parameters'])[name]
    default = SETTINGS[section, name][1]
    if isinstance(default, tuple):
        # An empty YAML list has no type, which rclpy refuses; the nodes take [''] as empty.
        assert value, 'an empty list is no parameter value'
        value = tuple(item for item in value if item)
    assert value == default
    assert type(value) is type(default)


@pytest.mark.parametrize('section, name', SETTINGS)
def test_comment_gives_unit_and_range(section, name):
    comment = comment_above(section, name)
    rules = SETTINGS[section, name][0].metadata
    assert comment
    words = words_of(comment)
    for rule in ('minimum', 'maximum'):
        if rule in rules:
            assert f'{rules[rule]:g}' in words
    for choice in rules.get('choices', ()):
        assert choice in words
    for unit in ('pixels', 'milliseconds', 'rad', 'meters'):
        if unit in words_of(rules['description']):
            assert unit in words
    assert comment.endswith('Live.') == rules.get('live', False)


MASKS = {f'segmentation_node/mask/{label.topic_name}' for label in CAMVID.classes}
PICTURES = {'segmentation_node/overlay', 'segmentation_node/color'}


@pytest.mark.parametrize('name, topics', [
    ('segment.rviz', {'image'} | PICTURES),
    ('freespace.rviz', PICTURES | {f'freespace_node/{x}' for x in ('grid', 'scan', 'points')}),
    ('semantic_cloud.rviz',
     PICTURES | {f'semantic_cloud_node/{x}' for x in ('scan', 'obstacles', 'points')})])
def test_rviz_shows_topics_of_the_nodes(name, topics):
    tree = yaml.safe_load((CONFIG / name).read_text())
    displays = tree['Visualization Manager']['Displays']
    shown = {display['Topic']['Value'] for display in displays if 'Topic' in display}
    assert topics <= shown <= topics | MASKS
    layout = tree['Window Geometry']['QMainWindow State']
    for display in displays:
        if display['Class'] == 'rviz_default_plugins/Image':
            assert display['Name'].encode('utf-16-be').hex() in layout, 'it has no place'
