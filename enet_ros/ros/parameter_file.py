"""Read and write the YAML files from which nodes take their parameters."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from enet_ros.errors import BadInput
from enet_ros.input_file import read_input
from enet_ros.paths import check_path, temporary_files
from enet_ros.yaml_data import MAX_YAML_BYTES
from enet_ros.yaml_loader import load_yaml

Value: TypeAlias = bool | int | float | str | list


def read_parameter_file(path: str | Path, node: str, namespace: str = '') -> dict[str, Value]:
    """Return the parameters that a file sets for a node, by their dotted names.

    If several sections set a parameter, the last one counts, as in rcl. Raise BadInput if the
    file is missing or is not a parameter file.
    """
    where = f'params_file {str(path)!r}'
    check_path(path)
    if not Path(path).is_file():
        raise BadInput(f'{where} is not a file; leave the argument out to use the file that comes '
                       'with enet_ros')
    content = read_input(path, MAX_YAML_BYTES, 'a parameter file')
    # Sections of a node may stand in several places, as rcl has it.
    sections = load_yaml(content, where, unique=False) or {}
    if not isinstance(sections, dict):
        raise BadInput(f'{where} does not map node names to parameters')
    full_name = '/'.join(['', *filter(None, namespace.split('/')), node])
    values: dict[str, Value] = {}
    for name, parameters in _sections(sections):
        if _matches(name, full_name):
            values.update(_flatten(parameters))
    return values


def write_parameter_file(node: str, values: dict[str, Value]) -> str:
    """Write a temporary file that sets parameters of a node in any namespace; return its path.

    The file is left for the nodes that are started with it. Raise BadInput if it cannot be
    written.
    """
    import yaml

    text = yaml.safe_dump({f'/**/{node}': {'ros__parameters': values}})
    with temporary_files():
        handle, path = tempfile.mkstemp(prefix='enet_ros_', suffix='.yaml')
        try:
            with os.fdopen(handle, 'w') as file:
                file.write(text)
        except OSError:
            os.unlink(path)
            raise
    return path


def _sections(tree: dict, namespace: str = '') -> Iterator[tuple[str, dict]]:
    """Yield the name and the parameters of each node; namespaces may contain nodes, as in rcl."""
    for key, section in tree.items():
        if not isinstance(section, dict):
            continue
        if key == 'ros__parameters':
            yield namespace, section
        else:
            yield from _sections(section, f'{namespace}/{key}'.replace('//', '/'))


def _matches(pattern: str, node: str) -> bool:
    """Return whether the name of a section, where * is one token and ** any number, fits."""
    tokens = node.lstrip('/').split('/')
    reached = {0}  # numbers of tokens that the pattern so far can stand for
    for part in pattern.lstrip('/').split('/'):
        if part == '**':
            reached = {end for end in range(len(tokens) + 1) if end >= min(reached)}
        else:
            reached = {end + 1 for end in reached
                       if end < len(tokens) and part in ('*', tokens[end])}
        if not reached:
            return False
    return len(tokens) in reached


def _flatten(tree: dict, prefix: str = '') -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            values.update(_flatten(value, f'{prefix}{name}.'))
        else:
            values[f'{prefix}{name}'] = value
    return values
