"""The inference graph around an ONNX network: from the image's bytes to class ids.

It has the input and the outputs of the graph that `onnx_graph` exports, with the operators of the
network's own ONNX version, and one more output: values that tell whether predictions are valid.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enet_ros.engines.graph import nearest_indices
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.errors import BadInput, one_line
from enet_ros.labels import UNLABELED
from enet_ros.models.onnx_network import OnnxNetwork, opset
from enet_ros.models.onnx_spec import OnnxSpec, sidecar

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TypeProto

MIN_OPSET = 11  # the first with half-pixel resizing
MIN_IR = 4  # the first in which initializers are not inputs
OPTIONAL_INPUTS = 13  # the first opset whose Resize may lack inputs
PREFIX = 'enet_ros/'  # of the names that the graph adds
IMAGE = f'{PREFIX}image'
SUM_TOLERANCE = 0.02  # of the probabilities of a pixel, which lower precisions round
INVALID = UNLABELED + 1  # in the table of ids: no class
Shape = list[int | None]


def network_graph(network: OnnxNetwork, spec: OnnxSpec, inference_spec: InferenceSpec,
                  confidence: bool = False) -> bytes:
    """Return an ONNX file: image uint8 (1, H, W, 3) RGB -> labels uint8 (1, h, w), and values.

    With `confidence` the second of three outputs is uint8 (1, h, w), unless the network predicts
    labels. The last output is what `check_values` checks. The network's output is interpolated to
    the input size or, with the filter 'linear', to the output size. Raise BadInput if the network
    does not have the input, output and size that its spec describes.
    """
    import onnx
    spec.check_size(inference_spec.width, inference_spec.height)
    if spec.output == 'labels' and inference_spec.resizes and inference_spec.filter == 'linear':
        raise BadInput(f'{network.path} predicts labels, which cannot be interpolated; choose '
                       'output.filter nearest')
    model = onnx.load_model_from_string(network.content)
    around = _GraphAround(model, network, spec, inference_spec)
    around.add_input()
    around.add_outputs(confidence)
    return model.SerializeToString()


def check_values(network: OnnxNetwork, spec: OnnxSpec, values: NDArray[np.float32]) -> None:
    """Raise BadInput if the last output of a graph shows that predictions are not valid."""
    if spec.output == 'labels':
        if values[0] > UNLABELED:
            raise BadInput(f'{network.path} predicts a label that {sidecar(network.path)} does '
                           'not list; give the classes the ids that the network predicts (id: 1), '
                           'and void_id')
        return
    if not math.isfinite(values[0]):
        raise BadInput(f'{network.path} predicts values that are not finite; correct range, mean '
                       f'and std in {sidecar(network.path)}, or export the network again')
    if spec.output == 'probabilities':
        least, least_sum, largest_sum = values[1:]
        if least < -SUM_TOLERANCE or max(1 - least_sum, largest_sum - 1) > SUM_TOLERANCE:
            raise BadInput(f'{network.path} predicts no probabilities: the smallest is '
                           f'{least:.3g}, and those of a pixel add up to {least_sum:.3g} to '
                           f'{largest_sum:.3g}; write output: logits in '
                           f'{sidecar(network.path)}')


class _GraphAround:
    """Adds nodes before and after the network in a model.

    Methods that add a node return the name of its output.
    """

    def __init__(self, model: 'ModelProto', network: OnnxNetwork, spec: OnnxSpec,
                 inference_spec: InferenceSpec) -> None:
        self.model, self.network, self.spec = model, network, spec
        self.inference_spec = inference_spec
        self.graph: GraphProto = model.graph
        self.opset = opset(model)
        if self.opset < MIN_OPSET:
            raise BadInput(f'{network.path} has ONNX opset {self.opset}; export it again with '
                           f'opset {MIN_OPSET} or newer')
        self._added = 0

    def add_input(self) -> None:
        """Replace the network's input by the bytes of an image."""
        from onnx import TensorProto, helper
        width, height = self.inference_spec.width, self.inference_spec.height
        own, takes = self._require_input(), self.spec.input
        network_nodes = list(self.graph.node)
        del self.graph.node[:]
        behind = IMAGE
        if takes.channels == 'bgr':
            behind = self.add('Gather', behind, self.constant([2, 1, 0], np.int64), axis=3)
        if takes.dtype == 'float32':
            behind = self.add('Cast', behind, to=TensorProto.FLOAT)
        if takes.layout == 'NCHW':
            behind = self.add('Transpose', behind, perm=[0, 3, 1, 2])
        if takes.dtype == 'float32':
            # In bytes: (byte / 255 * range - mean) / std = (byte - shift) * scale.
            white = 255 / takes.range
            shape = (1, 3, 1, 1) if takes.layout == 'NCHW' else (1, 1, 1, 3)
            shift = np.array(takes.mean).reshape(shape) * white
            behind = self.add('Sub', behind, self.constant(shift, np.float32))
            scale = 1 / (np.array(takes.std).reshape(shape) * white)
            behind = self.add('Mul', behind, self.constant(scale, np.float32))
        self.rename(behind, own)
        self.graph.node.extend(network_nodes)
        del self.graph.input[:]
        self.graph.input.append(helper.make_tensor_value_info(
            IMAGE, TensorProto.UINT8, [1, height, width, 3]))
        self.model.ir_version = max(self.model.ir_version, MIN_IR)

    def _require_input(self) -> str:
        """Return the name of the network's input; raise BadInput if it is not that of the spec."""
        kinds = network_inputs(self.model)
        expected = self.spec.input.shape(self.inference_spec.width, self.inference_spec.height)
        found = ' and '.join(f'{dtype} {shape_text(shape)}' for _, dtype, shape in kinds)
        for name, dtype, shape in kinds:
            fits = not shape or (len(shape) == 4 and all(
                length in (None, wanted) for length, wanted in zip(shape, expected)))
            if len(kinds) == 1 and dtype == self.spec.input.dtype and fits:
                return name
        raise BadInput(f'{self.network.path} takes {found or "no input"}, and '
                       f'{sidecar(self.network.path)} describes {self.spec.input.dtype} '
                       f'{shape_text(expected)}; correct size, layout and dtype there, or export '
                       'the network with this input only')

    def add_outputs(self, confidence: bool) -> None:
        """Replace the network's outputs by labels, confidence if requested, and values."""
        from onnx import TensorProto
        name, shape = self._require_output()
        output = self.add('Cast', name, to=TensorProto.FLOAT)
        if self.spec.output == 'labels':
            planes, values = self._labels(output, shape)
        else:
            planes, values = self._scores(output, shape, confidence)
        width, height = self.inference_spec.output_size
        for name, plane in zip(('labels', 'confidence'), planes):
            plane = self.reshape(self.add('Cast', plane, to=TensorProto.UINT8), [1, height, width])
            self._add_output(name, plane, TensorProto.UINT8, [1, height, width])
        values = [self.reshape(value, [1]) for value in values]
        self._add_output('values', self.add('Concat', *values, axis=0), TensorProto.FLOAT,
                         [len(values)])
        del self.graph.output[0]  # the network's own

    def _require_output(self) -> tuple[str, Shape]:
        """Return name and shape of the network's first output.

        Raise BadInput if it is not what the spec describes.
        """
        name, dtype, shape = self._infer_output()
        count, is_labels = len(self.spec.labels), self.spec.output == 'labels'
        channel = 1 if self.spec.input.layout == 'NCHW' else 3
        fits = shape[0] in (None, 1) if shape else False
        if is_labels:
            fits &= len(shape) == 3 or (len(shape) == 4 and shape[channel] == 1)
            fits &= None not in shape[1:]
        else:
            fits &= (len(shape) == 4 and shape[channel] == count
                     and dtype.startswith(('float', 'bfloat')))
        if not fits:
            wanted: list[object] = [1, count, 'height', 'width']
            if channel == 3:
                wanted = [1, 'height', 'width', count]
            if is_labels:
                wanted = [1, 'height', 'width']
            found = f'{dtype or "no tensor"} {shape_text(shape)}'
            raise BadInput(f'{self.network.path} gives {found}, and '
                           f'{sidecar(self.network.path)} describes {self.spec.output} of '
                           f'{count} classes, {shape_text(wanted)}; correct output, layout or '
                           'classes there, or name a segmentation network')
        return name, shape

    def _infer_output(self) -> tuple[str, str, Shape]:
        """Return name, type and shape of the network's first output for the input size."""
        import onnx
        declared = self.graph.output[0]
        name = declared.name
        del self.graph.value_info[:], self.graph.output[:]
        self.graph.output.append(onnx.ValueInfoProto(name=name))
        try:
            inferred = onnx.shape_inference.infer_shapes(self.model, data_prop=True)
        except Exception as error:  # of the package's C++ code
            raise BadInput(f'{self.network.path} is not consistent '
                           f'({one_line(error)}); export it again') from error
        dtype, shape = _type_of(inferred.graph.output[0].type)
        declared_dtype, declared_shape = _type_of(declared.type)
        if len(shape) == len(declared_shape):
            shape = [each or length for each, length in zip(shape, declared_shape)]
        return name, dtype or declared_dtype, shape or declared_shape

    def _scores(self, scores: str, shape: Shape, confidence: bool
                ) -> tuple[list[str], list[str]]:
        """Return the planes (1, 1, h, w) and the values of logits or probabilities."""
        spec, probabilities = self.inference_spec, self.spec.output == 'probabilities'
        if self.spec.input.layout == 'NHWC':
            scores = self.add('Transpose', scores, perm=[0, 3, 1, 2])
            shape = [shape[axis] for axis in (0, 3, 1, 2)]
        # A mean and not a sum, which would overflow in float16.
        values = [self.add_on_axes('ReduceMean', scores, [1, 2, 3])]
        if probabilities:
            sums = self.add_on_axes('ReduceSum', scores, [1])
            values += [self.add_on_axes('ReduceMin', scores, [1, 2, 3]),
                       self.add_on_axes('ReduceMin', sums, [1, 2, 3]),
                       self.add_on_axes('ReduceMax', sums, [1, 2, 3])]
        nearest = spec.resizes and spec.filter == 'nearest'
        size = (spec.width, spec.height) if nearest else spec.output_size
        scores = self._interpolate(scores, shape, size)
        planes = [self._to_float(self.add('ArgMax', scores, axis=1, keepdims=1))]
        if confidence:
            top = self.add_on_axes('ReduceMax', scores, [1])
            if not probabilities:
                below = self.add('Sub', scores, top)
                if self.spec.temperature != 1:
                    below = self.add('Div', below,
                                     self.constant(self.spec.temperature, np.float32))
                total = self.add_on_axes('ReduceSum', self.add('Exp', below), [1])
                top = self.add('Reciprocal', total)
            byte = self.add('Mul', top, self.constant(255, np.float32))
            planes.append(self.add('Round', self.add(
                'Clip', byte, self.constant(0, np.float32), self.constant(255, np.float32))))
        if nearest:
            planes = [self._to_output_size(plane, spec.height, spec.width) for plane in planes]
        return planes, values

    def _labels(self, labels: str, shape: Shape) -> tuple[list[str], list[str]]:
        """Return the planes (1, 1, h, w) and the values of an output of labels."""
        if len(shape) == 3:
            labels = self.add_on_axes('Unsqueeze', labels, [1], since=13)
            shape = [1, 1, *shape[1:]]
        elif self.spec.input.layout == 'NHWC':
            labels = self.add('Transpose', labels, perm=[0, 3, 1, 2])
            shape = [shape[axis] for axis in (0, 3, 1, 2)]
        labels = self._to_output_size(labels, *shape[2:])
        table = np.full(INVALID + 2, INVALID)  # of the numbers -1 to INVALID
        table[self.spec.void_id + 1] = UNLABELED
        table[np.array(self.spec.ids) + 1] = range(len(self.spec.ids))
        invalid = self.constant(INVALID, np.float32)
        is_whole = self.add('Equal', labels, self.add('Round', labels))  # neither NaN
        labels = self.add('Where', is_whole, labels, invalid)
        index = self.add('Clip', labels, self.constant(-1, np.float32), invalid)
        index = self._to_int64(self.add('Add', index, self.constant(1, np.float32)))
        classes = self.add('Gather', self.constant(table, np.float32), index, axis=0)
        return [classes], [self.add_on_axes('ReduceMax', classes, [1, 2, 3])]

    def _interpolate(self, scores: str, shape: Shape, size: tuple[int, int]) -> str:
        """Resize scores (1, C, H, W) to the size (width, height), as PyTorch does."""
        width, height = size
        if shape[2:] == [height, width]:
            return scores
        none = '' if self.opset >= OPTIONAL_INPUTS else self.constant([], np.float32)
        sizes = self.constant([1, len(self.spec.labels), height, width], np.int64)
        return self.add('Resize', scores, none, none, sizes, mode='linear',
                        coordinate_transformation_mode='half_pixel')

    def _to_output_size(self, plane: str, height: int | None, width: int | None) -> str:
        """Take the nearest pixels of a plane (1, 1, height, width) for the output size."""
        sizes = (height, width), reversed(self.inference_spec.output_size)
        for axis, (size, output_size) in enumerate(zip(*sizes), start=2):
            assert size is not None
            if size != output_size:
                indices = self.constant(nearest_indices(size, output_size).numpy(), np.int64)
                plane = self.add('Gather', plane, indices, axis=axis)
        return plane

    # Nodes

    def add(self, op: str, *inputs: str, **attributes: int | str | list[int]) -> str:
        output = self._new_name()
        self._add_node(op, inputs, output, attributes)
        return output

    def rename(self, x: str, output: str) -> None:
        self._add_node('Identity', [x], output, {})

    def _add_node(self, op: str, inputs: Sequence[str], output: str,
                  attributes: Mapping[str, int | str | list[int]]) -> None:
        from onnx import helper
        node = helper.make_node(op, inputs, [output])
        node.attribute.extend(helper.make_attribute(name, value)
                              for name, value in attributes.items())
        self.graph.node.append(node)

    def add_on_axes(self, op: str, x: str, axes: list[int], since: int = 18) -> str:
        """Add a node with axes, which are an input since an opset, and an attribute before."""
        since = 13 if op == 'ReduceSum' else since
        options = {} if op == 'Unsqueeze' else {'keepdims': 1}
        if self.opset >= since:
            return self.add(op, x, self.constant(axes, np.int64), **options)
        return self.add(op, x, axes=axes, **options)

    def reshape(self, x: str, shape: list[int]) -> str:
        return self.add('Reshape', x, self.constant(shape, np.int64))

    def constant(self, value: object, dtype: type[np.generic]) -> str:
        from onnx import numpy_helper
        name = self._new_name()
        self.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def _to_float(self, x: str) -> str:
        from onnx import TensorProto
        return self.add('Cast', x, to=TensorProto.FLOAT)

    def _to_int64(self, x: str) -> str:
        from onnx import TensorProto
        return self.add('Cast', x, to=TensorProto.INT64)

    def _add_output(self, name: str, x: str, kind: int, shape: list[int]) -> None:
        from onnx import helper
        output = f'{PREFIX}{name}'
        self.rename(x, output)
        self.graph.output.append(helper.make_tensor_value_info(output, kind, shape))

    def _new_name(self) -> str:
        self._added += 1
        return f'{PREFIX}{self._added}'


def network_inputs(model: 'ModelProto') -> list[tuple[str, str, Shape]]:
    """Return name, type and shape of each input of a model; lengths that may vary are None."""
    constants = {each.name for each in model.graph.initializer}
    return [(each.name, *_type_of(each.type)) for each in model.graph.input
            if each.name not in constants]


def _type_of(kind: 'TypeProto') -> tuple[str, Shape]:
    """Return type and shape; what is unknown is empty."""
    from onnx import TensorProto, helper
    tensor = kind.tensor_type
    dtype = ''
    if tensor.elem_type != TensorProto.UNDEFINED:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return dtype, [each.dim_value if each.dim_value > 0 else None for each in tensor.shape.dim]


def shape_text(shape: Sequence[object]) -> str:
    """Return a shape as text; lengths that may vary are None."""
    return f'({", ".join("any" if length is None else str(length) for length in shape)})'
