"""The output of `enet info`."""

import json
import math

import pytest
import torch
from safetensors import safe_open

from enet_ros.cli import main
from enet_ros.labels import CITYSCAPES
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.cost import cost_of, stage_costs
from enet_ros.models.enet import ENet
from enet_ros.models.erfnet import ERFNet
from enet_ros.models.info import describe, text
from enet_ros.models.segnet import SegNet


@pytest.mark.parametrize('network, size', [(ENet, (480, 360)), (ENet, (75, 61)),
                                           (SegNet, (480, 360)), (SegNet, (75, 61)),
                                           (ERFNet, (480, 360)), (ERFNet, (75, 61))])
def test_stages_are_the_whole_network(network, size):
    with torch.device('meta'):
        network = network(12)
    stages, cost = stage_costs(network, *size), cost_of(network, *size)
    assert sum(stage.parameters for stage in stages) == cost.parameters
    assert sum(stage.gflops for stage in stages) == pytest.approx(cost.gflops)
    assert all(stage.gflops > 0 for stage in stages)


def test_stages_of_enet_are_the_papers_table():
    with torch.device('meta'):
        stages = stage_costs(ENet(19), 512, 512)
    context = ['', 'dilated 2', 'asymmetric 5', 'dilated 4', '', 'dilated 8', 'asymmetric 5',
               'dilated 16']
    expected = [('initial', '', (16, 256, 256)),
                ('bottleneck1.0', 'downsampling', (64, 128, 128))]
    expected += [(f'bottleneck1.{i}', '', (64, 128, 128)) for i in range(1, 5)]
    expected += [('bottleneck2.0', 'downsampling', (128, 64, 64))]
    expected += [(f'bottleneck{section}.{i}', kind, (128, 64, 64))
                 for section in (2, 3) for i, kind in enumerate(context, start=1)]
    expected += [('bottleneck4.0', 'upsampling', (64, 128, 128)),
                 ('bottleneck4.1', '', (64, 128, 128)), ('bottleneck4.2', '', (64, 128, 128)),
                 ('bottleneck5.0', 'upsampling', (16, 256, 256)),
                 ('bottleneck5.1', '', (16, 256, 256)), ('fullconv', '', (19, 512, 512))]
    assert [(stage.name, stage.kind, stage.output) for stage in stages] == expected


def test_stages_of_segnet():
    with torch.device('meta'):
        stages = stage_costs(SegNet(12), 480, 360)
    assert [stage.output for stage in stages] == [
        (64, 360, 480), (128, 180, 240), (256, 90, 120), (512, 45, 60), (512, 22, 30),
        (512, 22, 30), (256, 45, 60), (128, 90, 120), (64, 180, 240), (64, 360, 480),
        (12, 360, 480)]
    assert stages[0].kind == '2 convolutions, then pooling'
    assert stages[9].kind == 'unpooling, then 1 convolution'


@pytest.fixture
def file(tmp_path):
    """Return a checkpoint with complete metadata."""
    spec = ModelSpec(CITYSCAPES, width=96, height=64, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0),
                     training={'data': 'a made street', 'first': {'epochs': 7}},
                     metrics={'val': {'mean_iou': 0.51234, 'iou': {'road': 0.9}}},
                     license='for the test', architecture_options={'initial_pool': 3},
                     temperature=1.23456)
    checkpoint.save(tmp_path / 'made.safetensors', spec.build(), spec)
    return tmp_path / 'made.safetensors'


def test_info_as_text(file, capsys):
    assert main(['info', str(file)]) == 0
    printed = capsys.readouterr().out
    for part in (f'{file.stat().st_size:,} bytes', 'initial_pool: 3', '96x64 RGB in [0, 1], mean '
                 '0 0 0, std 1 1 1', '364,311, 0.69 MiB in float16', 'for the test',
                 'classes of cityscapes, unlabeled 255', ' 0  road           128 64 128   '
                 'drivable\n', '18  bicycle        119 11 32\n', 'bottleneck2.8  dilated 16',
                 '128x8x12', 'data: a made street\n', '    epochs: 7\n',
                 'mean_iou: 0.5123\n', '      road: 0.9\n',
                 'temperature   1.235: confidence is softmax(logits / temperature)\n'):
        assert part in printed, part
    assert not any(line.endswith(' ') for line in printed.splitlines())


def test_info_as_json(file, capsys):
    assert main(['info', '--json', str(file)]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described == json.loads(json.dumps(describe(file)))
    assert described['metrics']['val']['mean_iou'] == 0.51234
    assert described['labels'] == json.loads(json.dumps(CITYSCAPES.to_dict()))
    assert described['temperature'] == 1.23456
    assert described['cost']['parameters'] == 364_311
    assert described['stages'][0]['output'] == [16, 32, 48]


def test_classes_without_a_score(tmp_path, capsys):
    """A class that did not occur in the evaluated frames has no IoU; NaN is not JSON."""
    metrics = {'val': {'iou': {'road': 0.5, 'train': math.nan}, 'of_frames': [0.5, math.inf]}}
    spec = ModelSpec(CITYSCAPES, metrics=metrics)
    file = tmp_path / 'made.safetensors'
    checkpoint.save(file, spec.build(), spec)
    with safe_open(file, 'pt') as made:
        assert not {'NaN', 'Infinity'} & set(made.metadata()[checkpoint.METADATA_KEY].split())
    read = {'val': {'iou': {'road': 0.5, 'train': None}, 'of_frames': [0.5, None]}}
    assert checkpoint.read_spec(file).metrics == read
    assert main(['info', '--json', str(file)]) == 0
    described = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert described['metrics'] == read
    assert '      train: -\n' in text(describe(file))


def test_info_of_a_checkpoint_with_little_metadata(tmp_path):
    spec = ModelSpec(CITYSCAPES, 'segnet')
    with torch.device('meta'):
        network = spec.build()
    checkpoint.save(tmp_path / 'segnet.safetensors', network.to_empty(device='cpu'), spec)
    said = text(describe(tmp_path / 'segnet.safetensors'))
    assert 'architecture  segnet\n' in said and '29,453,971' in said
    for absent in ('options', 'license', 'training', 'metrics'):
        assert absent not in said


@pytest.mark.parametrize('content, complaint', [
    (None, 'does not exist; give a .safetensors or .onnx file, or one of enet_camvid'),
    (b'no weights', 'is not a complete safetensors file'),
])
def test_invalid_files_are_rejected(tmp_path, capsys, content, complaint):
    file = tmp_path / 'bad.safetensors'
    if content:
        file.write_bytes(content)
    assert main(['info', str(file)]) == 1
    said = capsys.readouterr()
    assert not said.out and complaint in said.err
    assert said.err.startswith('enet: ') and said.err.count('\n') == 1
