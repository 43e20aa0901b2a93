"""Conversion of plain data for JSON files."""

import math


def finite(data: object) -> object:
    """Return plain data with NaN and infinity, which JSON cannot represent, replaced by None."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
