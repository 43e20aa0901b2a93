"""A synthetic street, seen by a known camera that drives through it, with exact labels.

The world is flat and the street straight: x along it, y to the left, z up, in meters. Everything
follows from the seed and the number of the frame.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.synthetic.ground import Ground
from enet_ros.synthetic.layout import (
    BLOCK_LENGTH,
    FRAME_RATE,
    VIEW_RANGE,
    CrossSection,
    SpriteCollection,
    StreetLayout,
)
from enet_ros.synthetic.light import Light, Sensor
from enet_ros.synthetic.pinhole_camera import PinholeCamera
from enet_ros.synthetic.renderer import FrameRenderer
from enet_ros.synthetic.sky import draw_background

FLAT_DEPTH = 0.2  # meters of ground that an object with a single sprite covers


@dataclass(frozen=True)
class StreetFrame:
    """A rendered frame: image uint8 (H, W, 3) RGB, labels uint8 (H, W) with CamVid's ids.

    depth: float32 (H, W), distance along the optical axis in meters, infinity for sky and distant
        background (REP-118); None if it was not rendered.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: NDArray[np.float32] | None = None


class SyntheticStreet:
    """A drive through one street at FRAME_RATE; `render(i)` depends on the seed and i alone.

    width, height: size of the frames in pixels, at least 32 each.
    seed: selects the street, its light and the camera, 0 or more.
    camera_height, camera_pitch: meters and rad (positive looks down), in place of those that the
        seed selects; the street is the same. Objects are flat faces without tops, so that it looks
        wrong from above the cars, from 1.5 m on.
    """

    labels = CAMVID

    def __init__(self, width: int = 640, height: int = 360, seed: int = 0,
                 camera_height: float | None = None, camera_pitch: float | None = None) -> None:
        if min(width, height) < 32:
            raise BadInput(f'the size of a synthetic street is {width}x{height}; it must be at '
                           'least 32x32 pixels')
        self.seed = seed
        # The order of these lines is part of every street: all draw from one generator.
        rng = np.random.default_rng((seed, 0))
        camera = _random_camera(rng, width, height)
        self.camera = replace(
            camera, height_m=camera.height_m if camera_height is None else camera_height,
            pitch=camera.pitch if camera_pitch is None else camera_pitch)
        speed = rng.uniform(5, 11)
        self.section = CrossSection(rng)
        density = rng.uniform(0.5, 1.6)
        self.light = Light(rng)
        self.sensor = Sensor(rng, seed, width, height)
        collection = SpriteCollection(rng)
        self.background = draw_background(rng, self.camera, self.light.haze)
        self.ground = Ground(rng, self.camera, self.section, self.light.haze)
        self.layout = StreetLayout(seed, self.section, collection, speed, density)

    def render(self, index: int, with_depth: bool = False) -> StreetFrame:
        """Render frame `index`, counted from 0."""
        if index < 0:
            raise BadInput(f'frame {index} does not exist; frames count from 0')
        x, y = self.camera_position(index)
        image, labels = (part.copy() for part in self.background)
        self.ground.render(image, labels, x, y)
        depth = None
        if with_depth:
            depth = np.full(labels.shape, np.inf, np.float32)
            depth[self.ground.first_row:] = self.ground.depth
        renderer = FrameRenderer(self.camera, self.light, image, labels, depth)
        self._draw_blocks(renderer, x, y)
        self._draw_objects(renderer, index, x, y)
        return StreetFrame(self.sensor.expose(image, index), labels, depth)

    def is_free(self, index: int, points: ArrayLike) -> NDArray[np.bool_]:
        """Return which points of the ground are road without an object on it, bool (N,).

        Objects extend back from their nearest face; behind an object of a single sprite, the
        ground is free again.

        points: (N, 2) in meters in the base frame of frame `index`, x ahead and y left of the
            point below the camera.
        """
        x, y = self.camera_position(index)
        points = np.asarray(points, float).reshape(-1, 2)
        free = np.abs(points[:, 1] + y) < self.section.road_half
        farthest = points[:, 0].max(initial=0.0)
        for item, ahead in self.layout.objects_ahead(index, x):
            if ahead - item.length > farthest:
                continue
            depth = item.length if len(item.faces) > 1 else min(item.length, FLAT_DEPTH)
            behind = points[:, 0] - ahead - min(face.x for face in item.faces)
            free &= ((behind < 0) | (behind > depth)
                     | (np.abs(points[:, 1] + y - item.y) > item.width / 2))
        return free

    def camera_position(self, index: int) -> tuple[float, float]:
        """Return the position of the camera in frame `index`: x and y in the street, meters."""
        seconds = index / FRAME_RATE
        y = self.section.lane + 0.25 * np.sin(0.4 * seconds + self.seed)
        return self.layout.speed * seconds, y

    def _draw_blocks(self, renderer: FrameRenderer, x: float, y: float) -> None:
        """Render buildings, distant trees and fences from far to near."""
        last, first = int((x + VIEW_RANGE) // BLOCK_LENGTH), int(x // BLOCK_LENGTH) - 1
        for number in range(last, first - 1, -1):
            for face in self.layout.block(number).faces:
                renderer.draw_sprite(face.sprite, face.axis, face.x - x, face.y - y,
                                     self.light.side(face.y))

    def _draw_objects(self, renderer: FrameRenderer, index: int, x: float, y: float) -> None:
        """Render all shadows, then all objects from far to near."""
        objects = sorted(self.layout.objects_ahead(index, x), key=lambda pair: -pair[1])
        for item, ahead in objects:
            if item.length > 1.0:
                renderer.draw_shadow(ahead, item.y - y, item.length + 0.5, item.width + 0.5)
        for item, ahead in objects:
            for face in item.faces:
                # The side of a car that faces away from the camera is hidden.
                if face.axis == 'x' and (face.y > 0) == (item.y - y > 0):
                    continue
                brightness = self.light.side(item.y - y) if face.axis == 'x' else 1.0
                renderer.draw_sprite(face.sprite, face.axis, ahead + face.x, item.y + face.y - y,
                                     brightness)


def street_camera(width: int, height: int, seed: int) -> PinholeCamera:
    """Return the camera that a seed selects, without drawing the street."""
    return _random_camera(np.random.default_rng((seed, 0)), width, height)


def _random_camera(rng: np.random.Generator, width: int, height: int) -> PinholeCamera:
    focal_length = width * rng.uniform(0.75, 1.05)
    return PinholeCamera(
        width, height, focal_length, focal_length, (width - 1) / 2, (height - 1) / 2,
        height_m=rng.uniform(1.2, 1.7), pitch=np.radians(rng.uniform(0.0, 5.0)))
