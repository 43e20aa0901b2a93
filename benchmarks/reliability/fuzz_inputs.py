"""Random inputs for `fuzz_entries`: damaged files, values of any type, texts that are traps."""

import datetime
import random
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

# Lengths and offsets at which readers overflow.
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1,
           2**40, 2**63 - 1, 2**63, 2**64 - 1)

numbers = st.one_of(
    st.sampled_from([0, -1, 1, 255, 256, 8192, 8193, 2**31, 2**63 - 1, -2**63, 2**64, 10**400]),
    st.integers(-300, 300), st.floats(width=32), st.floats())
names = st.one_of(
    st.sampled_from(['', ' ', 'Road', 'road', 'Road\n', 'a' * 300, '\x1b[2J', '\u2028', '道路',
                     '..', '/', '~', 'None', 'true', '1']), st.text(max_size=12))
leaves: SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), numbers, names, st.binary(max_size=4),
    st.dates(datetime.date(1, 1, 1)))
values: SearchStrategy[Any] = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=4),
                                    st.dictionaries(names, inner, max_size=4)), max_leaves=8)


def mutated(*samples: bytes, tokens: Sequence[bytes] = ()) -> SearchStrategy[bytes]:
    """Return samples with random changes.

    Bits, numbers and tokens are replaced; parts are lost, moved and repeated.
    """
    return st.builds(_mutate, st.sampled_from(samples), st.integers(0, 2**64 - 1),
                     st.just(tuple(tokens)))


def _mutate(sample: bytes, seed: int, tokens: tuple[bytes, ...]) -> bytes:
    rng = random.Random(seed)
    data = bytearray(sample)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 8, 20))):
        at = rng.randrange(len(data) + 1)
        # Headers decide more than the rest.
        at = min(at, rng.choice((len(data), len(data), 64, 16)))
        length = min(rng.choice((1, 1, 2, 4, 8, 32, 256)), len(data) - at)
        rng.choice(_CHANGES)(data, at, length, rng, tokens)
    return bytes(data)


def _flip(data: bytearray, at: int, length: int, rng: random.Random,
          tokens: tuple[bytes, ...]) -> None:
    if at < len(data):
        data[at] ^= 1 << rng.randrange(8)


def _replace(data: bytearray, at: int, length: int, rng: random.Random,
             tokens: tuple[bytes, ...]) -> None:
    data[at:at + length] = rng.randbytes(length)


def _number(data: bytearray, at: int, length: int, rng: random.Random,
            tokens: tuple[bytes, ...]) -> None:
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(NUMBERS) % 256**size
    data[at:at + size] = value.to_bytes(size, rng.choice(('big', 'little')))


def _token(data: bytearray, at: int, length: int, rng: random.Random,
           tokens: tuple[bytes, ...]) -> None:
    if tokens:
        data[at:at + rng.choice((0, length))] = rng.choice(tokens)


def _remove(data: bytearray, at: int, length: int, rng: random.Random,
            tokens: tuple[bytes, ...]) -> None:
    del data[at:at + length]


def _cut(data: bytearray, at: int, length: int, rng: random.Random,
         tokens: tuple[bytes, ...]) -> None:
    del data[at:]


def _repeat(data: bytearray, at: int, length: int, rng: random.Random,
            tokens: tuple[bytes, ...]) -> None:
    data[at:at] = data[at:at + length] * rng.choice((1, 2, 10))


def _move(data: bytearray, at: int, length: int, rng: random.Random,
          tokens: tuple[bytes, ...]) -> None:
    other = rng.randrange(len(data) + 1)
    data[at:at + length] = data[other:other + length]


_CHANGES: tuple[Callable[[bytearray, int, int, random.Random, tuple[bytes, ...]], None], ...] = (
    _flip, _flip, _replace, _number, _number, _token, _remove, _cut, _repeat, _move)

_YAML_TRAPS = tuple(text.encode() for text in (
    '&a ', '*a', '<<: ', '!!int ', '!!float ', '!!bool ', '!!timestamp ', '!!binary ', '!!set ',
    '!!omap ', '!!python/object:os.system ', '? ', '- ', ': ', '{', '}', '[', ']', '"', "'", '|\n',
    '>\n', '%YAML 1.2\n', '---\n', '...\n', '#', '\t', '\n', '0x', '1:59', '1e999', '.nan', '.inf',
    '2001-99-99', '9' * 120, '[' * 60, '\ufeff', '\0', '\ud7ff', 'no', '~'))


def yaml_files(*samples: dict[str, Any] | str) -> SearchStrategy[bytes]:
    """Return YAML files that are damaged, or whose entries have other values."""
    texts = [text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False)
             for text in samples]
    entries = [text if isinstance(text, dict) else yaml.safe_load(text) for text in samples]
    return st.one_of(
        mutated(*(text.encode() for text in texts), tokens=_YAML_TRAPS),
        st.builds(_dump, changed(*entries)), st.builds(_dump, values))


def _dump(data: object) -> bytes:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode(errors='replace')


def changed(*samples: dict[str, Any]) -> SearchStrategy[dict[str, Any]]:
    """Return plain data in which some values are replaced, removed or added."""
    return st.builds(_change, st.sampled_from(samples), st.lists(leaves | values, min_size=1,
                                                                 max_size=3),
                     st.integers(0, 2**32 - 1))


def _change(sample: dict[str, Any], replacements: list[Any], seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    data = _copy(sample)
    for value in replacements:
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
