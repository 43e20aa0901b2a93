"""Networks in ONNX files, read without code or files from elsewhere."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from enet_ros.errors import BadInput, one_line
from enet_ros.paths import check_path

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

MAX_FUNCTION_DEPTH = 20
MAX_INLINED = 100_000  # calls of functions


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """A network in an ONNX file.

    path: the file, for messages. content: an ONNX file that holds everything, external data too.
    """

    path: Path
    content: bytes = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """Return hexadecimal digits that depend on the content."""
        return hashlib.sha256(self.content).hexdigest()


def read_onnx(path: Path) -> OnnxNetwork:
    """Read an ONNX file, with external data if that is in the folder of the file.

    Raise BadInput if the package onnx is missing, or the file or its data cannot be used.
    """
    try:
        import onnx
        from onnx import inliner
    except ImportError as error:
        raise BadInput(f'reading {path} needs the package onnx; pip install onnx') from error
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise BadInput(f'cannot read {path}: {error.strerror}; name an .onnx file') from error
    except Exception as error:  # of protobuf, whose package may have two implementations
        raise BadInput(f'{path} is not a whole ONNX file ({one_line(error)}); copy it again'
                       ) from error
    if not model.graph.node or not model.graph.output:
        raise BadInput(f'{path} holds no network; copy it again, or export it again')
    _embed_external_data(model, path)
    _check_functions(model, path)
    try:
        if model.functions:
            model = inliner.inline_local_functions(model)
        return OnnxNetwork(path, model.SerializeToString())
    except Exception as error:  # as above
        raise BadInput(f'{path} cannot be used ({one_line(error)}); export it as one file of less '
                       'than 2 GB') from error


def opset(model: 'ModelProto') -> int:
    """Return the version of ONNX's own operators in a model, 0 if it has none."""
    return max((each.version for each in model.opset_import if each.domain in ('', 'ai.onnx')),
               default=0)


def describe_content(network: OnnxNetwork) -> dict[str, int]:
    """Return the numbers of parameters and operators, and the opset."""
    import onnx
    model = onnx.load_model_from_string(network.content)
    return {'parameters': sum(math.prod(tensor.dims) for tensor in _tensors(model)),
            'operators': len(model.graph.node), 'opset': opset(model)}


def _check_functions(model: 'ModelProto', path: Path) -> None:
    """Raise BadInput if inlining the functions of a model would never end or take all memory."""
    functions = {(each.domain, each.name): each.node for each in model.functions}
    counts: dict[tuple[str, str], int] = {}  # of nodes after inlining

    def inlined(nodes: Iterable['NodeProto'], depth: int) -> int:
        if depth > MAX_FUNCTION_DEPTH:
            raise BadInput(f'{path} has functions that call themselves, or nest deeper than '
                           f'{MAX_FUNCTION_DEPTH} levels; export it without functions')
        total = 0
        for node in nodes:
            key = node.domain, node.op_type
            if key in functions:
                if key not in counts:
                    counts[key] = inlined(functions[key], depth + 1)
                total += counts[key]
            for graph in _graphs(node):
                total += inlined(graph.node, depth)
        return total + 1

    if (count := inlined(model.graph.node, 0)) > MAX_INLINED:
        raise BadInput(f'{path} has functions that stand for {count:,} calls, more than '
                       f'{MAX_INLINED:,}; export it without functions')


def _embed_external_data(model: 'ModelProto', path: Path) -> None:
    """Read the tensors that are in other files, which must lie in the folder of `path`."""
    from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data
    folder = path.resolve().parent
    for tensor in _tensors(model):
        if not uses_external_data(tensor):
            continue
        location = next((entry.value for entry in tensor.external_data
                         if entry.key == 'location'), '')
        if isinstance(location, bytes):  # what protobuf returns for a string that is not UTF-8
            raise BadInput(f'{path} has data in a file whose name is not UTF-8; export it as one '
                           'file')
        try:
            check_path(location)
        except BadInput as error:
            raise BadInput(f'{path} has data in a file whose name {error}; export it as one file'
                           ) from error
        file = folder / location
        if not location or not file.resolve().is_relative_to(folder):
            raise BadInput(f'{path} has data in {location!r}, outside of its folder, which is not '
                           'read; export it as one file')
        if not file.is_file():
            raise BadInput(f'{path} has data in {location!r}, which is not beside it; copy that '
                           'file too, or export the network as one file')
        try:
            load_external_data_for_tensor(tensor, str(folder))
        except Exception as error:  # of files, and of the package's own checks
            raise BadInput(f'cannot read the data of {path} in {location!r} ({one_line(error)}); '
                           'copy both files again') from error
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]


def _tensors(model: 'ModelProto') -> Iterator['TensorProto']:
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _tensors_of_node(node)


def _tensors_of_graph(graph: 'GraphProto') -> Iterator['TensorProto']:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _tensors_of_node(node)


def _tensors_of_node(node: 'NodeProto') -> Iterator['TensorProto']:
    for attribute in node.attribute:
        if attribute.HasField('t'):
            yield attribute.t
        yield from attribute.tensors
    for graph in _graphs(node):
        yield from _tensors_of_graph(graph)


def _graphs(node: 'NodeProto') -> Iterator['GraphProto']:
    for attribute in node.attribute:
        if attribute.HasField('g'):
            yield attribute.g
        yield from attribute.graphs
