"""ONNX networks as they are, without a graph around them, in an installed runtime."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

from numpy.typing import NDArray

from enet_ros.engines.onnxruntime_engine import PROVIDERS, start_session
from enet_ros.engines.openvino_engine import EXCEPTIONS
from enet_ros.errors import BadInput, one_line


class OnnxSession(NamedTuple):
    """A network that is ready to run.

    run: its input -> its first output. It raises the runtime's own exceptions.
    inputs: the type and shape of each input; lengths that may vary are None.
    """

    run: Callable[[NDArray[Any]], NDArray[Any]]
    inputs: list[tuple[str, list[int | None]]]


def open_session(content: bytes, name: str, on_gpu: bool = False) -> OnnxSession:
    """Return the network of an ONNX file, in ONNX Runtime if it is installed, else in OpenVINO.

    On a GPU, ONNX Runtime needs its CUDA provider. Raise BadInput if neither runtime is
    installed, and if the file is no network.

    content: of the file. name: for messages.
    """
    if find_spec('onnxruntime'):
        return _in_onnxruntime(content, name, on_gpu)
    if find_spec('openvino'):
        return _in_openvino(content, name)
    raise BadInput(f'{name} needs the package onnxruntime or openvino; pip install onnxruntime')


def _in_onnxruntime(content: bytes, name: str, on_gpu: bool) -> OnnxSession:
    import onnxruntime

    cuda = on_gpu and PROVIDERS['cuda'] in onnxruntime.get_available_providers()
    try:
        session = start_session(content, [(PROVIDERS['cuda' if cuda else 'cpu'], {})])
    except BadInput as error:
        raise _unreadable(name, 'ONNX Runtime', error) from error
    inputs = [(_type_name(each.type), [n if isinstance(n, int) else None for n in each.shape])
              for each in session.get_inputs()]
    # A failure becomes an exception; its line in the terminal would be a second one.
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4

    def run(image: NDArray[Any]) -> NDArray[Any]:
        return session.run(None, {session.get_inputs()[0].name: image}, options)[0]

    return OnnxSession(run, inputs)


def _in_openvino(content: bytes, name: str) -> OnnxSession:
    import openvino

    core = openvino.Core()
    try:
        graph = core.read_model(content)
        compiled = core.compile_model(graph, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    except EXCEPTIONS as error:
        raise _unreadable(name, 'OpenVINO', error) from error
    inputs = [(_type_name(each.get_element_type().get_type_name()),
               [n.get_length() if n.is_static else None for n in each.get_partial_shape()])
              for each in graph.inputs]

    def run(image: NDArray[Any]) -> NDArray[Any]:
        return compiled(image)[0]

    return OnnxSession(run, inputs)


def _type_name(name: str) -> str:
    """Return the name of a runtime's type, with one name for float32."""
    return 'float32' if name in ('tensor(float)', 'f32') else name


def _unreadable(name: str, runtime: str, error: Exception) -> BadInput:
    return BadInput(f'{name} is not an ONNX network that {runtime} can run '
                    f'({one_line(error)}); export it again')
