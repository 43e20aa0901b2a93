"""The commands in the documentation run, on small data in the place of the reader's."""

import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import yaml

pytest.importorskip('onnx', reason='needs onnx')
pytest.importorskip('rosbags', reason='needs rosbags')

import torch
from bags import raw, write_bag
from doc_blocks import PAGES, ROOT, blocks, page_name, run_page, write_files
from onnx_networks import CLASSES, SmallNetwork, export
from sample_data import make_camvid, write
from test_checkpoint_import import foreign_weights

from enet_ros.config import LabelSpaceConfig
from enet_ros.data import streets
from enet_ros.data.camvid import DRIVES
from enet_ros.label_space.files import read_files
from enet_ros.label_space.space import label_space
from enet_ros.label_yaml import read_label_set
from enet_ros.labels import CAMVID
from enet_ros.models.onnx_spec import read_onnx_spec
from enet_ros.synthetic.street import SyntheticStreet

RUNTIMES = 'onnxruntime', 'openvino', 'matplotlib', 'lightning_fabric'
TUTORIAL = ROOT / 'docs/tutorials/own_classes.md'  # test_tutorials.py runs it
RUN = [page for page in PAGES if page != TUTORIAL and any(block.is_run for block in blocks(page))]
IN_SHELL = 'labels'  # the page whose commands run unchanged, as processes


@pytest.fixture(scope='module')
def readers_files(tmp_path_factory):
    """Return a folder with what the pages call CAMVID, FOLDER, BAG, net.onnx and so on."""
    folder = tmp_path_factory.mktemp('reader')
    make_camvid(folder / 'CAMVID', train=len(DRIVES), val=2)
    for split in ('train', 'trainannot'):
        for file, drive in zip(sorted((folder / 'CAMVID' / split).iterdir()), DRIVES):
            file.rename(file.with_name(f'{drive}_{file.name}'))
    image = SyntheticStreet(64, 48).render(0).image[..., ::-1]
    for name in ('FOLDER/a.png', 'frames/more/b.png', 'frames/others/c.png', 'picture.jpg'):
        write(folder / name, image)
    write_bag(folder / 'BAG', [('/camera/image', raw(np.ascontiguousarray(image), 'bgr8'))])
    export(SmallNetwork(), folder / 'net.onnx')
    export(SmallNetwork(stride=4), folder / 'teacher.onnx', free=True)
    for name in ('classes', 'labels'):
        (folder / f'{name}.yaml').write_text(
            yaml.safe_dump({'name': 'warehouse', 'classes': CLASSES}))
    torch.save(foreign_weights(len(CLASSES)), folder / 'ENet.pth')
    write_files(ROOT / 'docs/labels.md', folder)  # groups.yaml
    return folder


@pytest.mark.skipif(not all(map(find_spec, RUNTIMES)), reason=f'needs {", ".join(RUNTIMES)}')
@pytest.mark.parametrize('page', RUN, ids=page_name)
def test_the_commands_of_a_page_run(page, readers_files, tmp_path, monkeypatch):
    monkeypatch.setattr(streets, 'FRAMES', 2)
    shutil.copytree(readers_files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    run_page(page, in_shell=page.stem == IN_SHELL)


def test_the_example_files_are_valid(tmp_path):
    for page in PAGES:
        write_files(page, tmp_path)
    assert read_label_set(tmp_path / 'mine.yaml').names == ['floor', 'rack', 'person']
    assert read_onnx_spec(tmp_path / 'cityscapes.yaml').width == 1024
    groups, table, palette = (str(tmp_path / name)
                              for name in ('groups.yaml', 'table.yaml', 'palette.csv'))
    for ids in ('groups', 'mapped'):
        files = read_files(LabelSpaceConfig(groups, ids, table,
                                            palette if ids == 'groups' else ''))
        names = {value.name for value in label_space(CAMVID, files).values}
        assert names == ({'ground', 'vehicle'} if ids == 'groups' else {'Road', 'Car'}), ids
