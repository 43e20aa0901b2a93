"""A network and its task as an ONNX graph, of operators that every runtime has."""

import hashlib
import io
import sys
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import torch

from enet_ros import models
from enet_ros.engines import graph
from enet_ros.engines.cache import cached
from enet_ros.engines.graph import InferenceGraph
from enet_ros.errors import BadInput

OPSET = 17
INPUT, OUTPUTS = 'image', ('labels', 'confidence')


def to_onnx(model, spec, task, confidence=False, dynamic=False):
    """Return an ONNX file's bytes: image uint8 (1, H, W, 3) RGB -> labels uint8 (1, h, w).

    A second output is the confidence, uint8 (1, h, w), where it is asked for. A dynamic graph
    takes any H and W that are multiples of the architecture's stride, and answers at that size.
    """
    stride = model.stride
    if dynamic and (task.scales or task.width % stride or task.height % stride):
        raise BadInput(f'a graph of any size answers at the size of its image, in multiples of '
                       f'{stride} pixels; give width and height such, and no output size')
    outputs = OUTPUTS[:1 + confidence]
    image = torch.zeros(1, task.height, task.width, 3, dtype=torch.uint8)
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode(), _onnx_package():
        # This exporter is deprecated for one that needs more packages and knows less of these
        # operators; and it warns of sizes that become constants, as they shall.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            _FromBytes(InferenceGraph(model, spec, task, confidence)), (image,), file,
            dynamo=False, opset_version=OPSET, input_names=[INPUT], output_names=list(outputs),
            dynamic_axes={name: {1: 'height', 2: 'width'} for name in (INPUT, *outputs)}
            if dynamic else None)
    return file.getvalue()


class _FromBytes(torch.nn.Module):
    """A deployment that has no bytes inside, which TensorRT allows at a graph's ends only."""

    def __init__(self, deployment):
        super().__init__()
        self.deployment = deployment

    def forward(self, image):
        return self.deployment(image.float())


@contextmanager
def _onnx_package():
    """Let torch's exporter run where the package onnx is not installed.

    It reads the finished graph with that package, only to look for functions in it, and these
    graphs have none.
    """
    if find_spec('onnx'):
        yield
        return
    nothing = SimpleNamespace(graph=SimpleNamespace(node=()))
    sys.modules['onnx'] = SimpleNamespace(load_model_from_string=lambda data: nothing)
    try:
        yield
    finally:
        del sys.modules['onnx']


def cached_onnx(folder, model, spec, task, confidence=False):
    """Return what `to_onnx` does, kept in a cache folder."""
    return cached(folder, f'{digest(model, spec, task, confidence)}.onnx',
                  lambda: to_onnx(model, spec, task, confidence))


def digest(model, spec, task, *more):
    """Return a short name for a model's graph: it changes with all that the graph depends on."""
    total = hashlib.sha256(repr((torch.__version__, OPSET, spec.architecture,
                                 spec.architecture_options, spec.mean, spec.std, task, more)
                                ).encode())
    for name, value in model.state_dict().items():
        total.update(name.encode())
        total.update(value.numpy().tobytes())
    for source in (__file__, graph.__file__, *sorted(Path(models.__path__[0]).glob('*.py'))):
        total.update(Path(source).read_bytes())
    return total.hexdigest()[:24]
