"""The ONNX graphs that engines run, their outputs, and the digests by which they are stored."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enet_ros.engines.cache import load_or_build
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_network_graph import check_values, network_graph
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.loading import AnyNetwork, AnySpec
from enet_ros.models.onnx_network import OnnxNetwork
from enet_ros.models.onnx_spec import OnnxSpec
from enet_ros.models.stored_network import as_module, as_stored
from enet_ros.packages import package_version, require_torch

# The modules that determine a graph, besides those of the models.
SOURCES = ('onnx_graph', 'onnx_export', 'graph', 'inference_spec', 'onnx_network_graph',
           'onnx_nodes')


def cached_onnx(folder: Path | None, network: AnyNetwork, spec: AnySpec,
                inference_spec: InferenceSpec, confidence: bool = False) -> bytes:
    """Return the ONNX file that an engine runs, whose outputs `read_outputs` reads.

    It is the result of `to_onnx`, stored in a cache folder, or of `network_graph`. Raise BadInput
    if a checkpoint must be exported and PyTorch is missing.
    """
    if isinstance(network, OnnxNetwork):
        assert isinstance(spec, OnnxSpec)
        return network_graph(network, spec, inference_spec, confidence)
    assert isinstance(spec, ModelSpec)

    def export() -> bytes:
        require_torch('the export of a checkpoint to ONNX')
        from enet_ros.engines.onnx_export import to_onnx
        return to_onnx(as_module(network), spec, inference_spec, confidence)

    name = f'{graph_digest(network, spec, inference_spec, confidence)}.onnx'
    return load_or_build(folder, name, export)


def read_outputs(network: AnyNetwork, spec: AnySpec, outputs: Sequence[NDArray[Any]],
                 confidence: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return labels and confidence, uint8 (h, w) each, from the outputs of a graph.

    The confidence of a network that predicts labels is 255. Raise BadInput if the predictions of
    an ONNX network are not valid.
    """
    if isinstance(network, OnnxNetwork):
        assert isinstance(spec, OnnxSpec)
        *outputs, values = outputs
        check_values(network, spec, values)
    labels, *rest = (output[0] for output in outputs)
    if confidence and not rest:
        return labels, np.full_like(labels, 255)
    return labels, rest[0] if rest else None


def graph_digest(network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec,
                 *more: object) -> str:
    """Return 24 hexadecimal digits that depend on everything that the graph depends on.

    more: what else the digest is to depend on.
    """
    sha256 = hashlib.sha256(repr((package_version('torch'), network_digest(network, spec),
                                  spec.temperature, inference_spec, more)).encode())
    package = Path(__file__).parents[1]
    for source in (*(package / 'engines' / f'{name}.py' for name in SOURCES),
                   *sorted((package / 'models').glob('*.py'))):
        sha256.update(source.read_bytes())
    return sha256.hexdigest()[:24]


def network_digest(network: AnyNetwork, spec: AnySpec) -> str:
    """Return hexadecimal digits that depend on weights, architecture and normalization."""
    if isinstance(network, OnnxNetwork):
        return hashlib.sha256(repr((network.digest, spec)).encode()).hexdigest()
    assert isinstance(spec, ModelSpec)
    return hashlib.sha256(repr((as_stored(network).digest, spec.mean, spec.std)).encode()
                          ).hexdigest()
