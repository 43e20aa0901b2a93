"""Read and write the YAML files from which nodes take their parameters."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from enet_ros.errors import BadInput

Value: TypeAlias = bool | int | float | str | list


def read_parameter_file(path: str | Path, node: str, namespace: str = '') -> dict[str, Value]:
    """Return the parameters that a file sets for a node, by their dotted names.

    If several sections set a parameter, the last one counts, as in rcl. Raise BadInput if the
    file is missing or is not a parameter file.
    """
    import yaml

    if not Path(path).is_file():
        raise BadInput(f'params_file {str(path)!r} is not a file; leave the argument out to use '
                       'the file that comes with enet_ros')
    try:
        sections = yaml.safe_load(Path(path).read_bytes()) or {}
    except yaml.YAMLError as error:
        raise BadInput(f'params_file {str(path)!r} is not YAML: '
                       f'{" ".join(str(error).split())}') from error
    if not isinstance(sections, dict):
        raise BadInput(f'params_file {str(path)!r} does not map node names to parameters')
    full_name = '/'.join(['', *filter(None, namespace.split('/')), node])
    values: dict[str, Value] = {}
    for name, parameters in _sections(sections):
        if _matches(name, full_name):
            values.update(_flatten(parameters))
    return values


def write_parameter_file(node: str, values: dict[str, Value]) -> str:
    """Write a temporary file that sets parameters of a node in any namespace; return its path.

    The file is left for the nodes that are started with it.
    """
    import yaml

    handle, path = tempfile.mkstemp(prefix='enet_ros_', suffix='.yaml')
    with os.fdopen(handle, 'w') as file:
        yaml.safe_dump({f'/**/{node}': {'ros__parameters': values}}, file)
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
    pattern = re.escape('/' + pattern.lstrip('/'))
    pattern = pattern.replace(r'/\*\*', r'(/\w+)*').replace(r'/\*', r'/\w+')
    return re.fullmatch(pattern, node) is not None


def _flatten(tree: dict, prefix: str = '') -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            values.update(_flatten(value, f'{prefix}{name}.'))
        else:
            values[f'{prefix}{name}'] = value
    return values
