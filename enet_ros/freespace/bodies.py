"""Bodies that stand on the ground with a gap below them, as cars do on their wheels."""

from math import dist, hypot

import numpy as np

JUMP = 1.05     # how much farther one sees beside a wheel, at the least
OVERHANG = 0.8  # metres that a body sticks out beside its wheels, at the most
MOST_LIFT = 0.75  # beyond that, low cameras would have all that is far close what is near
END = 0.3       # metres at the end of an outline that are not a side of it


def close_gaps(directions, ranges, classes, span, lift):
    """Return the ranges at which bodies stand, where one sees the ground below them.

    directions (B, 2) unit vectors in order of their bearings; ranges (B,) metres at which each
    meets something of class `classes` (B,), less than 0 for none. Between two points of one class
    at most `span` metres apart, what is seen farther away than the straight line between them
    stands on that line, if it could hang there no higher than `lift` times the camera's height,
    or MOST_LIFT times.
    The same goes for what sticks out beside the last point, along the line that ends there: a
    little way, or a span where the body leaves the view.
    """
    closed, least = ranges.copy(), 1 - min(lift, MOST_LIFT)
    starts = np.flatnonzero(np.diff(classes, prepend=-1))
    stops = np.append(starts[1:], len(classes))
    bodies = classes[starts] >= 0
    for start, stop in zip(starts[bodies].tolist(), stops[bodies].tolist()):
        run = closed[start:stop]
        if not span or run.max() <= JUMP * run.min():
            continue
        seen, towards = ranges[start:stop], directions[start:stop]
        corners, points, gaps = _outline(towards, seen, span, least)
        for place in gaps:
            inside = slice(corners[place] + 1, corners[place + 1])
            line = _line(towards[inside], points[place], points[place + 1])
            np.minimum(run[inside], line, out=run[inside])
        _stick_out(towards, run, seen, corners, points, least,
                   span if stop == len(classes) else OVERHANG)
        _stick_out(towards[::-1], run[::-1], seen[::-1],
                   [len(run) - 1 - corner for corner in reversed(corners)], points[::-1], least,
                   span if start == 0 else OVERHANG)
    return closed


def _outline(directions, ranges, span, least):
    """Return the nearest outline around a run of contacts: its corners, their points, its gaps.

    corners are indices into the run, gaps those of corners. The outline leaves out contacts that
    `least` times their range, or more, brings to a straight line no longer than the span.
    """
    # Only where the range changes can there be a corner.
    changes = np.ones(len(ranges) + 1, bool)
    np.not_equal(ranges[1:], ranges[:-1], out=changes[1:-1])
    candidates = np.flatnonzero(changes[1:] | changes[:-1])
    corners, points = [], []
    for new, (x, y) in enumerate((directions[candidates] * ranges[candidates, None]).tolist()):
        while len(points) > 1:
            (ax, ay), (bx, by) = points[-2:]
            dx, dy = x - ax, y - ay
            # Where the direction of b meets the line from a to the new point; 1 is at b.
            along = (ax * dy - ay * dx) / (bx * dy - by * dx or 1e-9)
            if not least <= along < 1 or hypot(dx, dy) > span:
                break
            corners.pop()
            points.pop()
        corners.append(new)
        points.append((x, y))
    gaps = [place for place, new in enumerate(corners[:-1]) if corners[place + 1] > new + 1]
    return candidates[corners].tolist(), points, gaps


def _stick_out(directions, ranges, seen, corners, points, least, longest):
    """Lengthen an outline beyond each corner that a body sticks out beside, in place.

    The ranges of what sticks out shrink to `least` times those seen, at the least.
    """
    before, numbers = None, seen.tolist()
    for place, (corner, (x, y)) in enumerate(zip(corners, points)):
        beyond = corner + 1
        if beyond == len(seen):
            break
        farther = numbers[beyond] / numbers[corner]
        if dist(points[min(place + 1, len(points) - 1)], points[-1]) < END:
            # Wheels are round: one sees farther only by and by.
            farther = (seen[beyond:] / ranges[beyond:]).max()
        if JUMP < farther <= 1 / least:
            # A corner alone is lengthened across the line of sight.
            line = _line(directions[beyond:], before or (x - y, y + x), (x, y))
            with np.errstate(invalid='ignore'):
                aside = (directions[beyond:] * line[:, None] - (x, y)) ** 2 @ (1, 1)
            near = ((line >= least * seen[beyond:]) & (line < ranges[beyond:])
                    & (aside <= longest * longest))
            np.copyto(ranges[beyond:], line, where=near)
        before = x, y


def _line(directions, a, b):
    """Return where directions (N, 2) meet the line from a to b, metres."""
    x, y = b[0] - a[0], b[1] - a[1]
    with np.errstate(divide='ignore'):  # along the line itself
        return (a[0] * y - a[1] * x) / (directions @ (y, -x))
