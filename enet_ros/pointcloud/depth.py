"""Depth images as distances in meters."""

import numpy as np
from numpy.typing import NDArray

MILLIMETER = np.float32(0.001)
Depth = NDArray[np.uint16] | NDArray[np.float32]


def depth_in_meters(depth: Depth) -> NDArray[np.float32]:
    """Return a depth image in meters, float32 (H, W); NaN where nothing was measured.

    depth: (H, W) along the optical axis, uint16 in millimeters or float32 in meters (REP-118).
        Zero, negative and infinite values, and NaN, mean that nothing was measured.
    """
    if depth.dtype.kind == 'u':
        z = np.multiply(depth, MILLIMETER, dtype=np.float32)
        z[depth == 0] = np.nan
        return z
    z = depth.astype(np.float32)
    with np.errstate(invalid='ignore'):
        z[~((z > 0) & (z < np.inf))] = np.nan
    return z


def without_depth(depth: Depth) -> NDArray[np.bool_]:
    """Return which pixels have an unknown depth, bool (H, W).

    Positive infinity does not count: it means farther than the camera measures (REP-118).
    Depth in millimeters has no such value.
    """
    with np.errstate(invalid='ignore'):
        return depth == 0 if depth.dtype.kind == 'u' else ~(depth > 0)
