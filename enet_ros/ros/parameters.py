"""ROS parameters declared from a configuration dataclass, under the same nested names."""

from array import array
from dataclasses import fields, is_dataclass

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.parameter import Parameter

from enet_ros.errors import BadInput


class Parameters:
    """The parameters of a node, one for each field of a config class.

    A bad value given at the start does not end the node: it is reported by `read`. A bad change
    is rejected with the reason and changes nothing. While `locked` names a reason, only fields
    marked `live` or `reloaded` can change.
    """

    def __init__(self, node, config_class):
        self.node = node
        self.config_class = config_class
        self.locked = ''
        self._config = None  # the present values, until one changes
        self.fields = dict(_leaves(config_class))
        self.refused = {name: reason for name, item in self.fields.items()
                        if (reason := self._declare(name, item))}
        node.add_on_set_parameters_callback(self._validate)

    def read(self):
        """Return the present values as a frozen config; raise BadInput where one is not usable.

        In the executor's thread only: there, of changes that are made together, all have been
        applied or none.
        """
        for name, reason in self.refused.items():
            raise BadInput(f'parameter {name}: {reason}')
        if self._config is None:
            self._config = self._build(self._values())
        return self._config

    def _values(self):
        return {name: self.node.get_parameter(name).value for name in self.fields}

    def _declare(self, name, item):
        """Declare one parameter; return why the value given for it at the start is refused."""
        default = list(item.default) if isinstance(item.default, tuple) else item.default
        descriptor = _describe(item)
        try:
            self.node.declare_parameter(name, default, descriptor)
        except ParameterException as error:
            self.node.declare_parameter(name, default, descriptor, ignore_override=True)
            return ' '.join(str(error).split())
        return ''

    def _validate(self, changes):
        try:
            for change in changes:
                self._check_moment(change)
            changes = {change.name: change.value for change in changes
                       if change.name in self.fields}
            self._check_values(changes)
        except BadInput as error:
            return SetParametersResult(successful=False, reason=str(error))
        for name in changes:
            self.refused.pop(name, None)
        self._config = None  # applied after this, before the executor does anything else
        return SetParametersResult(successful=True)

    def _check_moment(self, change):
        """Raise BadInput where a parameter cannot change now, or would be no more."""
        name = change.name
        if name not in self.fields and name != 'use_sim_time':
            return
        rules = self.fields[name].metadata if name in self.fields else {}
        if self.locked and not (rules.get('live') or rules.get('reloaded')):
            raise BadInput(f'{name} cannot change now: {self.locked}')
        if change.type_ is Parameter.Type.NOT_SET:
            raise BadInput(f"parameter {name} cannot be deleted; give it a value, [''] for an "
                           'empty list')

    def _check_values(self, changes):
        """Raise BadInput where values by name are wrong, or do not go with the present ones."""
        values = self._values()
        try:
            self._build({**values, **changes})
        except BadInput:
            if self._builds(values):
                raise
            # Others are wrong since the start: else none of several could be put right alone.
            self._build({**{name: item.default for name, item in self.fields.items()}, **changes})

    def _builds(self, values):
        try:
            self._build(values)
        except BadInput:
            return False
        return True

    def _build(self, values):
        values = {name: _coerce(name, value, self.fields[name].type)
                  for name, value in values.items()}
        return _nest(self.config_class, values)


def _leaves(config_class, prefix=''):
    """Yield (dotted name, field) of each setting in a nest of dataclasses."""
    for item in fields(config_class):
        if is_dataclass(item.type):
            yield from _leaves(item.type, f'{prefix}{item.name}.')
        else:
            yield prefix + item.name, item


def _nest(config_class, values, prefix=''):
    """Build a nest of dataclasses from values by dotted name."""
    arguments = {}
    for item in fields(config_class):
        name = prefix + item.name
        arguments[item.name] = (_nest(item.type, values, name + '.') if is_dataclass(item.type)
                                else values[name])
    try:
        return config_class(**arguments)
    except BadInput as error:
        raise BadInput(f'parameter {prefix}{error}') from error


def _coerce(name, value, kind):
    """Return a parameter's value as the field's type; raise BadInput where it is another."""
    if kind is float and type(value) is int:
        return float(value)
    if kind is tuple:
        # What YAML's [] becomes differs between distributions; ros2 param set needs [''].
        items = [] if value is None else value
        if isinstance(items, (list, tuple, array)) and all(isinstance(item, str)
                                                           for item in items):
            return tuple(item for item in items if item)
    elif type(value) is kind:
        return value
    wanted = {str: 'a text', int: 'an integer', float: 'a number', bool: 'true or false',
              tuple: 'a list of texts'}[kind]
    raise BadInput(f'parameter {name} is {value!r}; it must be {wanted}')


def _describe(item):
    rules = item.metadata
    text = rules['description']
    if 'choices' in rules:
        text += f' ({", ".join(rules["choices"])})'
    if rules.get('reloaded'):
        text += '; counts from the next ~/reload on'
    descriptor = ParameterDescriptor(
        description=text, read_only=rules.get('read_only', False),
        # So that integers are accepted for doubles and empty lists for lists of texts.
        dynamic_typing=item.type in (float, tuple))
    if 'minimum' in rules and 'maximum' in rules:
        low, high = rules['minimum'], rules['maximum']
        if item.type is float:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
    return descriptor
