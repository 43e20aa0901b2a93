"""Export of the inference graph to ONNX, with operators that every runtime supports."""

import tempfile
import threading
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from enet_ros.engines.graph import InferenceGraph
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network
from enet_ros.paths import temporary_files

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
    with (_exporting, temporary_files(), warnings.catch_warnings(), torch.inference_mode(),
          tempfile.TemporaryDirectory() as folder):
        # PyTorch deprecates this exporter in favor of one that lacks some of these operators.
        # It also warns that sizes become constants, which is intended.
        warnings.simplefilter('ignore')
        file = Path(folder, 'graph.onnx')
        torch.onnx.export(module, (image,), str(file), dynamo=False, opset_version=OPSET,
                          input_names=[input_name], output_names=list(output_names),
                          dynamic_axes=axes if dynamic else None)
        return file.read_bytes()


class _FloatInside(torch.nn.Module):
    """An inference graph without bytes inside: TensorRT allows them only at a graph's ends."""

    def __init__(self, inference_graph: InferenceGraph) -> None:
        super().__init__()
        self.inference_graph = inference_graph

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.inference_graph(image.float())
