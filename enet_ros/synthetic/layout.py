"""The layout of the synthetic street: its cross section, buildings and objects.

Coordinates in meters: x along the street, y to the left of its center line, z up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np

from enet_ros.synthetic import sprites
from enet_ros.synthetic.sprites import Sprite

FRAME_RATE = 10         # Hz
BLOCK_LENGTH = 12.0     # meters of street that are generated together
VIEW_RANGE = 80.0       # meters; objects beyond are not rendered
CAR_LENGTH, CAR_WIDTH = 4.2, 1.75

T = TypeVar('T')
Axis: TypeAlias = Literal['x', 'y']


class Face(NamedTuple):
    """A sprite that stands on the ground.

    axis: the direction in which its width extends: 'y', to the right, so that it faces the
        camera, or 'x', along the street.
    x, y: its lower left corner, relative to the street or to an object.
    """

    sprite: Sprite
    axis: Axis
    x: float
    y: float


@dataclass(frozen=True)
class StreetObject:
    """Something that stands or moves along the street.

    x, y: center of its footprint. x is valid at the time when the camera is there.
    length, width: size of the footprint along and across the street.
    speed: along the street in m/s.
    faces: its sprites, relative to (x, y).
    """

    x: float
    y: float
    length: float
    width: float
    speed: float
    faces: tuple[Face, ...]


class Block(NamedTuple):
    """What stands along one stretch of the street: buildings and the like, and objects."""

    faces: list[Face]
    objects: list[StreetObject]


class CrossSection:
    """The cross section of the street, in meters, drawn from `rng`.

    parking: width of the parking lane on each side; 0 if there is none.
    road_half: half the width of the road, with parking.
    house_line: distance of the house fronts from the center line.
    ground_half: half the width of the ground.
    lane: y of the center of the right lane, in which the camera drives.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.parking = 2.2 * (rng.random() < 0.75)
        self.road_half = rng.uniform(3.2, 4.2) + self.parking
        self.house_line = self.road_half + rng.uniform(2.0, 4.5)
        self.ground_half = self.house_line + 14
        self.lane = -(self.road_half - self.parking) / 2


class SpriteCollection:
    """The sprites of one street, drawn from `rng`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.facades = [sprites.draw_facade(rng, BLOCK_LENGTH, rng.uniform(6, 14))
                        for _ in range(5)]
        self.walls = [sprites.draw_wall(rng, 8.0, facade.height - 2.2) for facade in self.facades]
        self.trees = [sprites.draw_tree(rng) for _ in range(3)]
        self.lamp = sprites.draw_lamp(rng)
        self.signs = [sprites.draw_sign(rng) for _ in range(4)]
        self.fences = [sprites.draw_fence(rng, BLOCK_LENGTH) for _ in range(2)]
        self.cars = [sprites.draw_car(rng) for _ in range(4)]
        self.people = [sprites.draw_person(rng) for _ in range(5)]
        self.cyclists = [sprites.draw_cyclist(rng) for _ in range(3)]


class StreetLayout:
    """Generates the blocks of a street, which depend on the seed alone.

    speed: of the camera in m/s.
    density: factor on the number of people and vehicles.
    """

    def __init__(self, seed: int, section: CrossSection, collection: SpriteCollection,
                 speed: float, density: float) -> None:
        self.seed, self.section, self.sprites = seed, section, collection
        self.speed, self.density = speed, density
        self.block = lru_cache(maxsize=64)(self._generate_block)

    def objects_ahead(self, index: int, x: float) -> Iterator[tuple[StreetObject, float]]:
        """Yield (object, distance ahead of the camera) of the objects that may be visible.

        index: number of the frame. x: position of the camera.
        """
        seconds = index / FRAME_RATE
        # Objects that move with the camera belong to blocks that it reaches much later.
        first = int(x // BLOCK_LENGTH) - 2
        last = int((x + 2.5 * VIEW_RANGE) // BLOCK_LENGTH)
        for number in range(first, last + 1):
            for item in self.block(number).objects:
                reached = item.x / self.speed
                ahead = item.x + item.speed * (seconds - reached) - x
                if -6 < ahead < VIEW_RANGE:
                    yield item, ahead
        # Some streets have a car in front of the camera.
        gap = 13 + 5 * np.sin(0.15 * seconds + self.seed)
        rng = np.random.default_rng((self.seed, 2))
        if rng.random() < 0.6:
            yield self._car(rng, 0.0, self.section.lane, self.speed), gap

    def _generate_block(self, number: int) -> Block:
        rng = np.random.default_rng((self.seed, 1, number + 10))
        start, block = number * BLOCK_LENGTH, Block([], [])
        for side in (-1, 1):
            line = side * self.section.house_line
            if rng.random() < 0.8:
                style = rng.integers(len(self.sprites.facades))
                left = line + 8.0 if side > 0 else line
                block.faces.append(Face(self.sprites.walls[style], 'y', start, left))
                block.faces.append(Face(self.sprites.facades[style], 'x', start, line))
            else:
                for _ in range(3):
                    tree = _choose(rng, self.sprites.trees)
                    block.faces.append(Face(tree, 'y', start + rng.uniform(2, 12),
                                            line + side * rng.uniform(3, 7) + tree.width / 2))
                block.faces.sort(key=lambda face: -face.x)
            if rng.random() < 0.35:
                block.faces.append(Face(_choose(rng, self.sprites.fences), 'x', start,
                                        side * (self.section.house_line - 0.3)))
            block.objects.extend(self._generate_objects(rng, start, side))
        return block

    def _generate_objects(self, rng: np.random.Generator, start: float,
                          side: int) -> list[StreetObject]:
        """Return the objects on one side of a block: 1 is left, -1 right."""
        section, curb = self.section, self.section.road_half
        objects: list[StreetObject] = []

        def add(sprite: Sprite, x: float, y: float, length: float, speed: float = 0.0,
                width: float = 0.6) -> None:
            face = Face(sprite, 'y', 0.0, sprite.width / 2)
            objects.append(StreetObject(start + x, side * y, length, width, speed, (face,)))

        if rng.random() < 0.4:
            add(self.sprites.lamp, rng.uniform(0, 12), curb + 0.4, 0.2, width=0.2)
        if rng.random() < 0.5:
            add(_choose(rng, self.sprites.signs), rng.uniform(0, 12), curb + 0.55, 0.15,
                width=0.15)
        if rng.random() < 0.35:
            add(_choose(rng, self.sprites.trees), rng.uniform(0, 12), curb + 1.0, 0.5, width=0.5)
        for _ in range(rng.poisson(0.7 * self.density)):
            add(_choose(rng, self.sprites.people), rng.uniform(0, 12),
                rng.uniform(curb + 0.5, section.house_line - 0.6), 0.4,
                rng.choice([-1.3, 0.0, 1.2]))
        if section.parking and rng.random() < 0.5 * self.density:
            objects.append(self._car(rng, start + 6, side * (curb - 1.15), 0.0))
        direction = 1 if side < 0 else -1
        if rng.random() < 0.2 * self.density:
            # Cyclists keep to the edge of the lane.
            add(_choose(rng, self.sprites.cyclists), rng.uniform(0, 12),
                curb - section.parking - 0.55, 1.6, direction * rng.uniform(2, 4.5))
        if side > 0 and rng.random() < 0.15 * self.density:
            objects.append(self._car(rng, start, -section.lane, -rng.uniform(6, 9)))
        return objects

    def _car(self, rng: np.random.Generator, x: float, y: float, speed: float) -> StreetObject:
        car = _choose(rng, self.sprites.cars)
        end = car.front if speed < 0 else car.rear
        faces = (Face(car.side, 'x', -CAR_LENGTH / 2, CAR_WIDTH / 2),
                 Face(car.side, 'x', -CAR_LENGTH / 2, -CAR_WIDTH / 2),
                 Face(end, 'y', -CAR_LENGTH / 2, CAR_WIDTH / 2))
        return StreetObject(x, y, CAR_LENGTH, CAR_WIDTH, speed, faces)


def _choose(rng: np.random.Generator, choices: list[T]) -> T:
    return choices[rng.integers(len(choices))]
