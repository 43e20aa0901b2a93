"""Parsing of YAML text that may be hostile: bounded in time and memory, without code."""

from collections.abc import Hashable
from typing import Any

from enet_ros.errors import BadInput, one_line

MAX_DEPTH = 50           # levels of nesting
MAX_NUMBER_LENGTH = 100  # characters
LARGEST_INT = 2 ** 63 - 1


def load_yaml(data: bytes, where: str, unique: bool = True) -> object:
    """Return the plain data of a YAML text in UTF-8.

    where: names the text in errors. unique: refuse entries that appear twice, of which YAML would
    take the last. Raise BadInput if PyYAML is missing, and for text that is not YAML, nests deeper
    than MAX_DEPTH levels, has integers of more than 64 bits, or refers to earlier values (*name):
    a short text could stand for any amount of data.
    """
    try:
        import yaml
    except ImportError as error:
        raise BadInput(f'reading {where} needs the package PyYAML; pip install pyyaml') from error

    class Loader(yaml.SafeLoader):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                event = self.peek_event()
                raise BadInput(f'{where}, line {event.start_mark.line + 1}: *{event.anchor} '
                               'refers to an earlier value, which is not read; write the value '
                               'itself')
            if self.depth == MAX_DEPTH:
                raise BadInput(f'{where} nests deeper than {MAX_DEPTH} levels; write it flatter')
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False
                              ) -> dict[Hashable, object]:
            keys: set[str] = set()
            for key, _ in node.value if unique else ():
                if isinstance(key, yaml.ScalarNode):
                    if key.value in keys:
                        raise BadInput(f'{where}, from line {node.start_mark.line + 1} on: '
                                       f'{key.value!r} appears twice; remove one')
                    keys.add(key.value)
            return super().construct_mapping(node, deep)

        def construct_number(self, node: yaml.ScalarNode) -> int | float:
            is_int = node.tag.endswith(':int')
            if len(node.value) <= MAX_NUMBER_LENGTH:
                value = (self.construct_yaml_int if is_int else self.construct_yaml_float)(node)
                if isinstance(value, float) or abs(value) <= LARGEST_INT:
                    return value
            raise BadInput(f'{where}, line {node.start_mark.line + 1}: the number {node.value!r} '
                           'does not fit into 64 bits; correct it')

    for kind in ('int', 'float'):
        Loader.add_constructor(f'tag:yaml.org,2002:{kind}', Loader.construct_number)
    try:
        return yaml.load(data.decode('utf-8-sig'), Loader)  # noqa: S506  it is a SafeLoader
    except BadInput:
        raise
    except UnicodeDecodeError as error:
        raise BadInput(f'{where} is not YAML: it is not text in UTF-8; name a YAML file'
                       ) from error
    except yaml.YAMLError as error:
        raise BadInput(f'{where} is not YAML: {one_line(error)}') from error
    except Exception as error:  # constructors of dates, booleans and so on raise many types
        raise BadInput(f'{where} is not YAML: it has a value that cannot be read '
                       f'({one_line(error) or type(error).__name__})') from error
