"""The inference graph around an ONNX network: from the image's bytes to class ids.

It has the input and the outputs of the graph that `onnx_export` makes, with the operators of the
network's own ONNX version, and one more output: values that tell whether predictions are valid.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enet_ros.engines.inference_spec import InferenceSpec, nearest_indices
from enet_ros.engines.onnx_nodes import OnnxNodes
from enet_ros.engines.onnx_types import Shape, network_inputs, shape_text, type_and_shape
from enet_ros.errors import BadInput, one_line
from enet_ros.labels import UNLABELED
from enet_ros.models.onnx_network import OnnxNetwork, opset
from enet_ros.models.onnx_spec import OnnxSpec, sidecar

if TYPE_CHECKING:
    from onnx import ModelProto

MIN_OPSET = 11  # the first with half-pixel resizing
MIN_IR = 4  # the first in which initializers are not inputs
PREFIX = 'enet_ros/'  # of the names that the graph adds
IMAGE = f'{PREFIX}image'
SUM_TOLERANCE = 0.02  # of the probabilities of a pixel, which lower precisions round
INVALID = UNLABELED + 1  # in the table of ids: no class


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
    if opset(model) < MIN_OPSET:
        raise BadInput(f'{network.path} has ONNX opset {opset(model)}; export it again with opset '
                       f'{MIN_OPSET} or newer')
    try:
        around = _GraphAround(model, network, spec, inference_spec)
        around.replace_input()
        around.replace_outputs(confidence)
        return model.SerializeToString()
    except BadInput:
        raise
    except Exception as error:  # of protobuf: names that are not text, and others
        raise BadInput(f'{network.path} is not consistent ({one_line(error)}); export it again'
                       ) from error


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
    """Adds nodes before and after the network in a model."""

    def __init__(self, model: 'ModelProto', network: OnnxNetwork, spec: OnnxSpec,
                 inference_spec: InferenceSpec) -> None:
        self.model, self.network, self.spec = model, network, spec
        self.inference_spec, self.nodes = inference_spec, OnnxNodes(model, PREFIX)

    def replace_input(self) -> None:
        """Replace the network's input by the bytes of an image."""
        from onnx import TensorProto, helper
        nodes, graph, takes = self.nodes, self.model.graph, self.spec.input
        own, network_nodes = self._require_input(), list(graph.node)
        del graph.node[:]
        x = IMAGE
        if takes.channels == 'bgr':
            x = nodes.add('Gather', x, nodes.constant([2, 1, 0], np.int64), axis=3)
        if takes.dtype == 'float32':
            x = nodes.cast(x, 'FLOAT')
        if takes.layout == 'NCHW':
            x = nodes.add('Transpose', x, perm=[0, 3, 1, 2])
        if takes.dtype == 'float32':
            # In bytes: (byte / 255 * range - mean) / std = (byte - shift) * scale.
            white = 255 / takes.range
            shape = (1, 3, 1, 1) if takes.layout == 'NCHW' else (1, 1, 1, 3)
            shift = np.array(takes.mean).reshape(shape) * white
            scale = 1 / (np.array(takes.std).reshape(shape) * white)
            x = nodes.add('Sub', x, nodes.constant(shift, np.float32))
            x = nodes.add('Mul', x, nodes.constant(scale, np.float32))
        nodes.rename(x, own)
        graph.node.extend(network_nodes)
        del graph.input[:]
        graph.input.append(helper.make_tensor_value_info(
            IMAGE, TensorProto.UINT8,
            [1, self.inference_spec.height, self.inference_spec.width, 3]))
        self.model.ir_version = max(self.model.ir_version, MIN_IR)

    def replace_outputs(self, confidence: bool) -> None:
        """Replace the network's outputs by labels, confidence if requested, and values."""
        nodes, (name, shape) = self.nodes, self._require_output()
        output = nodes.cast(name, 'FLOAT')
        if self.spec.input.layout == 'NHWC' and len(shape) == 4:
            output = nodes.add('Transpose', output, perm=[0, 3, 1, 2])
            shape = [shape[axis] for axis in (0, 3, 1, 2)]
        if self.spec.output == 'labels':
            planes, values = self._labels(output, shape)
        else:
            planes, values = self._scores(output, shape, confidence)
        width, height = self.inference_spec.output_size
        for name, plane in zip(('labels', 'confidence'), planes):
            plane = nodes.reshape(nodes.cast(plane, 'UINT8'), [1, height, width])
            nodes.add_output(name, plane, 'UINT8', [1, height, width])
        joined = nodes.add('Concat', *(nodes.reshape(value, [1]) for value in values), axis=0)
        nodes.add_output('values', joined, 'FLOAT', [len(values)])
        del self.model.graph.output[0]  # the network's own

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
        graph = self.model.graph
        declared, name = graph.output[0], graph.output[0].name
        del graph.value_info[:], graph.output[:]
        graph.output.append(onnx.ValueInfoProto(name=name))
        try:
            inferred = onnx.shape_inference.infer_shapes(self.model, data_prop=True)
        except Exception as error:  # of the package's C++ code
            raise BadInput(f'{self.network.path} is not consistent '
                           f'({one_line(error)}); export it again') from error
        dtype, shape = type_and_shape(inferred.graph.output[0].type)
        declared_dtype, declared_shape = type_and_shape(declared.type)
        if len(shape) == len(declared_shape):
            shape = [each or length for each, length in zip(shape, declared_shape)]
        return name, dtype or declared_dtype, shape or declared_shape

    def _scores(self, scores: str, shape: Shape, confidence: bool
                ) -> tuple[list[str], list[str]]:
        """Return the planes (1, 1, h, w) and the values of logits or probabilities.

        scores: (1, classes, h', w'), with its shape.
        """
        spec, nodes = self.inference_spec, self.nodes
        # A mean and not a sum, which would overflow in float16.
        values = [nodes.reduce('ReduceMean', scores, [1, 2, 3])]
        if self.spec.output == 'probabilities':
            sums = nodes.reduce('ReduceSum', scores, [1])
            values += [nodes.reduce(op, x, [1, 2, 3]) for op, x in (
                ('ReduceMin', scores), ('ReduceMin', sums), ('ReduceMax', sums))]
        nearest = spec.resizes and spec.filter == 'nearest'
        width, height = (spec.width, spec.height) if nearest else spec.output_size
        if shape[2:] != [height, width]:
            scores = nodes.interpolate(scores, [1, len(self.spec.labels), height, width])
        planes = [nodes.cast(nodes.add('ArgMax', scores, axis=1, keepdims=1), 'FLOAT')]
        if confidence:
            planes.append(self._confidence(scores))
        if nearest:
            planes = [self._to_output_size(plane, height, width) for plane in planes]
        return planes, values

    def _confidence(self, scores: str) -> str:
        """Return 255 times the probability of the top class, (1, 1, h, w)."""
        nodes = self.nodes
        top = nodes.reduce('ReduceMax', scores, [1])
        if self.spec.output == 'logits':
            # It is 1 / sum(exp((logit - top logit) / temperature)).
            below_top = nodes.add('Sub', scores, top)
            if self.spec.temperature != 1:
                temperature = nodes.constant(self.spec.temperature, np.float32)
                below_top = nodes.add('Div', below_top, temperature)
            total = nodes.reduce('ReduceSum', nodes.add('Exp', below_top), [1])
            top = nodes.add('Reciprocal', total)
        white = nodes.constant(255, np.float32)
        return nodes.add('Round', nodes.add('Clip', nodes.add('Mul', top, white),
                                            nodes.constant(0, np.float32), white))

    def _labels(self, labels: str, shape: Shape) -> tuple[list[str], list[str]]:
        """Return the planes (1, 1, h, w) and the values of an output of labels.

        labels: (1, h', w') or (1, 1, h', w') floats, with its shape.
        """
        nodes = self.nodes
        if len(shape) == 3:
            labels = nodes.unsqueeze(labels, 1)
        labels = self._to_output_size(labels, *shape[-2:])
        table = np.full(INVALID + 2, INVALID)  # of the numbers -1 to INVALID
        table[self.spec.void_id + 1] = UNLABELED
        table[np.array(self.spec.ids) + 1] = range(len(self.spec.ids))
        invalid = nodes.constant(INVALID, np.float32)
        is_whole = nodes.add('Equal', labels, nodes.add('Round', labels))  # NaN is not
        labels = nodes.add('Clip', nodes.add('Where', is_whole, labels, invalid),
                           nodes.constant(-1, np.float32), invalid)
        index = nodes.cast(nodes.add('Add', labels, nodes.constant(1, np.float32)), 'INT64')
        classes = nodes.add('Gather', nodes.constant(table, np.float32), index, axis=0)
        return [classes], [nodes.reduce('ReduceMax', classes, [1, 2, 3])]

    def _to_output_size(self, plane: str, height: int | None, width: int | None) -> str:
        """Take the nearest pixels of a plane (1, 1, height, width) for the output size."""
        sizes = (height, width), reversed(self.inference_spec.output_size)
        for axis, (size, output_size) in enumerate(zip(*sizes), start=2):
            assert size is not None
            if size != output_size:
                indices = nearest_indices(size, output_size)
                plane = self.nodes.add('Gather', plane, self.nodes.constant(indices, np.int64),
                                       axis=axis)
        return plane
