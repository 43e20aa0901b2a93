"""Data sets: their layouts on disk, the contents of frames, and errors for unusable files."""

import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from sample_data import (
    FOLDER_YAML,
    make_camvid,
    make_cityscapes,
    make_folder,
    make_sunrgbd,
    write,
)

from enet_ros.data.datasets import open_dataset
from enet_ros.data.frames import ResizedFrames
from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader, read_image
from enet_ros.label_yaml import read_label_set
from enet_ros.labels import CAMVID, CITYSCAPES, SUN_RGBD, UNLABELED, LabelSet

SHARED_CAMVID = Path(__file__).parents[2] / 'shared' / 'camvid'
needs_camvid = pytest.mark.skipif(not SHARED_CAMVID.is_dir(), reason='CamVid is not available')


# All kinds

MAKERS = {'camvid': make_camvid, 'cityscapes': make_cityscapes, 'sunrgbd': make_sunrgbd,
          'own': make_folder}


def reopen(kind, folder):
    return open_dataset(folder / 'warehouse.yaml' if kind == 'own' else kind, folder)


def make(kind, folder):
    MAKERS[kind](folder)
    return reopen(kind, folder)


@pytest.mark.parametrize('kind, labels, size, frames', [
    ('camvid', CAMVID, (480, 360), {'train': 4, 'val': 2}),
    ('cityscapes', CITYSCAPES, (1024, 512), {'train': 2, 'val': 2}),
    ('sunrgbd', SUN_RGBD, (256, 200), {'train': 3, 'test': 2}),
    ('own', None, (64, 48), {'train': 2, 'val': 2}),
])
def test_frames_have_the_classes_and_shapes_of_their_data(tmp_path, kind, labels, size, frames):
    data = pickle.loads(pickle.dumps(make(kind, tmp_path)))  # as worker processes receive it
    assert data.labels == labels or kind == 'own'
    assert data.size == size
    assert {split: len(data.splits[split]) for split in data.splits} == frames
    for split in data.splits.values():
        counts = split.count_pixels()
        total = np.zeros(len(data.labels), int)
        for image, truth in split:
            assert image.dtype == truth.dtype == np.uint8
            assert image.shape == (*truth.shape, 3)
            assert truth[truth != UNLABELED].max() < len(data.labels)
            total += [(truth == i).sum() for i in range(len(data.labels))]
        assert counts.tolist() == total.tolist()
        assert len(set(split.names)) == len(split)


@pytest.mark.parametrize('kind', MAKERS)
def test_a_missing_split_is_reported(tmp_path, kind):
    splits = make(kind, tmp_path).splits
    missing = 'val' if kind == 'sunrgbd' else 'test'
    assert missing not in splits and splits.get(missing) is None
    with pytest.raises(BadInput, match=f"has no split '{missing}': .*; it has train"):
        splits[missing]
    with pytest.raises(BadInput, match="has no split 'tset'; it has train"):
        splits['tset']


@pytest.mark.parametrize('name, subfolder', [
    ('camvid', 'train'), ('camvid-0001TP', 'train'), ('cityscapes', 'leftImg8bit/train'),
    ('sunrgbd', 'SUNRGBD-train_images')])
def test_a_folder_without_the_data_set_is_rejected(tmp_path, name, subfolder):
    with pytest.raises(BadInput, match=f'{tmp_path}/{subfolder} does not exist'):
        open_dataset(name, tmp_path)
    with pytest.raises(BadInput, match='needs its folder'):
        open_dataset(name)


def test_unknown_data_sets_are_rejected():
    complaint = "'kitti' is not known; choose one of camvid, .*sunrgbd.*streets.*yaml"
    with pytest.raises(BadInput, match=complaint):
        open_dataset('kitti', '.')


def test_unseen_streets_are_rendered_without_a_folder():
    data = open_dataset('streets')
    frames = data.splits['val']
    assert data.labels == CAMVID and len(set(frames.names)) == len(frames) == 200
    (first, truth), (again, _), (other, _) = frames[0], frames[0], frames[199]
    assert first.shape == (360, 640, 3) and truth.shape == (360, 640)
    assert (first == again).all() and (first != other).any()
    assert frames.names[9] == 'street1000001_frame37'
    with pytest.raises(BadInput, match="streets has no split 'train': .*synthetic_share"):
        data.splits['train']


def images_of(data, split='train'):
    return [file for _, file, _ in data.splits[split].files]


def labels_of(data, split='train'):
    return [file for _, _, file in data.splits[split].files]


@pytest.mark.parametrize('kind', MAKERS)
@pytest.mark.parametrize('damage, complaint', [
    (lambda image, labels: labels.unlink(), 'label file {labels} is missing; add it'),
    (lambda image, labels: labels.write_bytes(b''), '{labels} is not an image'),
    (lambda image, labels: image.write_text('hello'), '{image} is not an image'),
    (lambda image, labels: image.write_bytes(image.read_bytes()[:60]), '{image} is not an image'),
    (lambda image, labels: write(labels, np.full((9, 9), 77, np.uint8)),
     '{labels} holds id 77; .* has the ids '),
    (lambda image, labels: write(labels, np.ones((9, 8), np.uint8)),
     '{image} is .* but its labels {labels} are 8x9; make them one size'),
    (lambda image, labels: write(labels, np.zeros((9, 9), np.uint16)), '{labels} is uint16'),
    (lambda image, labels: write(labels, np.zeros((9, 9, 4), np.uint8)), 'of one channel'),
])
def test_damaged_frames_are_reported(tmp_path, kind, damage, complaint):
    data = make(kind, tmp_path)
    image, labels = images_of(data)[1], labels_of(data)[1]
    damage(image, labels)
    with pytest.raises(BadInput, match=complaint.format(image=image, labels=labels)) as caught:
        data.splits['train'].check()
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('kind', MAKERS)
def test_empty_splits_are_rejected(tmp_path, kind):
    for file in images_of(make(kind, tmp_path)):
        file.unlink()
    data = reopen(kind, tmp_path)
    with pytest.raises(BadInput, match='no images at .*train'):
        data.splits['train'].check()


def test_splits_without_labeled_pixels_are_rejected(tmp_path):
    data = make('cityscapes', tmp_path)
    for file in labels_of(data):
        write(file, np.zeros_like(cv2.imread(str(file), cv2.IMREAD_UNCHANGED)))
    with pytest.raises(BadInput, match='no pixel .* has a class'):
        data.splits['train'].check()


def test_images_that_differ_only_in_suffix_are_rejected(tmp_path):
    data = make('own', tmp_path)
    shutil.copy(images_of(data)[0], tmp_path / 'images/train/a.jpeg')
    with pytest.raises(BadInput, match='a.jpeg and a.jpg have the same name'):
        reopen('own', tmp_path).splits['train'].check()


def test_labels_of_fewer_than_eight_bits_are_rejected(tmp_path):
    """OpenCV scales their values to 0-255, so the ids are lost."""
    data = make('camvid', tmp_path)
    file = labels_of(data)[0]
    assert cv2.imwrite(str(file), np.zeros((48, 64), np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])
    with pytest.raises(BadInput, match='fewer than 8 bits'):
        data.splits['train'][0]


def test_resized_frames(tmp_path):
    frames = make('cityscapes', tmp_path).splits['train']
    small = ResizedFrames(frames, (32, 16))
    image, labels = small[1]
    assert image.shape == (16, 32, 3) and labels.shape == (16, 32)
    assert set(np.unique(labels)) == set(np.unique(frames[1][1]))
    assert image[3, 3].tolist() == frames[1][0][6, 6].tolist()
    assert len(small) == 2


# CamVid

def test_camvid_keeps_its_ids_and_maps_void_to_unlabeled(tmp_path):
    frames = make('camvid', tmp_path).splits['train']
    image, labels = frames[0]
    stored = cv2.imread(str(tmp_path / 'trainannot/frame0.png'), cv2.IMREAD_UNCHANGED)
    assert (labels == np.where(stored == 11, UNLABELED, stored)).all()
    assert (image == read_image(tmp_path / 'train/frame0.png')).all()
    assert frames.names == ['frame0', 'frame1', 'frame2', 'frame3']


def test_a_drive_of_camvid_is_held_out(tmp_path):
    make_camvid(tmp_path, train=3)
    with pytest.raises(BadInput, match=r'no images at .*train/0001TP\*'):
        open_dataset('camvid-0001TP', tmp_path).splits['val'].check()
    for folder in ('train', 'trainannot'):
        (tmp_path / folder / 'frame1.png').rename(tmp_path / folder / '0001TP_000030.png')
    data = open_dataset('camvid-0001TP', tmp_path)
    assert data.splits['val'].names == ['0001TP_000030']
    assert data.splits['train'].names == ['frame0', 'frame2']
    assert sum(data.splits[split].count_pixels().sum() for split in ('train', 'val')) == (
        open_dataset('camvid', tmp_path).splits['train'].count_pixels().sum())


@needs_camvid
def test_camvid_itself_if_it_is_installed():
    splits = open_dataset('camvid', SHARED_CAMVID).splits
    assert (len(splits['train']), len(splits['val'])) == (367, 101)
    splits = open_dataset('camvid-0001TP', SHARED_CAMVID).splits
    assert (len(splits['train']), len(splits['val'])) == (305, 62)
    assert not set(splits['train'].names) & set(splits['val'].names)
    splits['val'].check()
    image, labels = splits['train'][0]
    assert image.shape == (360, 480, 3) and labels.shape == (360, 480)


# Cityscapes

def test_cityscapes_label_ids_become_classes(tmp_path):
    frames = make('cityscapes', tmp_path).splits['val']
    _, labels = frames[0]
    assert labels[0, 0] == UNLABELED
    assert labels[6, 0] == CITYSCAPES.id_of('road')
    assert labels[10, 6] == CITYSCAPES.id_of('car')
    assert frames.names == ['aachen_000000_000000', 'bremen_000000_000001']


def test_all_label_ids_of_cityscapes(tmp_path):
    file = tmp_path / 'gtFine/train/aachen/aachen_000000_000000_gtFine_labelIds.png'
    make_cityscapes(tmp_path, size=(34, 34))
    write(file, np.tile(np.arange(34, dtype=np.uint8), (34, 1)))
    row = open_dataset('cityscapes', tmp_path).splits['train'][0][1][0]
    assert row.tolist() == [
        255, 255, 255, 255, 255, 255, 255, 0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7,
        8, 9, 10, 11, 12, 13, 14, 15, 255, 255, 16, 17, 18]


def test_instances_of_cityscapes(tmp_path):
    frames = make('cityscapes', tmp_path).splits['val']
    shape = frames[1][1].shape
    instances = frames.instances(1, shape)
    assert instances.dtype == np.int32 and instances.shape == shape
    assert set(np.unique(instances)) == {3, 7, 26000, 26001}
    assert ((instances == 26001).sum(), (instances == 26000).sum()) == (16 * 20, 64)
    frames.check_instances()
    with pytest.raises(BadInput, match=r'instanceIds.png is uint16 .* uint16 of shape \(8, 8\)'):
        frames.instances(1, (8, 8))
    file, = (tmp_path / 'gtFine/val/bremen').glob('*_instanceIds.png')
    write(file, instances.astype(np.uint8))
    with pytest.raises(BadInput, match=f'{file} is uint8'):
        frames.instances(1, shape)
    file.unlink()
    with pytest.raises(BadInput, match=f'{file} is missing'):
        frames.check_instances()
    assert not hasattr(open_dataset(make_folder(tmp_path)).splits['val'], 'instances')


# SUN RGB-D

def test_sun_rgbd_numbers_labels_from_one_and_test_first(tmp_path):
    splits = make('sunrgbd', tmp_path).splits
    for index, (image, labels) in enumerate(splits['train']):
        assert (labels[0] == UNLABELED).all() and (labels[1:] == index).all()
        assert image.shape == (41 + index, 51 + index, 3)
    assert (splits['test'][0][1][1:] == SUN_RGBD.id_of('bag')).all()
    assert splits['train'].names == ['img-005051', 'img-005052', 'img-005053']
    assert splits['test'].names == ['img-000001', 'img-000002']


def assert_same_frames(one, other):
    assert one.names == other.names
    for (image, labels), (other_image, other_labels) in zip(one, other):
        assert np.array_equal(image, other_image) and np.array_equal(labels, other_labels)


@pytest.mark.parametrize('labels', ['labels', 'annotations'])
def test_sun_rgbd_with_labels_sorted_into_splits(tmp_path, labels):
    before = make('sunrgbd', tmp_path / 'archive')
    root = tmp_path / 'sorted'
    for split in ('train', 'test'):
        (root / labels / split).mkdir(parents=True)
        shutil.copytree(tmp_path / f'archive/SUNRGBD-{split}_images', root / split)
        for file in labels_of(before, split):
            shutil.copy(file, root / labels / split)
    after = open_dataset('sunrgbd', root)
    for split in ('train', 'test'):
        assert_same_frames(before.splits[split], after.splits[split])


def test_sun_rgbd_in_its_original_tree(tmp_path):
    before = make('sunrgbd', tmp_path / 'archive')
    root = tmp_path / 'original'
    shutil.copytree(tmp_path / 'archive/sunrgbd_train_test_labels',
                    root / 'sunrgbd-meta-data/sunrgbd_train_test_labels')
    for split in ('train', 'test'):
        lines = []
        for number, file in enumerate(images_of(before, split)):
            lines.append(f'SUNRGBD/kv2/kinect2data/{split}{9 - number}/image/0000121.jpg')
            (root / lines[-1]).parent.mkdir(parents=True)
            shutil.copy(file, root / lines[-1])
        (root / f'sunrgbd-meta-data/sunrgbd_{split}ing_images.txt').write_text(
            '\n'.join(lines) + '\n')
    after = open_dataset('sunrgbd', root)
    for split in ('train', 'test'):
        assert_same_frames(before.splits[split], after.splits[split])
    (root / lines[1]).unlink()
    with pytest.raises(BadInput, match=f'image {root / lines[1]} is missing'):
        after.splits['test'].check()


def test_blocks_of_sun_rgbd_are_held_out(tmp_path):
    make_sunrgbd(tmp_path, train=540)
    splits = open_dataset('sunrgbd-heldout', tmp_path).splits
    assert (len(splits['train']), len(splits['val']), len(splits['test'])) == (487, 53, 2)
    assert splits['val'].names[0] == f'img-{5051 + 9 * 53:06d}'
    assert not set(splits['train'].names) & set(splits['val'].names)


def test_sun_rgbd_images_need_numbers(tmp_path):
    write(tmp_path / 'SUNRGBD-train_images/sofa.jpg', np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(BadInput, match='sofa.jpg has no number'):
        open_dataset('sunrgbd', tmp_path)


# Users' own data

@pytest.mark.parametrize('colors', [False, True])
def test_own_labels_by_ids_and_by_colors(tmp_path, colors):
    data = open_dataset(make_folder(tmp_path, colors=colors))
    _, labels = data.splits['val'][1]
    assert [labels[y, 5] for y in (0, 15, 25, 35)] == [0, 1, 2, UNLABELED]
    assert data.name == data.labels.name == 'warehouse'
    assert data.labels.names == ['floor', 'rack', 'person']
    assert [label.drivable for label in data.labels.classes] == [True, False, False]
    assert data.labels.void_id == 9


def test_own_ids_that_do_not_start_at_zero(tmp_path):
    text = FOLDER_YAML.replace('void_id: 9', 'void_id: 0')
    for name, number in (('floor', 9), ('rack', 1), ('person', 2)):
        text = text.replace(f'name: {name},', f'name: {name}, id: {number},')
    data = open_dataset(make_folder(tmp_path, text))
    _, labels = data.splits['train'][0]
    assert [labels[y, 5] for y in (0, 15, 25, 35)] == [UNLABELED, 1, 2, 0]
    assert data.labels.void_id == UNLABELED


def test_colors_of_no_class_are_reported(tmp_path):
    data = open_dataset(make_folder(tmp_path, colors=True))
    file = labels_of(data)[1]
    image = cv2.imread(str(file))
    image[7, 3] = 3, 2, 1
    write(file, image)
    with pytest.raises(BadInput, match=rf'{file} has color \[1, 2, 3\] at x 3, y 7, .*; class '
                                       'ids need a gray PNG'):
        data.splits['train'].check()


@pytest.mark.parametrize('color, expected', [([9, 9, 9], UNLABELED), ([0, 0, 0], 0)])
def test_black_is_void_unless_a_class_has_that_color(tmp_path, color, expected):
    file = write(tmp_path / 'labels.png', np.zeros((2, 3, 3), np.uint8))
    labels = LabelSet.from_dict({'name': 'x', 'classes': [{'name': 'a', 'color': color}]})
    assert LabelReader(labels, colors=True)(file).tolist() == [[expected] * 3] * 2


def test_the_root_of_own_frames(tmp_path):
    file = make_folder(tmp_path / 'data')
    elsewhere = tmp_path / 'warehouse.yml'
    elsewhere.write_text(FOLDER_YAML)
    assert len(open_dataset(elsewhere, tmp_path / 'data').splits['train']) == 2
    elsewhere.write_text(FOLDER_YAML + f'root: {tmp_path / "data"}\n')
    assert len(open_dataset(elsewhere).splits['val']) == 2
    assert len(open_dataset(file).splits['val']) == 2
    elsewhere.write_text(FOLDER_YAML + 'root: data\n')
    assert len(open_dataset(elsewhere).splits['train']) == 2


@pytest.mark.parametrize('old, new, complaint', [
    ('name: warehouse\n', '', 'it needs a name'),
    ('size: [64, 48]', 'size: [64]', r'size is \[64\]; it must be \[width, height\]'),
    ('size: [64, 48]\n', '', 'size is None'),
    ('size: [64, 48]', 'size: [64, 8]', 'from 32 to 8192'),
    ('classes:', 'clases:', "unknown entry 'clases'; known entries are name, size, classes"),
    ('name: rack,', 'name: off,', 'class 1: name is False'),
    ('name: rack', 'name: floor', "names 'floor' twice"),
    ('[70, 70, 70]', '[70, 70, 300]', "'rack': color"),
    ('[70, 70, 70]', 'grey', "'rack': color is 'grey'"),
    ('[70, 70, 70]', '[128, 64, 128]', "'floor' and 'rack' have the same color"),
    ('[70, 70, 70]}', '[70, 70, 70], driveable: true}', "class 1: unknown entry 'driveable'"),
    ('drivable: true', 'drivable: 1', "'floor': drivable is 1"),
    ('void_id: 9', 'void_id: 2', "void_id 2 is also the id of class 'person'"),
    ('void_id: 9', 'void_id: 256', 'void_id is 256'),
    ('name: rack,', 'name: rack, id: 2,', "'rack' and 'person' both have id 2"),
    ('name: rack,', 'name: rack, id: one,', "class 'rack': id is 'one'"),
    ('images: images/train, ', '', 'train: images is None; it must name a folder'),
    ('labels: labels/train}', 'labels: images/train}', 'train: images and labels are in the same'),
    ('void_id: 9', 'root:', 'root is None; it must name a folder'),
    ('labels: labels/val}', 'label: labels/val}', "val: unknown entry 'label'"),
    ('val: {images: images/val, labels: labels/val}', 'val: images/val', 'val is .images/val'),
    ('labels: labels/val}', 'labels: labels/val', 'is not YAML'),
    ('- {name: rack, color: [70, 70, 70]}', '- rack', 'classes must be a list of entries'),
    (FOLDER_YAML, '', 'has no entries'),
    ('train: {images: images/train, labels: labels/train}\n'
     'val: {images: images/val, labels: labels/val}', '', 'names no frames; add train and val'),
    ('images/train', 'images/trian', "no split 'train': .*images/trian does not exist"),
])
def test_mistakes_in_yaml_files_are_reported(tmp_path, old, new, complaint):
    assert old in FOLDER_YAML
    file = make_folder(tmp_path, FOLDER_YAML.replace(old, new))
    with pytest.raises(BadInput, match=complaint) as caught:
        open_dataset(file).splits['train']
    assert 'warehouse' in str(caught.value) and '\n' not in str(caught.value)


def test_a_missing_yaml_file_is_reported(tmp_path):
    with pytest.raises(BadInput, match='cannot read .*none.yaml: No such file'):
        open_dataset(tmp_path / 'none.yaml')


def test_label_set_of_a_data_set_file(tmp_path):
    labels = read_label_set(make_folder(tmp_path))
    assert labels.names == ['floor', 'rack', 'person'] and labels.void_id == 9
    assert labels.palette()[2].tolist() == [220, 20, 60]
