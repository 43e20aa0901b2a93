"""Color files: CSV with a header line and the columns name, r, g, b and, optionally, a and id.

Hydra names the columns red, green, blue and alpha; both spellings are read.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from enet_ros.errors import BadInput
from enet_ros.input_file import read_input
from enet_ros.paths import user_path

COLUMNS = {'red': 'r', 'green': 'g', 'blue': 'b', 'alpha': 'a'}
MAX_BYTES = 1_000_000
REQUIRED = 'name', 'r', 'g', 'b'
HEADER_REMEDY = 'begin the file with the line name,r,g,b,a,id'


@dataclass(frozen=True)
class PaletteEntry:
    """A line of a color file. color: RGB, each 0-255. id: None if the file has no ids."""

    line: int
    color: tuple[int, int, int]
    id: int | None


@dataclass(frozen=True)
class Palette:
    """The colors of classes or groups. path: of the file, for errors."""

    path: str
    entries: Mapping[str, PaletteEntry]

    def color_of(self, name: str, label_id: int) -> tuple[int, int, int]:
        """Return the color of a name; raise BadInput if it is missing or has another id."""
        entry = self.entries.get(name)
        if entry is None:
            raise BadInput(f'{self.path} has no color for {name!r}; add a line such as '
                           f'{name},128,64,128,255,{label_id}')
        if entry.id is not None and entry.id != label_id:
            raise BadInput(f'{self.path}, line {entry.line}: {name!r} has id {entry.id}, but '
                           f'~/label holds {label_id} for it; correct the line, leave the column '
                           'id out, or set output.label_ids to mapped')
        return entry.color


def read_palette(path: str | os.PathLike[str]) -> Palette:
    """Read a color file; names that are not used are ignored.

    Raise BadInput, which names the file and the line.
    """
    file = user_path(path)
    data = read_input(file, MAX_BYTES, 'a CSV file of colors')
    try:
        lines = data.decode('utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f'{file} is not text in UTF-8; name a CSV file of colors') from error
    entries: dict[str, PaletteEntry] = {}
    name_of: dict[int, str] = {}
    for number, row in _rows(lines, f'{file}'):
        where, name = f'{file}, line {number}', row['name']
        entry = _entry(number, row, where)
        if not name or name in entries:
            raise BadInput(f'{where}: name {name!r} is empty or stands in an earlier line; '
                           'correct it')
        if entry.id is not None and name_of.setdefault(entry.id, name) != name:
            raise BadInput(f'{where}: {name_of[entry.id]!r} and {name!r} both have id {entry.id}; '
                           'change one')
        entries[name] = entry
    return Palette(str(file), entries)


def _rows(lines: Iterable[str], file: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (number of the line, {column: text}) of each line after the header."""
    reader = csv.reader(lines, skipinitialspace=True)
    try:
        columns = [COLUMNS.get(name, name) for name in map(_clean, next(reader, []))]
        missing = [name for name in REQUIRED if name not in columns]
        if missing:
            raise BadInput(f'{file}, line 1: column {missing[0]} is missing; {HEADER_REMEDY}')
        for row in reader:
            if not row:
                continue
            if len(row) != len(columns):
                raise BadInput(f'{file}, line {reader.line_num}: {len(row)} values for '
                               f'{len(columns)} columns; write one for each of '
                               f'{",".join(columns)}')
            yield reader.line_num, dict(zip(columns, map(str.strip, row)))
    except csv.Error as error:
        raise BadInput(f'{file}, line {reader.line_num} is not CSV ({error}); correct it'
                       ) from error


def _clean(name: str) -> str:
    return name.strip().lower()


def _entry(number: int, row: Mapping[str, str], where: str) -> PaletteEntry:
    red, green, blue = (_number(row, name, where) for name in 'rgb')
    if row.get('a'):
        _number(row, 'a', where)
    label_id = _number(row, 'id', where, -32768, 32767) if row.get('id') else None
    return PaletteEntry(number, (red, green, blue), label_id)


def _number(row: Mapping[str, str], column: str, where: str, low: int = 0, high: int = 255) -> int:
    """Return the number in a column; raise BadInput if it is none or out of range."""
    try:
        value = int(row[column])
    except ValueError:
        value = high + 1
    if not low <= value <= high:
        raise BadInput(f'{where}: {column} is {row[column]!r}; it must be a number from {low} to '
                       f'{high}')
    return value
