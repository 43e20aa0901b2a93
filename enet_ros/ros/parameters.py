"""ROS parameters declared from a configuration dataclass, under the same nested names."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, get_origin

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from enet_ros.errors import BadInput
from enet_ros.ros.parameter_names import leaf_fields, unknown_parameters

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ConfigT = TypeVar('ConfigT', bound='DataclassInstance')
TYPE_NAMES = {str: 'a string', int: 'an integer', float: 'a number', bool: 'true or false',
              tuple: 'a list of strings'}


class Parameters(Generic[ConfigT]):
    """The parameters of a node, one for each field of a config class.

    An invalid value given at the start does not end the node: `read` reports it. An invalid
    change is rejected with the reason. While `locked` is a reason, only fields marked `live` or
    `reloaded` can change.
    """

    def __init__(self, node: Node, config_class: type[ConfigT]) -> None:
        self.node = node
        self.locked = ''
        self._config_class = config_class
        self._config: ConfigT | None = None  # of the current values
        self._fields = dict(leaf_fields(config_class))
        self._invalid = {name: reason for name, item in self._fields.items()
                         if (reason := self._declare(name, item))}
        node.add_on_set_parameters_callback(self._validate)
        # rclpy ignores values for parameters that are not declared.
        for text in unknown_parameters(node._parameter_overrides):
            node.get_logger().warning(text)

    def read(self) -> ConfigT:
        """Return the current values as a frozen config; raise BadInput if one is invalid.

        Call it in the executor's thread only: there, changes that are made together have all
        been applied, or none.
        """
        for name, reason in self._invalid.items():
            raise BadInput(f'parameter {name}: {reason}')
        if self._config is None:
            self._config = self._build(self._values())
        return self._config

    def _values(self) -> dict[str, object]:
        return {name: self.node.get_parameter(name).value for name in self._fields}

    def _declare(self, name: str, item: Field) -> str:
        """Declare one parameter; return why its value given at the start is invalid, or ''."""
        default = list(item.default) if isinstance(item.default, tuple) else item.default
        descriptor = _descriptor(item)
        try:
            self.node.declare_parameter(name, default, descriptor)
        except ParameterException as error:
            self.node.declare_parameter(name, default, descriptor, ignore_override=True)
            return ' '.join(str(error).split())
        return ''

    def _validate(self, changes: Sequence[Parameter]) -> SetParametersResult:
        """Accept or reject changes; rclpy applies them afterwards."""
        try:
            for change in changes:
                self._check_allowed(change)
            values = {change.name: change.value for change in changes
                      if change.name in self._fields}
            self._check_values(values)
        except BadInput as error:
            return SetParametersResult(successful=False, reason=str(error))
        for name in values:
            self._invalid.pop(name, None)
        self._config = None
        return SetParametersResult(successful=True)

    def _check_allowed(self, change: Parameter) -> None:
        """Raise BadInput if a parameter cannot change now, or would be deleted."""
        name = change.name
        if name not in self._fields and name != 'use_sim_time':
            return
        rules = self._fields[name].metadata if name in self._fields else {}
        if self.locked and not (rules.get('live') or rules.get('reloaded')):
            raise BadInput(f'{name} cannot change now: {self.locked}')
        if change.type_ is Parameter.Type.NOT_SET:
            raise BadInput(f"parameter {name} cannot be deleted; give it a value, [''] for an "
                           'empty list')

    def _check_values(self, changes: Mapping[str, object]) -> None:
        """Raise BadInput if changed values are invalid, or do not fit the current ones."""
        values = self._values()
        try:
            self._build({**values, **changes})
        except BadInput:
            if self._is_valid(values):
                raise
            # Other values have been invalid since the start. Check the changes against the
            # defaults; otherwise invalid values could not be corrected one at a time.
            self._build({**{name: item.default for name, item in self._fields.items()},
                         **changes})

    def _is_valid(self, values: Mapping[str, object]) -> bool:
        try:
            self._build(values)
        except BadInput:
            return False
        return True

    def _build(self, values: Mapping[str, object]) -> ConfigT:
        converted = {name: _convert(name, value, _base_type(self._fields[name]))
                     for name, value in values.items()}
        return _build_nested(self._config_class, converted)


def _build_nested(config_class: type[ConfigT], values: Mapping[str, object],
                  prefix: str = '') -> ConfigT:
    """Build nested dataclasses from values by dotted name."""
    arguments: dict[str, object] = {}
    for item in fields(config_class):
        name = prefix + item.name
        if isinstance(item.type, type) and is_dataclass(item.type):
            arguments[item.name] = _build_nested(item.type, values, name + '.')
        else:
            arguments[item.name] = values[name]
    try:
        return config_class(**arguments)
    except BadInput as error:
        raise BadInput(f'parameter {prefix}{error}') from error


def _base_type(item: Field) -> type:
    """Return the type of a field without type arguments: tuple for tuple[str, ...]."""
    base_type = get_origin(item.type) or item.type
    assert isinstance(base_type, type)
    return base_type


def _convert(name: str, value: object, field_type: type) -> object:
    """Return a parameter's value as the type of its field; raise BadInput if it has another."""
    if field_type is float and type(value) is int:
        return float(value)
    if field_type is tuple:
        # YAML's [] has different types in different distributions; ros2 param set needs [''].
        items = [] if value is None else value
        if isinstance(items, (list, tuple, array)) and all(isinstance(item, str)
                                                           for item in items):
            return tuple(item for item in items if item)
    elif type(value) is field_type:
        return value
    raise BadInput(f'parameter {name} is {value!r}; it must be {TYPE_NAMES[field_type]}')


def _descriptor(item: Field) -> ParameterDescriptor:
    rules = item.metadata
    text = rules['description']
    if 'choices' in rules:
        text += f' ({", ".join(rules["choices"])})'
    if rules.get('reloaded'):
        text += '; takes effect with the next ~/reload'
    descriptor = ParameterDescriptor(
        description=text, read_only=rules.get('read_only', False),
        # Accept integers for doubles, and empty lists for lists of strings.
        dynamic_typing=_base_type(item) in (float, tuple))
    if 'minimum' in rules and 'maximum' in rules:
        low, high = rules['minimum'], rules['maximum']
        if item.type is float:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
    return descriptor
