"""Plain data as JSON text, and back."""

import json
import math

MAX_DEPTH = 100  # levels of nesting that are read
MAX_DIGITS = 18  # of an integer; they fit into 64 bits


def json_text(data: object, indent: int | None = None) -> str:
    """Return plain data as JSON text; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_non_finite_to_none(data), indent=indent, allow_nan=False)


def parse_json(text: str) -> object:
    """Return the plain data of JSON text; NaN and infinity, which older files have, become None.

    Raise ValueError for text that is not JSON, nests deeper than MAX_DEPTH levels or has integers
    of more than 64 bits.
    """
    try:
        data: object = json.loads(text, parse_constant=lambda _: None, parse_int=_integer,
                                  parse_float=_finite)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    _require_depth(data, MAX_DEPTH)
    return data


_TOO_DEEP = f'it nests deeper than {MAX_DEPTH} levels'


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f'it has an integer of {len(text)} digits')
    return int(text)


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _require_depth(data: object, levels: int) -> None:
    """Raise ValueError for data with more than this many levels of lists and dicts."""
    if not isinstance(data, (dict, list)):
        return
    if not levels:
        raise ValueError(_TOO_DEEP)
    for value in data.values() if isinstance(data, dict) else data:
        _require_depth(value, levels - 1)


def _non_finite_to_none(data: object) -> object:
    if isinstance(data, dict):
        return {key: _non_finite_to_none(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_non_finite_to_none(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
