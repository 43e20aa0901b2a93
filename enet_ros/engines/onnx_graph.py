"""Export of the inference graph to ONNX, with operators that every runtime supports."""

import hashlib
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from enet_ros.engines import graph, onnx_network_graph, onnx_nodes
from enet_ros.engines.cache import load_or_build
from enet_ros.engines.graph import InferenceGraph
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_network_graph import check_values, network_graph
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.loading import AnyNetwork, AnySpec
from enet_ros.models.network import Network
from enet_ros.models.onnx_network import OnnxNetwork
from enet_ros.models.onnx_spec import OnnxSpec

OPSET = 17
INPUT, OUTPUTS = 'image', ('labels', 'confidence')

_exporting = threading.Lock()  # PyTorch's exporter keeps its state in the process


def to_onnx(network: Network, spec: ModelSpec, inference_spec: InferenceSpec,
            confidence: bool = False, dynamic: bool = False) -> bytes:
    """Return an ONNX file: image uint8 (1, H, W, 3) RGB -> labels uint8 (1, h, w).

    With `confidence` there is a second output, uint8 (1, h, w). A dynamic graph takes any H and W
    that are multiples of the network's stride, and its outputs have that size. Raise BadInput if
    the package onnx is missing or a dynamic graph cannot have these sizes.
    """
    stride = network.stride
    if dynamic and (inference_spec.resizes or inference_spec.width % stride
                    or inference_spec.height % stride):
        raise BadInput('the outputs of a dynamic graph have the size of its image, a multiple of '
                       f'{stride} pixels; choose such a width and height, and no output size')
    inference_graph = InferenceGraph(network, spec, inference_spec, confidence)
    image = torch.zeros(1, inference_spec.height, inference_spec.width, 3, dtype=torch.uint8)
    return trace_to_onnx(_FloatInside(inference_graph), image, INPUT,
                         OUTPUTS if confidence else OUTPUTS[:1], dynamic)


def trace_to_onnx(module: torch.nn.Module, image: torch.Tensor, input_name: str,
                  output_names: Sequence[str], dynamic: bool = False) -> bytes:
    """Return a module as an ONNX file, traced with one input.

    With `dynamic`, the axes 1 and 2 of input and outputs may have any size. Raise BadInput if the
    package onnx is missing.
    """
    if not find_spec('onnx'):
        raise BadInput('the export to ONNX needs the package onnx; pip install onnx')
    axes = {name: {1: 'height', 2: 'width'} for name in (input_name, *output_names)}
    with (_exporting, _temporary_files(), warnings.catch_warnings(), torch.inference_mode(),
          tempfile.TemporaryDirectory() as folder):
        # PyTorch deprecates this exporter in favor of one that lacks some of these operators.
        # It also warns that sizes become constants, which is intended.
        warnings.simplefilter('ignore')
        file = Path(folder, 'graph.onnx')
        torch.onnx.export(module, (image,), str(file), dynamo=False, opset_version=OPSET,
                          input_names=[input_name], output_names=list(output_names),
                          dynamic_axes=axes if dynamic else None)
        return file.read_bytes()


@contextmanager
def _temporary_files() -> Iterator[None]:
    """Raise BadInput for an OSError in the with statement."""
    try:
        yield
    except OSError as error:
        raise BadInput(f'cannot write a temporary file: {error.strerror}; free space in '
                       f'{tempfile.gettempdir()}, or set TMPDIR') from error


class _FloatInside(torch.nn.Module):
    """An inference graph without bytes inside: TensorRT allows them only at a graph's ends."""

    def __init__(self, inference_graph: InferenceGraph) -> None:
        super().__init__()
        self.inference_graph = inference_graph

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.inference_graph(image.float())


def cached_onnx(folder: Path | None, network: AnyNetwork, spec: AnySpec,
                inference_spec: InferenceSpec, confidence: bool = False) -> bytes:
    """Return the ONNX file that an engine runs, whose outputs `read_outputs` reads.

    It is the result of `to_onnx`, stored in a cache folder, or of `network_graph`.
    """
    if isinstance(network, OnnxNetwork):
        assert isinstance(spec, OnnxSpec)
        return network_graph(network, spec, inference_spec, confidence)
    assert isinstance(spec, ModelSpec)
    name = f'{graph_digest(network, spec, inference_spec, confidence)}.onnx'
    return load_or_build(folder, name,
                         lambda: to_onnx(network, spec, inference_spec, confidence))


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
    sha256 = hashlib.sha256(repr((torch.__version__, OPSET, network_digest(network, spec),
                                  spec.temperature, inference_spec, more)).encode())
    models = Path(__file__).parents[1] / 'models'
    for source in (Path(__file__), Path(graph.__file__), Path(onnx_network_graph.__file__),
                   Path(onnx_nodes.__file__), *sorted(models.glob('*.py'))):
        sha256.update(source.read_bytes())
    return sha256.hexdigest()[:24]


def network_digest(network: AnyNetwork, spec: AnySpec) -> str:
    """Return hexadecimal digits that depend on weights, architecture and normalization."""
    if isinstance(network, OnnxNetwork):
        return hashlib.sha256(repr((network.digest, spec)).encode()).hexdigest()
    assert isinstance(spec, ModelSpec)
    sha256 = hashlib.sha256(repr((spec.architecture, spec.architecture_options, spec.mean,
                                  spec.std)).encode())
    for name, value in network.state_dict().items():
        sha256.update(name.encode())
        sha256.update(value.numpy().tobytes())
    return sha256.hexdigest()
