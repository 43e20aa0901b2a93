"""The values and colors of published label images, and the files that define them."""

import numpy as np
import pytest

from enet_ros.config import LabelSpaceConfig, OutputConfig
from enet_ros.errors import BadInput
from enet_ros.images.postprocess import Painter
from enet_ros.label_space.files import read_files
from enet_ros.label_space.space import class_space, label_space
from enet_ros.labels import CAMVID, UNLABELED

pytest.importorskip('yaml')

GROUPS = 'vehicle: [Car, Bicyclist]\nground: [Road]\n'
TABLE = 'encoding: 16SC1\nvoid: -1\nids: {Road: 700, Car: 3, Sky: 0}\n'
PALETTE = 'name,r,g,b,a,id\n' + ''.join(
    f'{name},{class_id},200,7,255,{class_id}\n' for class_id, name in enumerate(CAMVID.names))
IMAGE = np.array([[*range(len(CAMVID)), UNLABELED]], np.uint8)


def space_of(folder, **texts):
    """Return the LabelSpace of CamVid's classes with files of these texts."""
    settings = {}
    for name, text in texts.items():
        if name == 'label_ids':
            settings[name] = text
            continue
        file = folder / f'{name}.txt'
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        settings[name] = str(file)
    return label_space(CAMVID, read_files(LabelSpaceConfig(**settings)))


def published(space):
    """Return what is published for each class of CamVid and for no class."""
    return Painter(space.palette()[:, ::-1], space.table()).label(IMAGE)[0]


def test_class_ids_are_published_without_files(tmp_path):
    space = space_of(tmp_path)
    assert space == class_space(CAMVID) and space.table() is None and not space.warning()
    assert published(space) is not None and np.array_equal(published(space), IMAGE[0])
    assert np.array_equal(space.palette(), CAMVID.palette())
    assert [(value.id, value.name, value.drivable) for value in space.values] == [
        (class_id, label.name, label.drivable) for class_id, label in enumerate(CAMVID.classes)]


def test_ids_and_colors_of_groups(tmp_path):
    space = space_of(tmp_path, label_ids='groups', groups=GROUPS)
    car, bicyclist, road = map(CAMVID.id_of, ('Car', 'Bicyclist', 'Road'))
    expected = np.full(IMAGE.shape[1], UNLABELED)
    expected[[car, bicyclist]], expected[road] = 0, 1
    assert published(space).dtype == np.uint8 and np.array_equal(published(space), expected)
    colors = space.palette()[[car, bicyclist, road, CAMVID.id_of('Sky')]].tolist()
    assert colors == [[64, 0, 128], [64, 0, 128], [128, 64, 128], [0, 0, 0]]
    assert [(value.name, value.drivable) for value in space.values] == [
        ('vehicle', False), ('ground', True)]
    assert space.void == UNLABELED and space.encoding == 'mono8'
    assert space.void_classes == ('Sky', 'Building', 'Pole', 'Pavement', 'Tree', 'SignSymbol',
                                  'Fence', 'Pedestrian')
    assert space.summary() == f'groups of {tmp_path / "groups.txt"}'
    assert space.warning() == (
        f'{tmp_path / "groups.txt"} leaves out Sky, Building, Pole, Pavement, Tree, SignSymbol, '
        'Fence, Pedestrian, which are published as 255 (no class); add them to a group if readers '
        'need them')


def test_a_group_with_other_ground_is_not_drivable(tmp_path):
    space = space_of(tmp_path, label_ids='groups', groups='ground: [Road, Pavement]')
    assert not space.values[0].drivable


def test_groups_alone_leave_class_ids(tmp_path):
    assert space_of(tmp_path, groups=GROUPS) == class_space(CAMVID)


def test_ids_of_a_table(tmp_path):
    space = space_of(tmp_path, label_ids='mapped', label_table=TABLE)
    expected = np.full(IMAGE.shape[1], -1)
    expected[[CAMVID.id_of(name) for name in ('Road', 'Car', 'Sky')]] = 700, 3, 0
    assert published(space).dtype == np.int16 and np.array_equal(published(space), expected)
    assert [(value.id, value.name) for value in space.values] == [
        (0, 'Sky'), (700, 'Road'), (3, 'Car')]
    assert (space.void, space.encoding) == (-1, '16SC1')
    assert 'Tree' in space.void_classes and 'published as -1 (no class); add them to ids' in (
        space.warning())


@pytest.mark.parametrize('header', [
    'name,r,g,b,a,id', 'name,red,green,blue,alpha,id', ' Name, R, G, B, A, ID',
    '\ufeffname,r,g,b,a,id'])
def test_a_palette_sets_the_colors(tmp_path, header):
    text = PALETTE.replace('name,r,g,b,a,id', header) + 'unused,1,2,3,255,99\n\n'
    space = space_of(tmp_path, palette=text)
    ids = np.arange(len(CAMVID))
    assert np.array_equal(space.palette()[ids], np.stack([ids, 0 * ids + 200, 0 * ids + 7], 1))
    assert [value.color for value in space.values] == [(i, 200, 7) for i in ids]


def test_a_palette_without_alpha_and_ids_colors_groups(tmp_path):
    space = space_of(tmp_path, label_ids='groups', groups=GROUPS,
                     palette='name,r,g,b\nground,1,2,3\nvehicle,4,5,6\n')
    assert [value.color for value in space.values] == [(4, 5, 6), (1, 2, 3)]


@pytest.mark.parametrize('texts, words', [
    ({'groups': 'vehicle: [Car, Lorry]'},
     r"groups.txt, group 'vehicle': label set 'camvid' has no class 'Lorry'; it has Sky"),
    ({'groups': 'vehicle: []'}, r"groups.txt: group 'vehicle' is \[\]; write a list of class"),
    ({'groups': 'vehicle: Car'}, r"group 'vehicle' is 'Car'; write a list"),
    ({'groups': 'vehicle: [Car, Car]'}, r"group 'vehicle' names 'Car' twice; remove one"),
    ({'groups': 'off: [Car]'}, r'groups.txt: group False is not text; quote it'),
    ({'groups': 'vehicle: [3]'}, r"group 'vehicle': class 3 is not text; quote it"),
    ({'groups': 'a: [Car]\na: [Road]'}, r"groups.txt, from line 1 on: 'a' appears twice; remove"),
    ({'label_table': 'void: 9\nids:\n  Road: 1\n  Road: 2'},
     r"label_table.txt, from line 3 on: 'Road' appears twice; remove one"),
    ({'groups': '- Car'}, r'groups.txt has no entries'),
    ({'groups': 'a: [Car]\nb: [Road, Car]'},
     r"groups.txt: class 'Car' is in the groups 'a' and 'b'.*remove it from one"),
    ({'groups': '\n'.join(f'g{i}: [Car]' for i in range(256))}, r'has 256 groups.*at most 255'),
    ({'label_table': 'ids: {Lorry: 1}'}, r"label_table.txt, ids: .*no class 'Lorry'.*correct"),
    ({'label_table': 'ids: {Road: 1, Car: 1}'},
     r"label_table.txt: 'Road' and 'Car' both have id 1; change one, or join classes"),
    ({'label_table': 'ids: {Road: 255}'}, r"'void' and 'Road' both have id 255; change one"),
    ({'label_table': 'ids: {Road: 256}'},
     r"the id of class 'Road' is 256; with encoding mono8 .* 0 to 255: .*16SC1"),
    ({'label_table': 'ids: {Road: -1}\nencoding: 16SC1'}, r"'Road' is -1; .* from 0 to 32767"),
    ({'label_table': 'ids: {Road: 1}\nvoid: -1'}, r'void is -1; with encoding mono8'),
    ({'label_table': 'ids: {Road: 1.5}'}, r"'Road' is 1.5; "),
    ({'label_table': 'ids: {Road: 1}\nencoding: mono16'},
     r"label_table.txt: encoding is 'mono16'; choose one of mono8, 16SC1"),
    ({'label_table': 'ids: [Road]'}, r'label_table.txt: ids is .*write lines such as Road: 7'),
    ({'label_table': 'void: 0'}, r'ids is None'),
    ({'label_table': 'idz: {Road: 1}'}, r"label_table.txt: unknown entry 'idz'"),
    ({'palette': PALETTE.replace('Tree', 'Bush')},
     r"palette.txt has no color for 'Tree'; add a line such as Tree,128,64,128,255,5"),
    ({'palette': PALETTE.replace('7,255,5', '7,255,99')},
     r"palette.txt, line 7: 'Tree' has id 99, but ~/label holds 5 for it; correct"),
    ({'palette': PALETTE.replace('7,255,5', '7,255,4')},
     r"line 7: 'Pavement' and 'Tree' both have id 4; change one"),
    ({'palette': PALETTE.replace('Tree', 'Sky')}, r"line 7: name 'Sky' .*earlier line"),
    ({'palette': PALETTE.replace('Tree,5', 'Tree,256')},
     r"palette.txt, line 7: r is '256'; it must be a number from 0 to 255"),
    ({'palette': PALETTE.replace('Tree,5', 'Tree,x')}, r"line 7: r is 'x'"),
    ({'palette': PALETTE.replace('Tree,5,', 'Tree,')}, r'line 7: 5 values for 6 columns'),
    ({'palette': 'name,r,g,a\n'}, r'palette.txt, line 1: column b is missing; begin the file'),
    ({'palette': ''}, r'palette.txt, line 1: column name is missing'),
    ({'palette': PALETTE + 'a"b","\n'}, r'palette.txt'),
    ({'palette': b'\xff\xfe\x00'}, r'palette.txt is not text in UTF-8'),
], ids=lambda value: '' if isinstance(value, str) else next(iter(value.values()))[-24:])
def test_errors_name_the_file_the_reason_and_the_remedy(tmp_path, texts, words):
    ids = {'groups': 'groups', 'label_table': 'mapped', 'palette': 'classes'}[next(iter(texts))]
    with pytest.raises(BadInput, match=words) as raised:
        space_of(tmp_path, label_ids=ids, **texts)
    assert '\n' not in str(raised.value)


def test_missing_files(tmp_path):
    for name in ('groups', 'label_table', 'palette'):
        config = LabelSpaceConfig(**{name: str(tmp_path / 'x'), 'label_ids': 'classes'})
        if name == 'label_table':  # read only where it is used
            assert read_files(config).table is None
            config = LabelSpaceConfig(label_table=config.label_table, label_ids='mapped')
        with pytest.raises(BadInput, match='cannot read .*x: No such file'):
            read_files(config)


@pytest.mark.parametrize('ids, name', [('groups', 'groups'), ('mapped', 'label_table')])
def test_label_ids_need_their_file(ids, name):
    with pytest.raises(BadInput, match=f"label_ids is '{ids}'; it needs a file; name .* {name}"):
        OutputConfig(label_ids=ids)
