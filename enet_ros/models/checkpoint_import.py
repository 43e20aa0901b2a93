"""Import networks that other programs trained.

Supported are state dicts of PyTorch-ENet (github.com/davidtvs/PyTorch-ENet): bare or under the key
`state_dict`, with or without the prefix of DataParallel.
"""

import io
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from enet_ros.errors import BadInput
from enet_ros.input_file import read_input
from enet_ros.labels import LabelSet
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.layers import shape_differences
from enet_ros.models.network import Network
from enet_ros.models.torch_network import shapes_of

FilePath = str | os.PathLike[str]

MAX_FILE_BYTES = 300_000_000

PYTORCH_ENET = {
    'initial_pool': 3,
    'quarter_of': 'input',
    'biases': False,
    'pair_activation': True,
    'expansion_activation': True,
    'norm_epsilon': 1e-5,
    'upsampling_kernel': 2,
    'output_kernel': 3,
    'decoder_dropout': 0.1,
}


def import_checkpoint(path: FilePath, labels: LabelSet, width: int, height: int
                      ) -> tuple[Network, ModelSpec]:
    """Load the network of a PyTorch-ENet file, in evaluation mode, and make its spec.

    labels: the classes, in the order of the network's outputs.
    width, height: input size that the spec gets, pixels.

    Raise BadInput for a file that cannot be read safely, and for weights that do not fit the
    layout or the number of classes.
    """
    weights = read_state_dict(path)
    output = weights.get('transposed_conv.weight')
    if output is not None and output.ndim == 4 and output.shape[1] != len(labels):
        raise BadInput(f'{path} tells {output.shape[1]} classes apart, but label set '
                       f'{labels.name!r} has {len(labels)}; list them all in the order of the '
                       "network's outputs")
    options = {part: 'shared_prelu' if key in weights else 'relu' for part, key in (
        ('encoder_activation', 'initial_block.out_activation.weight'),
        ('decoder_activation', 'regular5_1.out_activation.weight'))}
    spec = ModelSpec(labels, width=width, height=height, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0),
                     training={'imported_from': Path(path).name, 'layout': 'PyTorch-ENet'},
                     architecture_options={**PYTORCH_ENET, **options})
    model = spec.build()
    own = shapes_of(model)
    found = {name: tuple(value.shape) for name, value in weights.items()}
    expected = {_translate(name): shape for name, shape in own.items()}
    if differences := shape_differences(found, expected):
        raise BadInput(f'{path} is not an ENet of PyTorch-ENet: {"; ".join(differences[:3])}; '
                       'use a checkpoint of that project, or train with enet train')
    for name, value in weights.items():
        if not value.float().isfinite().all():
            raise BadInput(f'{path}: {name} has values that are not finite; '
                           'use a checkpoint from before the training diverged')
    model.load_state_dict({name: weights[_translate(name)].float() for name in own}, strict=False)
    return model.eval(), spec


def read_state_dict(path: FilePath) -> dict[str, Tensor]:
    """Return the weights in a file of torch.save by name, without running code from it.

    Their shapes are those that the file states, however little memory they have.
    """
    content = _read_safely(path)
    if isinstance(content, dict):
        content = content.get('state_dict', content)
    entries = content.items() if isinstance(content, dict) else ()
    weights = {name.removeprefix('module.'): value for name, value in entries
               if isinstance(name, str) and _is_weight(value)}
    if not weights:
        raise BadInput(f'{path} holds no weights; save what model.state_dict() returns')
    return weights


def _is_weight(value: object) -> bool:
    """Return whether a value is a plain tensor with memory of its own."""
    return (isinstance(value, torch.Tensor) and value.layout == torch.strided
            and value.device.type == 'cpu' and value.is_floating_point())


class _Unread:
    """Stands in for a NumPy number beside the weights, such as the score of an epoch."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


_NUMPY_NUMBERS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Unread, name) for name in (
        'numpy.dtype', 'numpy.core.multiarray.scalar', 'numpy._core.multiarray.scalar')]


def _read_safely(path: FilePath) -> Any:
    data = read_input(path, MAX_FILE_BYTES, 'a file of torch.save')
    try:
        _require_uncompressed(data)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMPY_NUMBERS):
            warnings.simplefilter('ignore')
            return torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)
    except Exception as error:  # damaged bytes lead to any
        more = re.search(r'GLOBAL ([\w.]+)', str(error))
        if isinstance(error, pickle.UnpicklingError) and more:
            raise BadInput(f'{path} needs {more[1]} and not weights alone, so reading it could '
                           'run code; where you trust it, load it with the program that wrote '
                           'it, and save only what model.state_dict() returns') from error
        raise BadInput(f'{path} is not a whole file of torch.save; copy it again, or save what '
                       'model.state_dict() returns') from error


def _require_uncompressed(data: bytes) -> None:
    """Raise ValueError for a ZIP archive that unpacks to more than its size.

    torch.save compresses nothing.
    """
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > len(data):
                raise ValueError('it is compressed')


def _translate(name: str) -> str:
    """Return the name of a weight in PyTorch-ENet."""
    module, _, kind = name.rpartition('.')
    return f'{_MODULES[module]}.{kind}'


def _chain(*lengths: int) -> list[str]:
    """Return the names of the layers of numbered nn.Sequential modules of these lengths."""
    return [f'ext_conv{number}.{layer}' for number, length in enumerate(lengths, 1)
            for layer in range(length)]


def _modules() -> dict[str, str]:
    """Return the name in PyTorch-ENet of each module with weights."""
    context = ('regular', 'dilated', 'asymmetric', 'dilated') * 2
    blocks = {
        'down1': 'downsample1_0',
        **{f'stage1.{i}': f'regular1_{i + 1}' for i in range(4)},
        'down2': 'downsample2_0',
        **{f'stage2.{i}': f'{kind}2_{i + 1}' for i, kind in enumerate(context)},
        **{f'stage3.{i}': f'{kind}3_{i}' for i, kind in enumerate(context)},
        'up4': 'upsample4_0', 'stage4.0': 'regular4_1', 'stage4.1': 'regular4_2',
        'up5': 'upsample5_0', 'stage5': 'regular5_1',
    }
    names = {
        'initial.conv': 'initial_block.main_branch',
        'initial.norm': 'initial_block.batch_norm',
        'initial.activation': 'initial_block.out_activation',
        'output': 'transposed_conv',
    }
    for ours, theirs in blocks.items():
        if ours.startswith('up'):
            layers = [*_chain(3), 'ext_tconv1', 'ext_tconv1_bnorm', 'ext_tconv1_activation',
                      'ext_conv2.0', 'ext_conv2.1']
            names.update({f'{ours}.shortcut.{i}': f'{theirs}.main_conv1.{i}' for i in range(2)})
        else:
            layers = _chain(3, 6, 3) if theirs.startswith('asymmetric') else _chain(3, 3, 3)
        names.update({f'{ours}.extension.{i}': f'{theirs}.{layer}'
                      for i, layer in enumerate(layers)})
        names[f'{ours}.activation'] = f'{theirs}.out_activation'
    return names


_MODULES = _modules()
