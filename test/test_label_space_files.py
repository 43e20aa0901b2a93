"""`enet labelspace`: the files for Hydra and elevation_mapping_cupy have the formats they read."""

import csv

import pytest

from enet_ros.cli import main
from enet_ros.errors import BadInput
from enet_ros.label_space.elevation_mapping import channels_yaml
from enet_ros.label_space.hydra import HydraKinds, color_csv, label_space_yaml
from enet_ros.label_space.space import class_space
from enet_ros.labels import CAMVID, CITYSCAPES, SUN_RGBD, UNLABELED, LabelClass, LabelSet

yaml = pytest.importorskip('yaml')

FLAT = 'pavement', 'sidewalk', 'terrain'
# The fields of the label space in Hydra's configuration.
HYDRA_KEYS = ['total_semantic_labels', 'dynamic_labels', 'invalid_labels', 'object_labels',
              'surface_places_labels', 'label_names']


def labelspace(tiny_model, folder, *options):
    """Run the command; return the exit code."""
    return main(['labelspace', str(tiny_model), '--out', str(folder), *map(str, options)])


@pytest.mark.parametrize('labels', [CAMVID, CITYSCAPES, SUN_RGBD], ids=lambda x: x.name)
def test_hydra_label_space(labels):
    space = class_space(labels)
    tree = yaml.safe_load(label_space_yaml(space, HydraKinds(), FLAT))
    assert list(tree) == HYDRA_KEYS
    # Hydra takes labels from this number on as invalid.
    assert tree['total_semantic_labels'] == len(labels)
    assert tree['label_names'] == [{'label': i, 'name': name} for i, name in
                                   enumerate(labels.names)] + [
        {'label': UNLABELED, 'name': 'unlabeled'}]
    assert tree['invalid_labels'] == [UNLABELED]
    kinds = [set(tree[key]) for key in HYDRA_KEYS[1:5]]
    assert sum(map(len, kinds)) == len(set.union(*kinds)), 'a label is of two kinds'
    assert {i for i, label in enumerate(labels.classes) if label.drivable} <= kinds[3]
    assert set.union(*kinds) <= {*range(len(labels)), UNLABELED}


def test_hydra_kinds_can_be_named():
    kinds = HydraKinds(dynamic=['Car'], objects=[], surfaces=['Road'])
    tree = yaml.safe_load(label_space_yaml(class_space(CAMVID), kinds, FLAT))
    assert [tree[key] for key in HYDRA_KEYS[1:5]] == [[8], [UNLABELED], [], [3]]


def test_hydra_colors_are_those_of_the_label_map():
    rows = [*csv.DictReader(color_csv(class_space(CAMVID)).splitlines())]
    assert list(rows[0]) == ['name', 'red', 'green', 'blue', 'alpha', 'id']
    assert [(row['name'], (int(row['red']), int(row['green']), int(row['blue'])), int(row['id']))
            for row in rows[:-1]] == [
        (label.name, label.color, class_id) for class_id, label in enumerate(CAMVID.classes)]
    assert rows[-1]['name'] == 'unlabeled' and rows[-1]['id'] == '255'
    assert {row['alpha'] for row in rows} == {'255'}


def test_elevation_mapping_channels():
    tree = yaml.safe_load(channels_yaml(class_space(CAMVID), ['Road', 'SignSymbol'], '/front'))
    parameters = tree['/**']['ros__parameters']
    assert parameters['image_channel_fusions'] == {
        'road': 'exponential', 'sign_symbol': 'exponential'}
    assert parameters['subscribers'] == {
        f'mask_{name}': {'data_type': 'image', 'topic_name': f'/front/mask/{name}',
                         'camera_info_topic_name': '/front/camera_info', 'channels': [name]}
        for name in ('road', 'sign_symbol')}
    assert parameters['publishers'] == {'semantic_map': {
        'layers': ['elevation', 'road', 'sign_symbol'], 'basic_layers': ['elevation'],
        'fps': 5.0}}


def test_the_command_writes_the_files(tmp_path, tiny_model, capsys):
    assert labelspace(tiny_model, tmp_path / 'all') == 0
    assert sorted(file.name for file in (tmp_path / 'all').iterdir()) == [
        'camvid.csv', 'camvid_label_space.yaml', 'elevation_mapping_cupy.yaml']
    assert '11 classes' in capsys.readouterr().out
    assert labelspace(tiny_model, tmp_path / 'one', '--format', 'elevation_mapping_cupy') == 0
    assert [file.name for file in (tmp_path / 'one').iterdir()] == ['elevation_mapping_cupy.yaml']


def test_groups_are_described_with_their_ids_and_colors(tmp_path, tiny_model):
    groups = tmp_path / 'groups.yaml'
    groups.write_text('scenery: [Building, Tree]\nground: [Road]\n')
    assert labelspace(tiny_model, tmp_path / 'out', '--groups', groups, '--label-ids', 'groups',
                      '--objects', 'scenery') == 0
    tree = yaml.safe_load((tmp_path / 'out' / 'camvid_label_space.yaml').read_text())
    assert tree['label_names'][:2] == [{'label': 0, 'name': 'scenery'},
                                       {'label': 1, 'name': 'ground'}]
    assert (tree['object_labels'], tree['surface_places_labels']) == ([0], [1])
    assert 'ground,128,64,128,255,1\n' in (tmp_path / 'out' / 'camvid.csv').read_text()


def test_the_color_file_is_a_palette_of_the_node(tmp_path, tiny_model):
    assert labelspace(tiny_model, tmp_path, '--format', 'hydra') == 0
    assert labelspace(tiny_model, tmp_path / 'again', '--palette', tmp_path / 'camvid.csv') == 0
    assert (tmp_path / 'again' / 'camvid.csv').read_text() == (
        tmp_path / 'camvid.csv').read_text()


@pytest.mark.parametrize('options, words', [
    (['--dynamic', 'Lorry'], "no class or group 'Lorry'; choose among Sky"),
    (['--channels', 'Lorry'], "no class or group 'Lorry'"),
    (['--label-ids', 'groups'], "label_ids is 'groups'; it needs a file; name it in groups"),
    (['--palette', 'missing.csv'], 'cannot read missing.csv'),
])
def test_errors_are_one_line_and_leave_no_file(tmp_path, tiny_model, capsys, options, words):
    assert labelspace(tiny_model, tmp_path / 'out', *options) == 1
    error = capsys.readouterr().err
    assert words in error and error.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_names_and_colors_that_the_mappers_cannot_tell_apart():
    twins = class_space(LabelSet('x', (LabelClass('a', (1, 2, 3)), LabelClass('A', (1, 2, 3)))))
    with pytest.raises(BadInput, match="'a' and 'A' have the same color.*--palette"):
        color_csv(twins)
    with pytest.raises(BadInput, match="'a' has no mask topic of its own; rename it"):
        channels_yaml(twins)
    comma = class_space(LabelSet('x', (LabelClass('a, b', (1, 2, 3)),)))
    with pytest.raises(BadInput, match='comma'):
        color_csv(comma)
