"""From a label image to the space that is free, in the order of the work."""

from functools import cached_property

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.freespace.camera import Camera
from enet_ros.freespace.config import FreeSpaceConfig
from enet_ros.freespace.grid import Grid
from enet_ros.freespace.ground import Ground
from enet_ros.freespace.horizon import Kerbs
from enet_ros.freespace.points import contact_points
from enet_ros.freespace.scan import Scan
from enet_ros.freespace.sightlines import Sightlines
from enet_ros.freespace.surface_classes import SurfaceClasses


class FreeSpace:
    """Finds free space in label images of one size from one camera at one Pose.

    calibration is a camera.Calibration, size (width, height) that of the label images, labels the
    LabelSet of their ids, config a FreeSpaceConfig. All tables are made here: a frame only reads.
    """

    def __init__(self, calibration, pose, size, labels, config=None):
        self.config = config = config or FreeSpaceConfig()
        self.size = size
        self.surfaces = SurfaceClasses(labels, config.classes.drivable, config.classes.flat,
                                 config.classes.usual_flat, config.classes.bodies)
        camera = Camera(calibration, *size, config.camera.rectified)
        self.ground = Ground(camera, pose, config.ground.pixel_length)
        self.sightlines = Sightlines(self.ground, config.grid.resolution, self.surfaces.bodies,
                                     config.ground.clearance, config.ground.span)
        self.grid = Grid(self.sightlines, config.grid)
        self.scan = Scan(self.sightlines, config.scan)
        self.kerbs = Kerbs(self.ground)

    def __call__(self, labels, confidence=None):
        """Read a label image, and its confidence, both uint8 (H, W): a FreeSpaceView."""
        for name, image in (('label', labels), ('confidence', confidence)):
            if image is not None and (image.dtype != np.uint8
                                      or image.shape != (self.size[1], self.size[0])):
                raise BadInput(f'the {name} image is {image.dtype} of shape {image.shape}; the '
                               f'camera is for uint8 {self.size[1], self.size[0]}')
        kinds = self.surfaces.of(labels)
        return FreeSpaceView(self, kinds, self.sightlines.look(kinds, labels), labels, confidence)


class FreeSpaceView:
    """What one label image says of the ground, in the base frame; made when it is asked for."""

    def __init__(self, space, kinds, sight, labels, confidence):
        self._space, self._kinds, self._sight = space, kinds, sight
        self._labels, self._confidence = labels, confidence

    @cached_property
    def grid(self):
        """Return int8 (rows, columns) as of Grid; the next view's writes over it."""
        return self._space.grid.fill(self._sight)

    @cached_property
    def scan(self):
        """Return float32 (N,) metres as of Scan."""
        return self._space.scan.measure(self._sight)

    @cached_property
    def points(self):
        """Return the ContactPoints."""
        lines = len(self._space.sightlines.bearings)
        return contact_points(lines, self._sight, self._labels, self._confidence)

    @cached_property
    def pitch_error(self):
        """Return by how much the pose's pitch seems too large by the kerbs, rad; NaN unknown."""
        return self._space.kerbs.pitch_error(self._kinds)
