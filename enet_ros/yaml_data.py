"""Reading of YAML files that users write."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from enet_ros.errors import BadInput
from enet_ros.input_file import read_input
from enet_ros.yaml_loader import load_yaml

MAX_YAML_BYTES = 100_000
SIDES = 32, 8192  # smallest and largest side of a network's image, pixels


def read_yaml(path: str | os.PathLike[str]) -> dict[str, object]:
    """Return the entries of a YAML file.

    Raise BadInput if PyYAML is missing, or if the file cannot be read, is not a mapping or has an
    entry twice, of which YAML would take the last.
    """
    data = load_yaml(read_input(path, MAX_YAML_BYTES, 'a YAML file'), str(path))
    if not isinstance(data, dict):
        raise BadInput(f'{path} has no entries; write them as name: value')
    return data


def image_size(value: object, file: Path) -> tuple[int, int]:
    """Return the (width, height) of the entry `size` of a file; raise BadInput for others."""
    if (isinstance(value, list) and len(value) == 2
            and all(type(length) is int and SIDES[0] <= length <= SIDES[1] for length in value)):
        return value[0], value[1]
    raise BadInput(f'{file}: size is {value!r}; it must be [width, height] in pixels, '
                   f'from {SIDES[0]} to {SIDES[1]} each, such as [640, 480]')


def refuse_unknown(entries: Iterable[object], known: Iterable[str], where: str,
                   renamed: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raise BadInput for the first key of `entries` that is not among the known keys.

    renamed: known keys by their names in earlier versions.
    """
    known = list(known)
    for key in entries:
        if isinstance(key, str) and key in renamed:
            raise BadInput(f'{where}: entry {key!r} of earlier versions is {renamed[key]!r} now')
        if key not in known:
            raise BadInput(f'{where}: unknown entry {key!r}; known entries are '
                           f'{", ".join(known)}')


def choice(value: object, choices: Sequence[str], where: str) -> str:
    """Return a value that is one of the choices; raise BadInput for others."""
    if isinstance(value, str) and value in choices:
        return value
    raise BadInput(f'{where} is {value!r}; choose one of {", ".join(choices)}')


def three_numbers(value: object, where: str, above_zero: bool = False) -> tuple[float, ...]:
    """Return the numbers of a list of three, one for each channel; raise BadInput for others."""
    if (isinstance(value, list) and len(value) == 3
            and all(type(number) in (int, float) and math.isfinite(number) for number in value)
            and (not above_zero or min(value) > 0)):
        return tuple(float(number) for number in value)
    rule = ' above zero' if above_zero else ''
    raise BadInput(f'{where} is {value!r}; it must be three numbers{rule}, of the channels')
