"""Closing of the gaps below obstacles that stand on wheels or legs, such as cars."""

from math import dist, hypot

import numpy as np
from numpy.typing import NDArray

MIN_RATIO = 1.05  # of the range beside a contact point to its own, for a gap
MAX_OVERHANG = 0.8      # meters that a body extends beyond its outermost wheel
MAX_HEIGHT_RATIO = 0.75  # of the gap to the camera; more would close far gaps for low cameras
ROUND_END = 0.3         # meters at the end of an outline that the shape of a wheel bends

Point = tuple[float, float]


def close_gaps(directions: NDArray[np.float64], ranges: NDArray[np.float64],
               classes: NDArray[np.int16], span: float,
               height_ratio: float) -> NDArray[np.float64]:
    """Return the ranges of obstacles with the gaps below them closed, (B,) meters.

    A ray that passes below a body meets something farther away. Between two contact points of one
    class at most `span` meters apart, such a ray ends at the straight line between them instead,
    if a body there would hang no higher than the gap allows. Rays beyond the last contact point
    end at the line that the outline continues, within MAX_OVERHANG meters, or within `span` if
    the obstacle leaves the view there.

    directions: (B, 2) unit vectors of the rays in the order of their bearings.
    ranges: (B,) meters to the first obstacle.
    classes: (B,) its class id; negative if there is none or it has no gap below.
    height_ratio: largest height of the gap, as a part of the camera's height.
    """
    closed = ranges.copy()
    min_ratio = 1 - min(height_ratio, MAX_HEIGHT_RATIO)
    starts = np.flatnonzero(np.diff(classes, prepend=-1))
    stops = np.append(starts[1:], len(classes))
    is_obstacle = classes[starts] >= 0
    for start, stop in zip(starts[is_obstacle].tolist(), stops[is_obstacle].tolist()):
        run_closed = closed[start:stop]
        if not span or run_closed.max() <= MIN_RATIO * run_closed.min():
            continue
        run, run_directions = ranges[start:stop], directions[start:stop]
        corners, points, gaps = _outline(run_directions, run, span, min_ratio)
        for place in gaps:
            gap = slice(corners[place] + 1, corners[place + 1])
            line = _line_ranges(run_directions[gap], points[place], points[place + 1])
            np.minimum(run_closed[gap], line, out=run_closed[gap])
        _extend(run_directions, run_closed, run, corners, points, min_ratio,
                span if stop == len(classes) else MAX_OVERHANG)
        _extend(run_directions[::-1], run_closed[::-1], run[::-1],
                [len(run) - 1 - corner for corner in reversed(corners)], points[::-1], min_ratio,
                span if start == 0 else MAX_OVERHANG)
    return closed


def _outline(directions: NDArray[np.float64], ranges: NDArray[np.float64], span: float,
             min_ratio: float) -> tuple[list[int], list[Point], list[int]]:
    """Return the near outline of a run of contact points: (corners, their points, gaps).

    The outline omits points whose range the straight line between their neighbors, no longer than
    the span, reduces to `min_ratio` or more of it. corners are indices into the run; gaps are the
    indices of the corners after which points are omitted.
    """
    # A corner is only possible where the range changes.
    changes = np.ones(len(ranges) + 1, bool)
    np.not_equal(ranges[1:], ranges[:-1], out=changes[1:-1])
    candidates = np.flatnonzero(changes[1:] | changes[:-1])
    corners: list[int] = []  # indices into candidates
    points: list[Point] = []
    for candidate, (x, y) in enumerate((directions[candidates]
                                        * ranges[candidates, None]).tolist()):
        while len(points) > 1:
            (ax, ay), (bx, by) = points[-2:]
            dx, dy = x - ax, y - ay
            # Where the ray to b meets the line from a to the new point, as a part of b's range.
            ratio = (ax * dy - ay * dx) / (bx * dy - by * dx or 1e-9)
            if not min_ratio <= ratio < 1 or hypot(dx, dy) > span:
                break
            corners.pop()
            points.pop()
        corners.append(candidate)
        points.append((x, y))
    gaps = [place for place, (candidate, following) in enumerate(zip(corners, corners[1:]))
            if following > candidate + 1]
    return candidates[corners].tolist(), points, gaps


def _extend(directions: NDArray[np.float64], closed: NDArray[np.float64],
            ranges: NDArray[np.float64], corners: list[int], points: list[Point],
            min_ratio: float, max_length: float) -> None:
    """Extend an outline beyond each corner that the body overhangs, in place in `closed`.

    closed, ranges: (B,) with and without gaps closed, meters. max_length: of the extension.
    """
    previous: Point | None = None
    range_list = ranges.tolist()
    for place, (corner, (x, y)) in enumerate(zip(corners, points)):
        beyond = corner + 1
        if beyond == len(ranges):
            break
        ratio = range_list[beyond] / range_list[corner]
        if dist(points[min(place + 1, len(points) - 1)], points[-1]) < ROUND_END:
            # Beside a round wheel the range grows gradually.
            ratio = (ranges[beyond:] / closed[beyond:]).max()
        if MIN_RATIO < ratio <= 1 / min_ratio:
            # A single corner extends across its ray.
            line = _line_ranges(directions[beyond:], previous or (x - y, y + x), (x, y))
            with np.errstate(invalid='ignore'):
                square_length = (directions[beyond:] * line[:, None] - (x, y)) ** 2 @ (1, 1)
            covered = ((line >= min_ratio * ranges[beyond:]) & (line < closed[beyond:])
                       & (square_length <= max_length * max_length))
            np.copyto(closed[beyond:], line, where=covered)
        previous = x, y


def _line_ranges(directions: NDArray[np.float64], a: Point, b: Point) -> NDArray[np.float64]:
    """Return the ranges at which rays in directions (B, 2) meet the line through a and b."""
    x, y = b[0] - a[0], b[1] - a[1]
    with np.errstate(divide='ignore'):  # a ray parallel to the line
        return (a[0] * y - a[1] * x) / (directions @ (y, -x))
