"""Random inputs for `fuzz_entries`: damaged files, values of any type, texts that are traps.

Inputs come from generators: functions that return a new value for the state of a random number
generator, so that each input has a seed.
"""

import datetime
import math
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

import yaml

T = TypeVar('T')
Generator = Callable[[Random], T]

# Lengths and offsets at which readers overflow.
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1,
           2**40, 2**63 - 1, 2**63, 2**64 - 1)


def sampled(*choices: T) -> Generator[T]:
    return lambda rng: rng.choice(choices)


def integers(low: int, high: int) -> Generator[int]:
    """Return integers from low to high, both included; the limits come more often."""
    def generate(rng: Random) -> int:
        return rng.choice((low, high)) if rng.random() < 0.1 else rng.randint(low, high)

    return generate


def one_of(*generators: Generator[Any]) -> Generator[Any]:
    return lambda rng: rng.choice(generators)(rng)


def tuples(*generators: Generator[Any]) -> Generator[Any]:
    return lambda rng: tuple(generate(rng) for generate in generators)


def lists(generate: Generator[T], least: int, most: int) -> Generator[list[T]]:
    return lambda rng: [generate(rng) for _ in range(rng.randint(least, most))]


def dictionaries(keys: Generator[str], generate: Generator[T], most: int,
                 ) -> Generator[dict[str, T]]:
    return lambda rng: {keys(rng): generate(rng) for _ in range(rng.randint(0, most))}


def any_float(rng: Random) -> float:
    """Return floats of any bits: huge, tiny and NaN."""
    return float(struct.unpack('<d', rng.randbytes(8))[0])


def any_float32(rng: Random) -> float:
    return float(struct.unpack('<f', rng.randbytes(4))[0])


floats = one_of(any_float, any_float32, lambda rng: rng.uniform(-10, 10),
                lambda rng: float(rng.randint(-10, 10)), sampled(
                    0.0, -0.0, 1.0, 0.1, 5e-324, 1e-300, 2.0**53 + 2, 3.4028234663852886e38, 1e300,
                    1.7976931348623157e308, math.nan, math.inf, -math.inf))
numbers = one_of(
    sampled(0, -1, 1, 255, 256, 8192, 8193, 2**31, 2**63 - 1, -2**63, 2**64, 10**400),
    lambda rng: rng.randint(-300, 300), floats)

# First and last code points of which texts consist; surrogates are no text.
_CHARACTERS = (' ', '~'), (' ', '~'), ('\0', '\x1f'), ('\x7f', 'ÿ'), ('Ā', '\ud7ff'), (
    '\ue000', '\uffff'), ('\U00010000', '\U0010ffff')


def any_text(rng: Random) -> str:
    return ''.join(chr(rng.randint(*map(ord, rng.choice(_CHARACTERS))))
                   for _ in range(rng.randint(0, 12)))


names = one_of(sampled('', ' ', 'Road', 'road', 'Road\n', 'a' * 300, '\x1b[2J', '\u2028', '道路',
                       '..', '/', '~', 'None', 'true', '1'), any_text)
leaves = one_of(
    lambda rng: None, sampled(False, True), numbers, names,
    lambda rng: rng.randbytes(rng.randint(0, 4)),
    lambda rng: datetime.date.fromordinal(rng.randint(1, datetime.date.max.toordinal())))


def values(rng: Random, depth: int = 3) -> Any:
    """Return plain data of at most `depth` levels."""
    def inner(rng: Random) -> Any:
        return values(rng, depth - 1)

    kinds = (leaves, lists(inner, 0, 4), dictionaries(names, inner, 4)) if depth else (leaves,)
    return rng.choice(kinds)(rng)


def mutated(*samples: bytes, tokens: Sequence[bytes] = ()) -> Generator[bytes]:
    """Return samples with random changes.

    Bits, numbers and tokens are replaced; parts are lost, moved and repeated.
    """
    return lambda rng: _mutate(rng.choice(samples), rng, tokens)


def _mutate(sample: bytes, rng: Random, tokens: Sequence[bytes]) -> bytes:
    data = bytearray(sample)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 8, 20))):
        at = rng.randrange(len(data) + 1)
        # Headers decide more than the rest.
        at = min(at, rng.choice((len(data), len(data), 64, 16)))
        length = min(rng.choice((1, 1, 2, 4, 8, 32, 256)), len(data) - at)
        rng.choice(_CHANGES)(data, at, length, rng, tokens)
    return bytes(data)


def _flip(data: bytearray, at: int, length: int, rng: Random,
          tokens: Sequence[bytes]) -> None:
    if at < len(data):
        data[at] ^= 1 << rng.randrange(8)


def _replace(data: bytearray, at: int, length: int, rng: Random,
             tokens: Sequence[bytes]) -> None:
    data[at:at + length] = rng.randbytes(length)


def _number(data: bytearray, at: int, length: int, rng: Random,
            tokens: Sequence[bytes]) -> None:
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(NUMBERS) % 256**size
    data[at:at + size] = value.to_bytes(size, rng.choice(('big', 'little')))


def _token(data: bytearray, at: int, length: int, rng: Random,
           tokens: Sequence[bytes]) -> None:
    if tokens:
        data[at:at + rng.choice((0, length))] = rng.choice(tokens)


def _remove(data: bytearray, at: int, length: int, rng: Random,
            tokens: Sequence[bytes]) -> None:
    del data[at:at + length]


def _cut(data: bytearray, at: int, length: int, rng: Random,
         tokens: Sequence[bytes]) -> None:
    del data[at:]


def _repeat(data: bytearray, at: int, length: int, rng: Random,
            tokens: Sequence[bytes]) -> None:
    data[at:at] = data[at:at + length] * rng.choice((1, 2, 10))


def _move(data: bytearray, at: int, length: int, rng: Random,
          tokens: Sequence[bytes]) -> None:
    other = rng.randrange(len(data) + 1)
    data[at:at + length] = data[other:other + length]


_CHANGES: tuple[Callable[[bytearray, int, int, Random, Sequence[bytes]], None], ...] = (
    _flip, _flip, _replace, _number, _number, _token, _remove, _cut, _repeat, _move)

_YAML_TRAPS = tuple(text.encode() for text in (
    '&a ', '*a', '<<: ', '!!int ', '!!float ', '!!bool ', '!!timestamp ', '!!binary ', '!!set ',
    '!!omap ', '!!python/object:os.system ', '? ', '- ', ': ', '{', '}', '[', ']', '"', "'", '|\n',
    '>\n', '%YAML 1.2\n', '---\n', '...\n', '#', '\t', '\n', '0x', '1:59', '1e999', '.nan', '.inf',
    '2001-99-99', '9' * 120, '[' * 60, '\ufeff', '\0', '\ud7ff', 'no', '~'))


def yaml_files(*samples: dict[str, Any] | str) -> Generator[bytes]:
    """Return YAML files that are damaged, or whose entries have other values."""
    texts = [text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False)
             for text in samples]
    entries = [text if isinstance(text, dict) else yaml.safe_load(text) for text in samples]
    change = changed(*entries)
    return one_of(mutated(*(text.encode() for text in texts), tokens=_YAML_TRAPS),
                  lambda rng: _dump(change(rng)), lambda rng: _dump(values(rng)))


def _dump(data: object) -> bytes:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode(errors='replace')


def changed(*samples: dict[str, Any]) -> Generator[dict[str, Any]]:
    """Return plain data in which some values are replaced, removed or added."""
    return lambda rng: _change(rng.choice(samples), rng)


def _change(sample: dict[str, Any], rng: Random) -> dict[str, Any]:
    data = _copy(sample)
    for value in lists(one_of(leaves, values), 1, 3)(rng):
        node, key = data, None
        while isinstance(node, (dict, list)) and node:
            parent, key = node, rng.choice(list(node) if isinstance(node, dict)
                                           else range(len(node)))
            node = parent[key]
            if rng.random() < 0.3:
                break
        if key is None:
            continue
        if rng.random() < 0.15:
            del parent[key]
        elif isinstance(parent, dict) and rng.random() < 0.1:
            parent[str(value)[:20]] = value
        else:
            parent[key] = value
    return data


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(value) for value in data] if isinstance(data, list) else data
