"""Checkpoints: weights and all that rebuilds their model, in one safetensors file."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors

from enet_ros.errors import BadInput
from enet_ros.json_data import finite
from enet_ros.labels import LabelSet
from enet_ros.models.enet import ENet, ENetLayout
from enet_ros.models.segnet import SegNet
from enet_ros.paths import share_folder, user_path

FORMAT_VERSION = 1
METADATA_KEY = 'enet_ros'
ARCHITECTURES = {'enet': ENet, 'segnet': SegNet}
OPTIONS = {'enet': ENetLayout}  # what architecture_options set; other architectures have none


@dataclass(frozen=True)
class ModelSpec:
    """What a checkpoint says of its model.

    width and height (pixels) are the input size that it was trained for; other sizes work too.
    mean and std are those of RGB in [0, 1]. training and metrics are plain data for people.
    architecture_options are the fields of an ENetLayout that differ from the authors' network.
    """

    labels: LabelSet
    architecture: str = 'enet'
    width: int = 480
    height: int = 360
    mean: tuple = (0.485, 0.456, 0.406)
    std: tuple = (0.229, 0.224, 0.225)
    training: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    license: str = ''
    architecture_options: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.architecture not in ARCHITECTURES:
            raise BadInput(f'unknown architecture {self.architecture!r}; '
                           f'known are {", ".join(ARCHITECTURES)}')
        self._layout()  # refuses options that do not fit
        least = ARCHITECTURES[self.architecture].STRIDE
        if min(self.width, self.height) < least:
            raise BadInput(f'input size {self.width}x{self.height} is too small; the least for '
                           f'{self.architecture} is {least}x{least}')
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise BadInput(f'mean {self.mean} and std {self.std} are not three numbers each, '
                           'std above zero')

    def _layout(self):
        """Return what the network is made with beside the number of classes."""
        options = OPTIONS.get(self.architecture)
        known = [item.name for item in fields(options)] if options else []
        for name in self.architecture_options:
            if name not in known:
                raise BadInput(f'architecture {self.architecture} has no option {name!r}; '
                               f'it has {", ".join(known) or "none"}')
        return [options(**self.architecture_options)] if options else []

    def build(self):
        """Return the network with fresh weights, as a torch module."""
        return ARCHITECTURES[self.architecture](len(self.labels), *self._layout())

    def to_json(self):
        """Return the spec as one line of JSON, with null for numbers that JSON has not."""
        return json.dumps(finite({'format_version': FORMAT_VERSION, **asdict(self),
                                  'labels': self.labels.to_dict()}), allow_nan=False)

    @classmethod
    def from_json(cls, text):
        """Rebuild a spec from `to_json`'s text; raise BadInput where it does not fit."""
        try:
            data = json.loads(text, parse_constant=lambda _: None)  # NaN, in older files
            version = data.pop('format_version')
            if version != FORMAT_VERSION:
                raise BadInput(f'format version {version!r}, where this release reads '
                               f'{FORMAT_VERSION}; install a release that fits')
            for pair in ('mean', 'std'):
                data[pair] = tuple(float(value) for value in data[pair])
            if 'licence' in data:  # the name in older files
                data['license'] = data.pop('licence')
            data['labels'] = LabelSet.from_dict(data['labels'])
            return cls(**data)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise BadInput(f'its metadata does not fit: {error!r}') from error


def save(path, model, spec, dtype=torch.float16):
    """Write a model's weights, as `dtype`, and its spec to `path` in one step.

    A reader sees the old file or the whole new one, never a part. Raise BadInput where the file
    cannot be written.
    """
    weights = {name: value.detach().to('cpu', dtype).contiguous()
               for name, value in model.state_dict().items() if value.is_floating_point()}
    path = Path(path)
    part = path.with_name(path.name + '.part')
    try:
        part.write_bytes(to_safetensors(weights, {METADATA_KEY: spec.to_json()}))
        os.replace(part, path)
    except OSError as error:
        raise BadInput(f'cannot write {path}: {error.strerror}; name a file in a folder that '
                       'exists and can be written') from error


def read_spec(path):
    """Return the ModelSpec of a checkpoint without loading its weights."""
    return _read(path)[0]


def load(path):
    """Return (model, spec): the network in evaluation mode with float32 weights on the CPU.

    `path` is a file or the name of a shipped model. Raise BadInput where the file is missing,
    damaged, of another program, or does not fit the model that it describes.
    """
    spec, weights = _read(path)
    model = spec.build()
    expected = {name: value for name, value in model.state_dict().items()
                if value.is_floating_point()}
    if wrong := misfits(weights, expected):
        raise BadInput(f'{path} does not hold the weights of {spec.architecture} with '
                       f'{len(spec.labels)} classes: {"; ".join(wrong[:3])}; use a checkpoint '
                       'whose label set and weights belong together')
    model.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
    return model.eval(), spec


def misfits(weights, expected):
    """Return a complaint for each tensor, by name, that two dicts do not share in one shape."""
    wrong = [f'{name} is missing' for name in expected if name not in weights]
    wrong += [f'{name} is not of this architecture' for name in weights if name not in expected]
    return wrong + [f'{name} is {tuple(weights[name].shape)}, not {tuple(value.shape)}'
                    for name, value in expected.items()
                    if name in weights and weights[name].shape != value.shape]


def resolve(name):
    """Return the file that `name` means: a path, or a shipped model's name."""
    if not name:
        raise BadInput(f'no model is named; give a .safetensors file or one of {_shipped()}')
    shipped = models_folder() / f'{name}.safetensors'
    path = shipped if shipped.is_file() else user_path(name)
    if not path.is_file():
        raise BadInput(f'model {name} does not exist; give a .safetensors file or one of '
                       f'{_shipped()}')
    return path


def models_folder():
    """Return the folder of the models that ship with the package."""
    return share_folder() / 'models'


def _shipped():
    return ', '.join(sorted(file.stem for file in models_folder().glob('*.safetensors'))) or '-'


def _read(name):
    path = resolve(name)
    try:
        with safe_open(path, 'pt') as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadInput(f'{path} is not a whole safetensors file ({error}); '
                       'copy it again, or convert it first if another program made it') from error
    if text is None:
        raise BadInput(f'{path} has no enet_ros metadata, so its classes and input are unknown; '
                       'use a checkpoint written by enet train or enet import')
    try:
        return ModelSpec.from_json(text), weights
    except BadInput as error:
        raise BadInput(f'{path}: {error}') from error
