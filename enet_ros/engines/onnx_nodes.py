"""Additional nodes in the graph of an ONNX file, with the operators of the file's own version."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from enet_ros.models.onnx_network import opset

if TYPE_CHECKING:
    from onnx import ModelProto

Attribute = int | str | list[int]
AXES_SINCE = {'ReduceSum': 13, 'Unsqueeze': 13}  # opsets in which axes became an input
REDUCTION_AXES_SINCE = 18  # the same for the other reductions
OPTIONAL_INPUTS_SINCE = 13  # the first opset whose Resize may lack inputs


class OnnxNodes:
    """Adds nodes at the end of a graph. Most methods return the name of the node's output.

    prefix: of the names that are added.
    """

    def __init__(self, model: 'ModelProto', prefix: str) -> None:
        self.graph, self.opset, self.prefix = model.graph, opset(model), prefix
        self._added = 0

    def add(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        output = self._new_name()
        self._append(op, inputs, output, attributes)
        return output

    def rename(self, x: str, output: str) -> None:
        """Give a value another name."""
        self._append('Identity', [x], output, {})

    def constant(self, value: object, dtype: type[np.generic]) -> str:
        from onnx import numpy_helper
        name = self._new_name()
        self.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def cast(self, x: str, dtype: str) -> str:
        """Convert a value to 'FLOAT', 'INT64' or 'UINT8'."""
        from onnx import TensorProto
        return self.add('Cast', x, to=TensorProto.DataType.Value(dtype))

    def reduce(self, op: str, x: str, axes: list[int]) -> str:
        """Reduce axes to the length 1."""
        return self._add_with_axes(op, x, axes, keepdims=1)

    def unsqueeze(self, x: str, axis: int) -> str:
        return self._add_with_axes('Unsqueeze', x, [axis])

    def reshape(self, x: str, shape: list[int]) -> str:
        return self.add('Reshape', x, self.constant(shape, np.int64))

    def interpolate(self, x: str, shape: list[int]) -> str:
        """Resize to a shape, linearly, as PyTorch does without align_corners."""
        none = '' if self.opset >= OPTIONAL_INPUTS_SINCE else self.constant([], np.float32)
        return self.add('Resize', x, none, none, self.constant(shape, np.int64), mode='linear',
                        coordinate_transformation_mode='half_pixel')

    def add_output(self, name: str, x: str, dtype: str, shape: list[int]) -> None:
        """Add a value, of type 'FLOAT' or 'UINT8', to the outputs of the graph."""
        from onnx import TensorProto, helper
        output = f'{self.prefix}{name}'
        self.rename(x, output)
        self.graph.output.append(helper.make_tensor_value_info(
            output, TensorProto.DataType.Value(dtype), shape))

    def _add_with_axes(self, op: str, x: str, axes: list[int], **attributes: Attribute) -> str:
        if self.opset >= AXES_SINCE.get(op, REDUCTION_AXES_SINCE):
            return self.add(op, x, self.constant(axes, np.int64), **attributes)
        return self.add(op, x, axes=axes, **attributes)

    def _append(self, op: str, inputs: Sequence[str], output: str,
                attributes: Mapping[str, Attribute]) -> None:
        from onnx import helper
        node = helper.make_node(op, inputs, [output])
        node.attribute.extend(helper.make_attribute(name, value)
                              for name, value in attributes.items())
        self.graph.node.append(node)

    def _new_name(self) -> str:
        self._added += 1
        return f'{self.prefix}{self._added}'
