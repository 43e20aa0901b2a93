"""Checkpoints: the weights of a network, and what rebuilds it, in one safetensors file."""

import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from enet_ros.errors import BadInput
from enet_ros.json_data import json_text, parse_json
from enet_ros.labels import LabelSet
from enet_ros.models.registry import find_architecture
from enet_ros.models.stored_network import StoredNetwork
from enet_ros.paths import MAX_NAME_BYTES, share_folder, user_path, write_atomically
from enet_ros.yaml_data import SIDES

if TYPE_CHECKING:
    import torch

    from enet_ros.models.network import Network

FORMAT_VERSION = 1
METADATA_KEY = 'enet_ros'
TYPES = 'F16', 'F32', 'F64'  # of weights
TEMPERATURES = 0.01, 100.0  # smallest and largest

Weights = dict[str, NDArray[np.floating]]


@dataclass(frozen=True)
class ModelSpec:
    """The description of a model in its checkpoint.

    architecture: a name in the registry. architecture_options: the fields of the architecture's
    options dataclass that differ from the defaults. width, height: input size that the model was
    trained for, pixels; it runs at other sizes too. mean, std: of RGB in [0, 1]. temperature: the
    confidence is softmax(logits / temperature); labels do not depend on it. training, metrics:
    plain data for people.
    """

    labels: LabelSet
    architecture: str = 'enet'
    width: int = 480
    height: int = 360
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    license: str = ''
    architecture_options: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0

    def __post_init__(self) -> None:
        find_architecture(self.architecture).make_options(self.architecture_options)
        smallest = self.stride
        if min(self.width, self.height) < smallest:
            raise BadInput(f'input size {self.width}x{self.height} is too small; '
                           f'{self.architecture} needs at least {smallest}x{smallest}')
        if max(self.width, self.height) > SIDES[1]:
            raise BadInput(f'input size {self.width}x{self.height} is too large; the sides must '
                           f'be at most {SIDES[1]}')
        if (len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0
                or not all(map(math.isfinite, (*self.mean, *self.std)))):
            raise BadInput(f'mean {self.mean} and std {self.std} must be three finite numbers '
                           'each, with std above zero')
        check_temperature(self.temperature)

    def build(self) -> 'Network':
        """Return the network in PyTorch with random weights; raise BadInput without PyTorch."""
        architecture = find_architecture(self.architecture)
        return architecture.build(len(self.labels), self.architecture_options)

    def to_json(self) -> str:
        """Return the spec as one line of JSON; NaN and infinity become null."""
        return json_text({'format_version': FORMAT_VERSION, **asdict(self),
                          'labels': self.labels.to_dict()})

    @property
    def stride(self) -> int:
        """Return the stride of the network; the sides of fast sizes are multiples of it."""
        return find_architecture(self.architecture).stride

    @classmethod
    def from_json(cls, text: str) -> 'ModelSpec':
        """Return the spec of `to_json` text; raise BadInput for text that describes no model."""
        try:
            data = parse_json(text)
            if not isinstance(data, dict):
                raise TypeError('it is not a JSON object')
            version = data.pop('format_version')
            if version != FORMAT_VERSION:
                raise BadInput(f'format version {version!r} cannot be read, only '
                               f'{FORMAT_VERSION}; install a release that matches')
            for name in ('mean', 'std'):
                data[name] = tuple(float(value) for value in data[name])
            if 'licence' in data:  # the name in older files
                data['license'] = data.pop('licence')
            data['labels'] = LabelSet.from_dict(data['labels'])
            _require_types(data)
            return cls(**data)
        except BadInput:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise BadInput(f'its metadata describes no model ({error!r}); use a checkpoint '
                           'written by enet train or enet import') from error


def check_temperature(value: object) -> float:
    """Return a temperature of the confidence; raise BadInput for anything else."""
    least, most = TEMPERATURES
    # Metadata may hold any type; NaN is not in between.
    if isinstance(value, (int, float)) and value is not True and least <= value <= most:
        return value
    raise BadInput(f'temperature is {value!r}; it must be a number from {least:g} to '
                   f'{most:g}, as enet calibrate writes it')


def _require_types(data: dict[str, Any]) -> None:
    """Raise TypeError for metadata whose types are not those of a ModelSpec."""
    for name, kind in (('architecture', str), ('width', int), ('height', int),
                       ('training', dict), ('metrics', dict), ('license', str),
                       ('architecture_options', dict)):
        if name in data and type(data[name]) is not kind:
            raise TypeError(f'{name} is {data[name]!r}, not of type {kind.__name__}')


def save(path: str | os.PathLike[str], model: 'Network', spec: ModelSpec,
         dtype: 'torch.dtype | None' = None) -> None:
    """Write the weights of a PyTorch network and its spec, atomically.

    dtype: of the weights in the file, torch.float32 or, by default, torch.float16.

    Raise BadInput if the file cannot be written.
    """
    import torch

    from enet_ros.models.torch_network import arrays
    write(path, arrays(model, dtype or torch.float16), spec)


def copy_with_spec(path: str | os.PathLike[str], out: str | os.PathLike[str], spec: ModelSpec
                   ) -> None:
    """Write the weights of a checkpoint, unchanged, with another spec to `out`, atomically.

    `path` and errors are those of `load`, and of `save` for `out`.
    """
    write(out, _read(path)[1], spec)


def read_spec(path: str | os.PathLike[str]) -> ModelSpec:
    """Return the ModelSpec of a checkpoint; `path` and errors are those of `load`."""
    return _read(path)[0]


def read(path: str | os.PathLike[str]) -> tuple[StoredNetwork, ModelSpec]:
    """Return the weights of a checkpoint as float32 arrays, and its spec.

    `path` is a file or the name of a shipped model. Raise BadInput if the file is missing,
    damaged, not a checkpoint of this package, or if its weights do not fit its spec. The latter
    is found when the network is built, if only PyTorch knows the layers of its architecture.
    """
    spec, weights = _read(path)
    network = StoredNetwork(
        spec.architecture, spec.architecture_options, len(spec.labels),
        {name: value.astype(np.float32) for name, value in weights.items()}, str(path))
    if network.layers:
        network.require_shapes(network.layers.shapes())
    return network, spec


def load(path: str | os.PathLike[str]) -> tuple['Network', ModelSpec]:
    """Return the PyTorch network, in evaluation mode on the CPU, and its spec.

    The weights are float32. `path` and errors are those of `read`; raise BadInput also if PyTorch
    is missing.
    """
    network, spec = read(path)
    return network.module, spec


def floating_point(model: 'Network') -> dict[str, 'torch.Tensor']:
    """Return the parameters and buffers that a checkpoint holds: not the integer counters."""
    return {name: value for name, value in model.state_dict().items()
            if value.is_floating_point()}


def resolve(name: str | os.PathLike[str]) -> Path:
    """Return the file of a model: a path, or the name of a shipped model.

    Raise BadInput if there is no such file.
    """
    if not name:
        raise BadInput('no model is named; give a .safetensors or .onnx file, or one of '
                       f'{_shipped()}')
    path, shipped = user_path(name), models_folder() / f'{name}.safetensors'
    if len(os.fsencode(shipped.name)) <= MAX_NAME_BYTES and shipped.is_file():
        path = shipped
    if not path.is_file():
        raise BadInput(f'model {name} does not exist; give a .safetensors or .onnx file, or one '
                       f'of {_shipped()}')
    return path


def models_folder() -> Path:
    """Return the folder of the models that ship with the package."""
    return share_folder() / 'models'


def write(path: str | os.PathLike[str], weights: Weights, spec: ModelSpec) -> None:
    """Write weights as they are and their spec, atomically; errors are those of `save`."""
    try:
        write_atomically(Path(path), to_safetensors(weights, {METADATA_KEY: spec.to_json()}))
    except OSError as error:
        raise BadInput(f'cannot write {path}: {error.strerror}; name a file in a folder that '
                       'exists and is writable') from error


def _shipped() -> str:
    return ', '.join(sorted(file.stem for file in models_folder().glob('*.safetensors'))) or '-'


def _read(name: str | os.PathLike[str]) -> tuple[ModelSpec, Weights]:
    path = resolve(name)
    if path.suffix == '.onnx':
        raise BadInput(f'{path} is an ONNX network, and a checkpoint is needed here; name a '
                       '.safetensors file')
    try:
        with safe_open(path, 'np') as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            types = {name: file.get_slice(name).get_dtype()
                     for name in file.keys()}  # noqa: SIM118
            weights = {name: file.get_tensor(name) for name in types if types[name] in TYPES}
    except (SafetensorError, OSError) as error:
        raise BadInput(f'{path} is not a complete safetensors file ({error}); copy it again, or '
                       'convert a PyTorch-ENet checkpoint with enet import') from error
    if text is None:
        raise BadInput(f'{path} has no enet_ros metadata, so its classes and input are unknown; '
                       'use a checkpoint written by enet train or enet import')
    if len(weights) < len(types):
        name = next(name for name in types if name not in weights)
        raise BadInput(f'{path} has {name} in the type {types[name]}, and only {", ".join(TYPES)} '
                       'can be read; save the checkpoint again in float16 or float32')
    try:
        return ModelSpec.from_json(text), weights
    except BadInput as error:
        raise BadInput(f'{path}: {error}') from error
