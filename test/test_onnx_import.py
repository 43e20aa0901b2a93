"""`enet import` of ONNX networks."""

import pytest

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('openvino')

import cv2
import numpy as np
import torch
import yaml
from onnx_networks import CLASSES, SmallNetwork, describe, export
from torch import nn

from enet_ros.cli import main
from enet_ros.engines import onnx_session
from enet_ros.engines.street_image import street_image
from enet_ros.models.onnx_spec import read_onnx_spec
from enet_ros.segmenter import Segmenter


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that imports tmp_path/net.onnx and returns the text that is printed."""
    labels = tmp_path / 'labels.yaml'
    labels.write_text(yaml.safe_dump({'name': 'warehouse', 'classes': CLASSES}))

    def run(*options, error=False):
        assert main(['import', str(tmp_path / 'net.onnx'), '--labels', str(labels),
                     *map(str, options)]) == error
        captured = capsys.readouterr()
        if error:
            assert captured.err.count('\n') == 1 and not (tmp_path / 'net.yaml').exists()
            assert not (tmp_path / 'net.png').exists() and not list(tmp_path.glob('*.part'))
        return captured.err if error else captured.out

    return run


@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('network, exported, options, expected', [
    ({}, {}, ['--mean', '0.5', '0.4', '0.3', '--std', '0.2', '0.25', '0.3'],
     {'mean': (0.5, 0.4, 0.3), 'std': (0.2, 0.25, 0.3)}),
    ({'layout': 'NHWC'}, {'layout': 'NHWC'}, ['--channels', 'bgr', '--range', 255],
     {'layout': 'NHWC', 'channels': 'bgr', 'range': 255}),
    ({'scale': 0.01}, {'dtype': torch.uint8}, [], {'dtype': 'uint8', 'range': 255}),
    ({'output': 'probabilities'}, {}, [], {'output': 'probabilities'}),
    ({'output': 'labels', 'labels': torch.int64, 'stride': 2}, {}, [], {'output': 'labels'}),
    ({'output': 'labels', 'labels': torch.float32}, {}, [], {'output': 'labels'}),
    ({'stride': 4}, {'free': True, 'size': (64, 64)}, ['--width', 96],
     {'width': 96, 'height': 480, 'stride': 1}),
    ({}, {'free': True}, ['--stride', 32], {'width': 640, 'height': 480, 'stride': 32}),
], ids=['mean and std', 'NHWC', 'uint8', 'probabilities', 'labels', 'float labels', 'free size',
        'stated stride'])
def test_what_is_found_out(tmp_path, run, monkeypatch, runtime, network, exported, options,
                           expected):
    monkeypatch.setattr(onnx_session, 'find_spec', lambda name: name == runtime)
    export(SmallNetwork(**network), tmp_path / 'net.onnx', **exported)
    out = run(*options)
    spec = read_onnx_spec(tmp_path / 'net.yaml')
    found = {name: getattr(spec, name, getattr(spec.input, name, None)) for name in (
        'width', 'height', 'stride', 'output', 'layout', 'channels', 'dtype', 'range', 'mean',
        'std')}
    assert found == {'width': 64, 'height': 48, 'stride': 0, 'output': 'logits', 'layout': 'NCHW',
                     'channels': 'rgb', 'dtype': 'float32', 'range': 1, 'mean': (0, 0, 0),
                     'std': (1, 1, 1), **expected}
    assert spec.labels.names == [entry['name'] for entry in CLASSES]
    assert f'{spec.output} of 5 classes' in out and f'image size {spec.width}x{spec.height}' in out
    assert '%' in out.splitlines()[2]
    labels = Segmenter.load(tmp_path / 'net.onnx', engine='openvino', device='cpu')(
        street_image(64, 48)).labels
    assert labels.shape == (spec.height, spec.width)


def test_the_stride_is_found_out(tmp_path, run):
    class Halving(nn.Module):
        """Adds features of two resolutions, which needs sizes that are multiples of 4."""

        def __init__(self):
            super().__init__()
            self.network = SmallNetwork()
            self.down, self.up = nn.AvgPool2d(4), nn.Upsample(scale_factor=4)

        def forward(self, image):
            scores = self.network(image)
            return scores + self.up(self.down(scores))

    export(Halving(), tmp_path / 'net.onnx', free=True)
    assert 'image size 640x480, any multiple of 4' in run()
    assert read_onnx_spec(tmp_path / 'net.yaml').stride == 4


def test_the_picture(tmp_path, run):
    export(SmallNetwork(), tmp_path / 'net.onnx')
    cv2.imwrite(str(tmp_path / 'gray.png'), np.full((90, 160, 3), 99, np.uint8))
    out = run('--image', tmp_path / 'gray.png', '--out', tmp_path / 'other.yaml')
    labels = Segmenter.load(describe(tmp_path / 'net.onnx', mean=[0, 0, 0], std=[1, 1, 1])
                            .with_suffix('.onnx'), device='cpu', engine='onnxruntime')(
        np.full((90, 160, 3), 99, np.uint8)).labels
    name = CLASSES[np.bincount(labels.ravel()).argmax()]['name']
    assert out.splitlines()[2].startswith(f'picture: {name} ')
    assert f'the file is read from {tmp_path / "net.yaml"}' in out
    assert cv2.imread(str(tmp_path / 'other.png')).shape[1] == 1320


@pytest.mark.parametrize('module, exported, options, message', [
    (SmallNetwork(), {}, ['--width', 96], 'takes images of 64x48 only, and width 96 is requested'),
    (SmallNetwork(), {}, ['--layout', 'NHWC'], 'net.onnx does not run on an input of shape'),
    (SmallNetwork(), {}, ['--output', 'probabilities'], 'predicts no probabilities'),
    (SmallNetwork(), {}, ['--output', 'labels'], 'describes labels of 5 classes'),
    (SmallNetwork(scale=float('nan')), {}, [], 'predicts values that are not finite'),
    (SmallNetwork(), {'dtype': torch.int32}, [], 'takes int32 (1, 3, 48, 64); supported are'),
    (SmallNetwork(), {'dtype': torch.uint8}, ['--range', 255],
     'takes bytes, which have no range, mean and std; leave out'),
    (SmallNetwork(), {}, ['--stride', 8], 'takes images of 64x48 only, which have no stride'),
    (SmallNetwork(), {'free': True}, ['--stride', 32, '--width', 100],
     'sides of images for'),
    (nn.Conv2d(3, 4, 1), {}, [], 'neither a score for each of the 5 classes'),
    (nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), {}, [],
     'gives float32 (1, 5), which is neither a score'),
])
def test_mistakes_are_named(tmp_path, run, module, exported, options, message):
    export(module, tmp_path / 'net.onnx', **exported)
    assert message in run(*options, error=True)


@pytest.mark.parametrize('name', ['net.yaml', 'net.png'])
def test_files_are_not_overwritten(tmp_path, run, name):
    export(SmallNetwork(), tmp_path / 'net.onnx')
    (tmp_path / name).write_text('mine')
    assert main(['import', str(tmp_path / 'net.onnx'), '--labels',
                 str(tmp_path / 'labels.yaml')]) == 1
    assert (tmp_path / name).read_text() == 'mine'


def test_a_missing_file_is_named(run):
    assert 'cannot read' in run(error=True)
