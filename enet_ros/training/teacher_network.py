"""The runtimes of a teacher: ONNX Runtime or OpenVINO for ONNX files, PyTorch for checkpoints."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from enet_ros.engines.onnxruntime_engine import PROVIDERS, start_session
from enet_ros.errors import BadInput
from enet_ros.models.network import Network


class TeacherNetwork(NamedTuple):
    """A network that is ready to run.

    run: float32 (1, 3, H, W) -> scores of its classes (1, classes, h, w).
    inputs: the type and shape of each input; lengths that may vary are None.
    """

    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    inputs: list[tuple[str, list[int | None]]]


def onnx_network(path: Path, device: torch.device) -> TeacherNetwork:
    """Return the network of an ONNX file, in ONNX Runtime if it is installed, else in OpenVINO.

    On a GPU, ONNX Runtime needs its CUDA provider. Raise BadInput if neither runtime is
    installed, and if the file is no network.
    """
    if find_spec('onnxruntime'):
        return _in_onnxruntime(path, device)
    if find_spec('openvino'):
        return _in_openvino(path)
    raise BadInput(f'teacher {path} needs the package onnxruntime or openvino; pip install '
                   'onnxruntime')


def torch_network(network: Network, size: tuple[int, int], device: torch.device
                  ) -> TeacherNetwork:
    """Return a network of this package for images of `size` (width, height)."""
    network = network.to(device).eval()

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(torch.from_numpy(image).to(device)).float().cpu().numpy()

    return TeacherNetwork(run, [('float32', [1, 3, size[1], size[0]])])


def _in_onnxruntime(path: Path, device: torch.device) -> TeacherNetwork:
    import onnxruntime

    cuda = device.type == 'cuda' and PROVIDERS['cuda'] in onnxruntime.get_available_providers()
    try:
        session = start_session(path.read_bytes(), [(PROVIDERS['cuda' if cuda else 'cpu'], {})])
    except BadInput as error:
        raise _unreadable(path, 'ONNX Runtime', error) from error
    inputs = [(_type_name(each.type), [n if isinstance(n, int) else None for n in each.shape])
              for each in session.get_inputs()]

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return session.run(None, {session.get_inputs()[0].name: image})[0]

    return TeacherNetwork(run, inputs)


def _in_openvino(path: Path) -> TeacherNetwork:
    import openvino

    core = openvino.Core()
    try:
        graph = core.read_model(path.read_bytes())
        compiled = core.compile_model(graph, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    except RuntimeError as error:
        raise _unreadable(path, 'OpenVINO', error) from error
    inputs = [(_type_name(each.get_element_type().get_type_name()),
               [n.get_length() if n.is_static else None for n in each.get_partial_shape()])
              for each in graph.inputs]

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return compiled(image)[0]

    return TeacherNetwork(run, inputs)


def _type_name(name: str) -> str:
    """Return the name of a runtime's type, with one name for float32."""
    return 'float32' if name in ('tensor(float)', 'f32') else name


def _unreadable(path: Path, runtime: str, error: Exception) -> BadInput:
    return BadInput(f'teacher {path} is not an ONNX network that {runtime} can run '
                    f'({" ".join(str(error).split())[:200]}); export it again')
