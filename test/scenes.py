"""Label images of boxes on flat ground, seen by any camera."""

from dataclasses import dataclass

import numpy as np

from enet_ros.freespace.camera import Calibration
from enet_ros.labels import LabelClass, LabelSet

YARD = LabelSet('yard', (
    LabelClass('Floor', (90, 90, 90), drivable=True),
    LabelClass('Pavement', (60, 40, 222)),
    LabelClass('Box', (200, 80, 0)),
    LabelClass('Truck', (0, 80, 200)),
    LabelClass('Sky', (120, 180, 255)),
))
FLOOR, PAVEMENT, BOX, TRUCK, SKY = range(len(YARD))


def pinhole(width=160, height=120, focal=120.0, **changes):
    """Return the Calibration of a camera without distortion, with equal K and P."""
    k = (focal, 0, (width - 1) / 2, 0, focal, (height - 1) / 2, 0, 0, 1)
    p = (focal, 0, (width - 1) / 2, 0, 0, focal, (height - 1) / 2, 0, 0, 0, 1, 0)
    return Calibration(**{'width': width, 'height': height, 'k': k, 'p': p, **changes})


@dataclass(frozen=True)
class Block:
    """An upright box between two bounds (from, to) on each axis, in meters."""

    x: tuple
    y: tuple
    z: tuple
    class_id: int = BOX


def render_labels(camera, pose, blocks=(), pavement=None):
    """Return the label image of floor, blocks and sky; pavement(x, y) is true on pavement."""
    rays = camera.rays() @ pose.rotation.T
    with np.errstate(all='ignore'):
        nearest = np.where(rays[..., 2] < 0, -pose.position[2] / rays[..., 2], np.inf)
        x, y = (pose.position[axis] + nearest * rays[..., axis] for axis in (0, 1))
        labels = np.where(np.isfinite(nearest), FLOOR, SKY).astype(np.uint8)
        if pavement:
            labels[np.isfinite(nearest) & pavement(x, y)] = PAVEMENT
        for block in blocks:
            distances = [np.sort([(bound - pose.position[axis]) / rays[..., axis]
                                  for bound in (block.x, block.y, block.z)[axis]], 0)
                         for axis in range(3)]
            enter = np.max([near for near, _ in distances], 0)
            leave = np.min([far for _, far in distances], 0)
            # The contact of a block with the floor belongs to the block.
            hit = (enter <= leave) & (enter > 0) & (enter <= nearest + 1e-9)
            labels[hit] = block.class_id
            nearest = np.where(hit, enter, nearest)
    labels[np.isnan(rays[..., 2])] = 255
    return labels
