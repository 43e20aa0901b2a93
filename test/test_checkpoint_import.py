"""Importing checkpoints of PyTorch-ENet, and refusing what is none."""

import pickle
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from enet_ros.cli import main
from enet_ros.engines.graph import fold_batch_norms
from enet_ros.errors import BadInput
from enet_ros.labels import LabelClass, LabelSet
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint_import import import_checkpoint
from enet_ros.segmenter import Segmenter

SHARED = Path(__file__).parents[2] / 'shared'
FOREIGN = SHARED / 'checkpoints/pytorch_enet_scenes5.pth'
LABELS = LabelSet('scenes', tuple(
    LabelClass(name, (9 * place, 0, 0), drivable=place == 1)
    for place, name in enumerate(('sky', 'road', 'grass', 'tree', 'obstacle'))))


def foreign_weights(classes, encoder=True, decoder=False):
    """Return made weights with the names and shapes of PyTorch-ENet.

    encoder and decoder say whether their activations are PReLU and not ReLU.
    """
    shapes = {}

    def norm(name, channels):
        shapes.update({f'{name}.{kind}': (channels,)
                       for kind in ('weight', 'bias', 'running_mean', 'running_var')})
        shapes[f'{name}.num_batches_tracked'] = ()

    def layers(name, prelu, *convolutions):
        for place, convolution in enumerate(convolutions):
            shapes[f'{name}.{3 * place}.weight'] = convolution
            norm(f'{name}.{3 * place + 1}', convolution[0])
            if prelu:
                shapes[f'{name}.{3 * place + 2}.weight'] = (1,)

    def block(name, prelu, wide_in, mid, wide_out, kernel=1, main=((3, 3),)):
        layers(f'{name}.ext_conv1', prelu, (mid, wide_in, kernel, kernel))
        layers(f'{name}.ext_conv2', prelu, *((mid, mid, *window) for window in main))
        layers(f'{name}.ext_conv3', prelu, (wide_out, mid, 1, 1))
        if prelu:
            shapes[f'{name}.out_activation.weight'] = (1,)

    def upsampling(name, wide_in, mid, wide_out):
        layers(f'{name}.main_conv1', False, (wide_out, wide_in, 1, 1))
        layers(f'{name}.ext_conv1', decoder, (mid, wide_in, 1, 1))
        shapes[f'{name}.ext_tconv1.weight'] = (mid, mid, 2, 2)
        norm(f'{name}.ext_tconv1_bnorm', mid)
        layers(f'{name}.ext_conv2', False, (wide_out, mid, 1, 1))
        if decoder:
            shapes[f'{name}.ext_tconv1_activation.weight'] = (1,)
            shapes[f'{name}.out_activation.weight'] = (1,)

    shapes['initial_block.main_branch.weight'] = (13, 3, 3, 3)
    norm('initial_block.batch_norm', 16)
    if encoder:
        shapes['initial_block.out_activation.weight'] = (1,)
    block('downsample1_0', encoder, 16, 4, 64, kernel=2)
    for place in range(1, 5):
        block(f'regular1_{place}', encoder, 64, 16, 64)
    block('downsample2_0', encoder, 64, 16, 128, kernel=2)
    for stage, first in ((2, 1), (3, 0)):
        for place, kind in enumerate(('regular', 'dilated', 'asymmetric', 'dilated') * 2, first):
            main = ((5, 1), (1, 5)) if kind == 'asymmetric' else ((3, 3),)
            block(f'{kind}{stage}_{place}', encoder, 128, 32, 128, main=main)
    upsampling('upsample4_0', 128, 32, 64)
    for place in (1, 2):
        block(f'regular4_{place}', decoder, 64, 16, 64)
    upsampling('upsample5_0', 64, 16, 16)
    block('regular5_1', decoder, 16, 4, 16)
    shapes['transposed_conv.weight'] = (16, classes, 3, 3)

    generator = torch.Generator().manual_seed(6)
    return {name: torch.rand(shape, generator=generator) + 0.1 if 'running_var' in name
            else torch.tensor(7) if 'num_batches' in name
            else torch.randn(shape, generator=generator) / 4 for name, shape in shapes.items()}


@pytest.fixture
def labels_file(tmp_path):
    path = tmp_path / 'labels.yaml'
    path.write_text('name: scenes\nclasses:\n' + ''.join(
        f'  - {{name: {label.name}, color: {list(label.color)}, drivable: '
        f'{str(label.drivable).lower()}}}\n' for label in LABELS.classes))
    return path


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'foreign.pth'
    torch.save(foreign_weights(len(LABELS)), path)
    return path


@pytest.mark.skipif(not FOREIGN.is_file(), reason=f'{FOREIGN} is not on this machine')
@pytest.mark.parametrize('folded', [False, True], ids=['as it is', 'folded'])
def test_an_imported_network_predicts_the_same(tmp_path, labels_file, folded):
    pytest.importorskip('yaml')
    out = tmp_path / 'imported.safetensors'
    assert main(['import', str(FOREIGN), '--labels', str(labels_file), '--out', str(out)]) == 0
    network, spec = checkpoint.load(out)
    image = cv2.imread(str(SHARED / 'camvid/val/0016E5_07959.webp'))[:, :, ::-1].copy()
    x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        logits = (fold_batch_norms(network) if folded else network)(x)[0].numpy()
    reference = np.load(FOREIGN.with_name('pytorch_enet_scenes5_reference.npz'))
    assert np.abs(logits[:, ::8, ::8] - reference['logits']).max() < 1e-4
    assert np.array_equal(logits.argmax(0), reference['labels'])
    if not folded:
        segmenter = Segmenter(network, spec, engine='torch', device='cpu')
        assert np.array_equal(segmenter(image).labels, reference['labels'])


@pytest.mark.parametrize('encoder', [True, False], ids=['prelu encoder', 'relu encoder'])
@pytest.mark.parametrize('decoder', [True, False], ids=['prelu decoder', 'relu decoder'])
def test_every_weight_is_imported(tmp_path, encoder, decoder):
    weights = foreign_weights(len(LABELS), encoder, decoder)
    torch.save(weights, tmp_path / 'foreign.pth')
    network, spec = import_checkpoint(tmp_path / 'foreign.pth', LABELS, 64, 48)
    # What is registered in another order has its own order of numbers; all are there once.
    given, taken = ([value.flatten().tolist() for value in values if value.is_floating_point()]
                    for values in (weights.values(), network.state_dict().values()))
    assert sorted(given) == sorted(taken)
    assert torch.equal(network.stage2[2].extension[6].weight,
                       weights['asymmetric2_3.ext_conv2.3.weight'])
    assert torch.equal(network.up5.extension[3].weight, weights['upsample5_0.ext_tconv1.weight'])
    assert spec.mean == (0.0, 0.0, 0.0) and spec.std == (1.0, 1.0, 1.0)
    assert not network.training


@pytest.mark.parametrize('wrap', [
    lambda weights: {'epoch': 280, 'miou': np.float64(0.65), 'state_dict': weights,
                     'optimizer': {'state': {}, 'param_groups': [{'lr': 5e-4}]}},
    lambda weights: {f'module.{name}': value for name, value in weights.items()},
    lambda weights: {'state_dict': {f'module.{name}': value for name, value in weights.items()}},
    lambda weights: {name: value.half() if value.is_floating_point() else value
                     for name, value in weights.items()},
], ids=['training state', 'parallel', 'training state, parallel', 'half precision'])
@pytest.mark.parametrize('zipped', [True, False])
def test_supported_file_layouts(tmp_path, wrap, zipped):
    weights = foreign_weights(len(LABELS))
    torch.save(wrap(weights), tmp_path / 'foreign.pth', _use_new_zipfile_serialization=zipped)
    network, _ = import_checkpoint(tmp_path / 'foreign.pth', LABELS, 64, 48)
    assert torch.allclose(network.output.weight, weights['transposed_conv.weight'], atol=1e-3)


@pytest.mark.parametrize('options', [
    ['--image', 'x.png'], ['--channels', 'bgr'], ['--mean', '0', '0', '1'], ['--stride', '8']])
def test_options_for_onnx_networks_are_refused(file, labels_file, capsys, options):
    assert main(['import', str(file), '--labels', str(labels_file), *options]) == 1
    assert f'{options[0]} is for ONNX networks, and {file} is none' in capsys.readouterr().err


def test_the_import_command(file, labels_file, tmp_path, monkeypatch, capsys):
    pytest.importorskip('yaml')
    monkeypatch.chdir(tmp_path)
    arguments = ['import', str(file), '--labels', str(labels_file), '--width', '64',
                 '--height', '48']
    assert main(arguments) == 0
    assert '64x48 and the 5 classes of scenes' in capsys.readouterr().out
    network, spec = checkpoint.load(tmp_path / 'foreign.safetensors')
    assert spec.labels == LABELS
    assert (spec.width, spec.height) == (64, 48)
    assert spec.training['imported_from'] == 'foreign.pth'
    weights = foreign_weights(len(LABELS))
    assert torch.equal(network.initial.conv.weight, weights['initial_block.main_branch.weight'])

    cv2.imwrite(str(tmp_path / 'image.png'), np.full((60, 80, 3), 90, np.uint8))
    assert main(['segment', 'image.png', '--out', 'out', '--model', 'foreign.safetensors',
                 '--device', 'cpu']) == 0

    before = (tmp_path / 'foreign.safetensors').read_bytes()
    assert main(arguments) == 1
    assert 'exists already' in capsys.readouterr().err
    assert (tmp_path / 'foreign.safetensors').read_bytes() == before
    assert main([*arguments, '--out', 'absent/foreign.safetensors']) == 1
    assert 'cannot write absent' in capsys.readouterr().err


@pytest.mark.parametrize('text, complaint', [
    ('name: [', 'is not YAML'),
    ('', 'no entries'),
    ('name: scenes\nclasses: 5\n', 'classes must be a list'),
    ('name: scenes\nclasses: [{name: sky}]\n', 'color'),
    ('name: scenes\nclasses: [{name: sky, color: [0, 0, 300]}]\n', 'from 0 to 255'),
    ('name: scenes\nclasses: [{name: sky, color: [0, 0, 3]}]\n', '5 classes apart'),
])
def test_labels_that_do_not_fit_are_rejected(file, labels_file, capsys, text, complaint):
    pytest.importorskip('yaml')
    labels_file.write_text(text)
    assert main(['import', str(file), '--labels', str(labels_file)]) == 1
    message = capsys.readouterr().err
    assert complaint in message and message.count('\n') == 1


def test_labels_without_pyyaml_name_the_package(file, labels_file, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'yaml', None)
    assert main(['import', str(file), '--labels', str(labels_file)]) == 1
    assert 'needs the package PyYAML' in capsys.readouterr().err


def _rejected(path, complaint):
    with pytest.raises(BadInput, match=complaint) as refusal:
        import_checkpoint(path, LABELS, 64, 48)
    assert '\n' not in str(refusal.value)


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return self.path.touch, ()


@pytest.mark.parametrize('write', [torch.save, lambda content, path: path.write_bytes(
    pickle.dumps(content, 2))], ids=['torch', 'pickle'])
def test_code_in_a_file_is_not_run(tmp_path, write):
    write({'state_dict': foreign_weights(len(LABELS)), 'extra': Bomb(tmp_path / 'exploded')},
          tmp_path / 'bomb.pth')
    _rejected(tmp_path / 'bomb.pth', 'bomb.pth (needs .* could run code|is not a whole file)')
    assert not (tmp_path / 'exploded').exists()


def test_a_whole_module_is_rejected(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / 'module.pth')
    _rejected(tmp_path / 'module.pth', 'module.pth needs torch.nn.modules.linear.Linear and not')


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('part', [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_rejected(file, zipped, part):
    torch.save(foreign_weights(len(LABELS)), file, _use_new_zipfile_serialization=zipped)
    data = file.read_bytes()
    file.write_bytes(data[:int(len(data) * part)])
    _rejected(file, 'is not a whole file of torch.save')


@pytest.mark.parametrize('data', [b'hello, world', bytes(1000), b'PK\x03\x04' + bytes(100)])
def test_other_files_are_rejected(file, data):
    file.write_bytes(data)
    _rejected(file, 'is not a whole file of torch.save')


def test_a_missing_file_or_folder_is_named(tmp_path):
    _rejected(tmp_path / 'absent.pth', 'cannot read .*absent.pth: No such file')
    _rejected(tmp_path, 'cannot read .*: Is a directory')


@pytest.mark.parametrize('content', [[], {}, {'state_dict': 3}, {'weight': 1.5}, torch.zeros(3)],
                         ids=str)
def test_files_without_weights_are_rejected(tmp_path, content):
    torch.save(content, tmp_path / 'foreign.pth')
    _rejected(tmp_path / 'foreign.pth', 'holds no weights')


def _change(weights, **changes):
    weights.update(changes)
    return {name: value for name, value in weights.items() if value is not None}


@pytest.mark.parametrize('changes, complaint', [
    ({'initial_block.main_branch.weight': None},
     'is not an ENet of PyTorch-ENet: initial_block.main_branch.weight is missing; use'),
    ({'initial_block.main_branch.bias': torch.zeros(13)},
     'initial_block.main_branch.bias is not part of this network'),
    ({'dilated2_8.ext_conv2.0.weight': torch.zeros(32, 32, 5, 5)},
     r'dilated2_8.ext_conv2.0.weight is \(32, 32, 5, 5\), not \(32, 32, 3, 3\)'),
    ({'transposed_conv.weight': torch.zeros(16, 6, 3, 3)},
     "tells 6 classes apart, but label set 'scenes' has 5"),
    ({'transposed_conv.weight': torch.zeros(5)}, 'transposed_conv.weight is'),
    ({'transposed_conv.weight': torch.full((16, 5, 3, 3), float('nan'))}, 'not finite'),
])
def test_weights_that_do_not_fit_are_rejected(tmp_path, changes, complaint):
    torch.save(_change(foreign_weights(len(LABELS)), **changes), tmp_path / 'foreign.pth')
    _rejected(tmp_path / 'foreign.pth', complaint)


def test_another_network_is_rejected_with_the_first_mismatches(tmp_path):
    torch.save({f'layer{i}.weight': torch.zeros(1) for i in range(100)}, tmp_path / 'foreign.pth')
    with pytest.raises(BadInput) as refusal:
        import_checkpoint(tmp_path / 'foreign.pth', LABELS, 64, 48)
    assert str(refusal.value).count(' is missing') == 3
