"""Models of any kind: checkpoints of this package, and ONNX networks of other programs."""

import os
from typing import TYPE_CHECKING, TypeAlias

from enet_ros.errors import BadInput
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec, resolve
from enet_ros.models.onnx_network import OnnxNetwork, read_onnx
from enet_ros.models.onnx_spec import OnnxSpec, read_onnx_spec, sidecar
from enet_ros.models.stored_network import StoredNetwork

if TYPE_CHECKING:
    from enet_ros.models.network import Network

# A network of this package has two forms: stored weights, and a PyTorch module.
OwnNetwork: TypeAlias = 'StoredNetwork | Network'
AnyNetwork: TypeAlias = 'OwnNetwork | OnnxNetwork'
AnySpec: TypeAlias = ModelSpec | OnnxSpec


def has_confidence(spec: AnySpec) -> bool:
    """Return whether a network tells how sure it is, which labels alone do not."""
    return isinstance(spec, ModelSpec) or spec.output != 'labels'


def load_model(path: str | os.PathLike[str]) -> tuple[StoredNetwork | OnnxNetwork, AnySpec]:
    """Return the network of a model, and what is known of it, without PyTorch.

    path: checkpoint file, name of a shipped model, or an ONNX file beside which a YAML file
        describes it. Raise BadInput if a file is missing or damaged.
    """
    file = resolve(path)
    if file.suffix == '.onnx':
        return read_onnx(file), read_model_spec(path)
    return checkpoint.read(path)


def read_model_spec(path: str | os.PathLike[str]) -> AnySpec:
    """Return what is known of a model; `path` and errors are those of `load_model`."""
    file = resolve(path)
    if file.suffix != '.onnx':
        return checkpoint.read_spec(path)
    description = sidecar(file)
    if not description.is_file():
        raise BadInput(f'{file} needs {description} beside it, with its classes and input; write '
                       f'it with enet import {file} --labels CLASSES.yaml')
    return read_onnx_spec(description)
