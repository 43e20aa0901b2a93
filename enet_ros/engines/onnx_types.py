"""Types and shapes of the inputs and outputs in ONNX files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, TypeProto

Shape = list[int | None]  # lengths that may vary are None


def network_inputs(model: 'ModelProto') -> list[tuple[str, str, Shape]]:
    """Return name, type and shape of each input of a model."""
    constants = {each.name for each in model.graph.initializer}
    return [(each.name, *type_and_shape(each.type)) for each in model.graph.input
            if each.name not in constants]


def type_and_shape(kind: 'TypeProto') -> tuple[str, Shape]:
    """Return the name of a type, such as 'float32', and a shape; what is unknown is empty."""
    from onnx import TensorProto, helper
    tensor = kind.tensor_type
    dtype = ''
    if tensor.elem_type != TensorProto.UNDEFINED:
        try:
            dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
        except KeyError:
            dtype = f'type {tensor.elem_type}'
    return dtype, [each.dim_value if each.dim_value > 0 else None for each in tensor.shape.dim]


def shape_text(shape: Sequence[object]) -> str:
    """Return a shape as text."""
    return f'({", ".join("any" if length is None else str(length) for length in shape)})'
