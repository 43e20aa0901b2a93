"""Sprites of the objects in a synthetic street, with a class id for each pixel.

A sprite is drawn once and rendered at any distance. Pixels with the id UNLABELED are transparent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.labels import CAMVID, UNLABELED

BUILDING, POLE, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = map(CAMVID.id_of, (
    'Building', 'Pole', 'Tree', 'SignSymbol', 'Fence', 'Car', 'Pedestrian', 'Bicyclist'))

Color: TypeAlias = 'Sequence[float] | NDArray[np.float64]'  # RGB, 0-255 each
Meters: TypeAlias = 'float | np.floating[Any]'
Generator: TypeAlias = np.random.Generator


@dataclass
class Sprite:
    """A flat image of an object.

    levels: (image, ids) from full size down in halves: uint8 (H, W, 3) RGB and uint8 (H, W).
    width, height: in meters.
    """

    levels: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]
    width: float
    height: float

    @property
    def pixels_per_meter(self) -> float:
        return self.levels[0][0].shape[1] / self.width


class Canvas:
    """Draws one sprite in meters: x to the right from the left edge, z up from the ground.

    width, height: in meters. ground: the color behind what is drawn, visible at its edges.
    """

    def __init__(self, width: float, height: float, pixels_per_meter: float,
                 ground: Color = (128, 128, 128)) -> None:
        self.size, self.scale = (width, height), pixels_per_meter
        shape = max(2, round(height * pixels_per_meter)), max(2, round(width * pixels_per_meter))
        self.image = np.full((*shape, 3), ground, np.uint8)
        self.ids = np.full(shape, UNLABELED, np.uint8)

    def polygon(self, points: Sequence[tuple[Meters, Meters]] | NDArray[np.float64], color: Color,
                class_id: int | None = None) -> None:
        """Fill a polygon of (x, z) points; without a class, its pixels keep theirs."""
        pixels = np.asarray(points, float) * (self.scale, -self.scale)
        pixels += (-0.5, self.size[1] * self.scale - 0.5)
        corners = [(16 * pixels).round().astype(np.int32)]  # four fractional bits
        cv2.fillPoly(self.image, corners, _clip(color), cv2.LINE_8, 4)
        if class_id is not None:
            cv2.fillPoly(self.ids, corners, class_id, cv2.LINE_8, 4)

    def box(self, left: Meters, bottom: Meters, right: Meters, top: Meters, color: Color,
            class_id: int | None = None) -> None:
        """Fill a rectangle."""
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], color, class_id)

    def disc(self, x: float, z: float, radius: float, color: Color, class_id: int | None = None,
             aspect: float = 1.0) -> None:
        """Fill an ellipse of a vertical radius; `aspect` is its width divided by its height."""
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        self.polygon(np.c_[x + radius * aspect * np.cos(angle), z + radius * np.sin(angle)],
                     color, class_id)

    def add_texture(self, rng: Generator, strength: float) -> None:
        """Vary the colors in fine grains and large stains, `strength` in gray levels."""
        height, width = self.ids.shape
        fine = rng.normal(0, strength, (height, width, 1))
        stains = cv2.resize(rng.normal(0, strength, (5, 5)), (width, height))[..., None]
        self.image = np.clip(self.image + fine + stains, 0, 255).astype(np.uint8)

    def sprite(self) -> Sprite:
        """Return the drawing as a Sprite."""
        levels: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = [(self.image, self.ids)]
        while min(levels[-1][1].shape) >= 8:
            image, ids = levels[-1]
            half = ids.shape[1] // 2, ids.shape[0] // 2
            levels.append((cv2.resize(image, half, interpolation=cv2.INTER_AREA),
                           cv2.resize(ids, half, interpolation=cv2.INTER_NEAREST_EXACT)))
        return Sprite(levels, *self.size)


class CarSprites(NamedTuple):
    """A car of 4.2 x 1.75 x 1.5 m."""

    rear: Sprite
    front: Sprite
    side: Sprite


def _clip(color: Color) -> tuple[float, ...]:
    return tuple(min(max(float(channel), 0.0), 255.0) for channel in color)


def _shade(color: Color, factor: float) -> tuple[float, ...]:
    return tuple(factor * channel for channel in color)


def _random_color(rng: Generator, low: float = 30, high: float = 210) -> NDArray[np.float64]:
    """Return a random color of a brightness, often close to gray and sometimes saturated."""
    gray = rng.uniform(low, high)
    return np.clip(gray + rng.normal(0, rng.choice([6, 45]), 3), 10, 245)


def draw_facade(rng: Generator, width: float, height: float) -> Sprite:
    """Draw a house front: windows, a door or a shop, and a roof of one of three shapes."""
    canvas = Canvas(width, height, 22)
    wall = np.array([(150, 92, 72), (186, 172, 150), (172, 166, 160), (205, 196, 180),
                     (128, 106, 92), (112, 112, 118)][rng.integers(6)]) + rng.normal(0, 14, 3)
    roof, roof_height = _shade(wall, 0.45), rng.uniform(1.2, 2.2)
    eaves = height - roof_height
    shape = rng.integers(3)
    if shape == 0:    # gables
        bays = rng.integers(1, 4)
        for bay in range(bays):
            left, right = bay * width / bays, (bay + 1) * width / bays
            canvas.polygon([(left, eaves), (right, eaves), ((left + right) / 2, height)],
                           wall if rng.random() < 0.5 else roof, BUILDING)
    elif shape == 1:  # sloped, with chimneys
        canvas.box(0, eaves, width, height - 0.5, roof, BUILDING)
        for x in rng.uniform(0.5, width - 1.5, rng.integers(1, 4)):
            canvas.box(x, eaves, x + 0.9, height, _shade(wall, 0.7), BUILDING)
    else:             # flat
        canvas.box(0, eaves, width, eaves + 0.4, _shade(wall, 1.15), BUILDING)
    canvas.box(0, 0, width, eaves, wall, BUILDING)
    if rng.random() < 0.5:  # rows of bricks or stones
        for z in np.arange(0, eaves, 0.3):
            canvas.box(0, z, width, z + 0.05, _shade(wall, 0.88))
    canvas.add_texture(rng, 7)
    floor = rng.uniform(2.7, 3.4)
    gap = rng.uniform(1.5, 2.8)
    glass, frame = rng.uniform(30, 80, 3), rng.uniform(170, 235, 3)
    wide, tall = rng.uniform(0.7, 1.3), rng.uniform(1.2, 1.8)
    shop = rng.random() < 0.4
    for level in range(max(1, int(eaves // floor))):
        bottom = level * floor + 0.8
        if shop and level == 0:
            canvas.box(0.3, 0.5, width - 0.3, 2.6, glass)
            canvas.box(0.0, 2.6, width, 3.2, _random_color(rng))
            for x in np.arange(0.3, width, 2.4):
                canvas.box(x, 0.0, x + 0.2, 2.6, frame)
            continue
        if bottom + tall > eaves:
            break
        for x in np.arange(gap / 2, width - wide, gap + wide):
            canvas.box(x - 0.1, bottom - 0.12, x + wide + 0.1, bottom + tall + 0.1, frame)
            light = rng.uniform(0.6, 1.6)
            canvas.box(x, bottom, x + wide, bottom + tall, _shade(glass, light))
            canvas.polygon([(x, bottom + tall), (x + wide, bottom + tall), (x, bottom)],
                           _shade(glass, 1.35 * light))  # reflection of the sky
            canvas.box(x, bottom + tall / 2, x + wide, bottom + tall / 2 + 0.07, frame)
    if not shop:
        x = rng.uniform(1, width - 2)
        canvas.box(x - 0.15, 0, x + 1.15, 2.3, frame)
        canvas.box(x, 0, x + 1.0, 2.15, _random_color(rng, 20, 120))
    return canvas.sprite()


def draw_wall(rng: Generator, width: float, height: float) -> Sprite:
    """Draw the windowless end of a house."""
    canvas = Canvas(width, height, 10)
    canvas.box(0, 0, width, height, rng.uniform(85, 165) * np.array([1.0, 0.93, 0.87]), BUILDING)
    canvas.add_texture(rng, 8)
    return canvas.sprite()


def draw_tree(rng: Generator) -> Sprite:
    """Draw a tree: a trunk below a crown of leaves."""
    height, width = rng.uniform(5, 9), rng.uniform(3.5, 6)
    green = np.array([rng.uniform(45, 95), rng.uniform(75, 115), rng.uniform(30, 60)])
    canvas = Canvas(width, height, 26, green * 0.7)
    bark, middle = rng.uniform(45, 85) * np.array([1.0, 0.9, 0.75]), width / 2
    canvas.polygon([(middle - 0.22, 0), (middle + 0.22, 0), (middle + 0.1, height * 0.6),
                    (middle - 0.1, height * 0.6)], bark, TREE)
    crown = height * rng.uniform(0.25, 0.4)
    for _ in range(260):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        x = middle + 0.42 * width * reach * np.cos(angle)
        z = (crown + height) / 2 + 0.44 * (height - crown) * reach * np.sin(angle)
        # Light comes from above.
        light = 0.55 + 0.6 * (z - crown) / (height - crown) + rng.normal(0, 0.14)
        canvas.disc(x, z, rng.uniform(0.1, 0.42), green * max(0.3, light), TREE)
    canvas.add_texture(rng, 12)
    for x, z in zip(rng.uniform(0, width, 60), rng.uniform(crown, height, 60)):
        if rng.random() < 0.3:  # CamVid labels sky between leaves as Tree
            canvas.disc(x, z, 0.07, (190, 200, 205))
    return canvas.sprite()


def draw_lamp(rng: Generator) -> Sprite:
    """Draw a street lamp."""
    height, gray = rng.uniform(5, 8), rng.uniform(50, 130)
    canvas = Canvas(1.5, height, 40, (gray,) * 3)
    metal = (gray, gray, 1.05 * gray)
    canvas.box(0.64, 0, 0.86, height * 0.35, metal, POLE)
    canvas.box(0.67, 0, 0.83, height - 0.1, metal, POLE)
    canvas.box(0.70, 0, 0.74, height - 0.1, _shade(metal, 1.4))
    canvas.polygon([(0.7, height - 0.3), (0.7, height - 0.12), (1.45, height),
                    (1.45, height - 0.2)], metal, POLE)
    canvas.box(1.05, height - 0.25, 1.48, height, (215, 215, 200), POLE)
    return canvas.sprite()


def draw_sign(rng: Generator) -> Sprite:
    """Draw a traffic sign or a traffic light on its post."""
    gray = rng.uniform(70, 140)
    canvas = Canvas(0.9, 3.2, 48, (gray,) * 3)
    canvas.box(0.39, 0, 0.51, 3.0, (gray,) * 3, POLE)
    kind, red, white = rng.integers(5), (195, 35, 40), (238, 238, 235)
    if kind == 0:
        canvas.disc(0.45, 2.7, 0.42, red, SIGN)
        canvas.disc(0.45, 2.7, 0.30, white, SIGN)
        canvas.box(0.3, 2.6, 0.42, 2.85, (25, 25, 25))
        canvas.box(0.48, 2.6, 0.6, 2.85, (25, 25, 25))
    elif kind == 1:
        canvas.polygon([(0.02, 2.3), (0.88, 2.3), (0.45, 3.1)], red, SIGN)
        canvas.polygon([(0.2, 2.4), (0.7, 2.4), (0.45, 2.87)], white)
        canvas.box(0.42, 2.45, 0.48, 2.7, (20, 20, 20))
    elif kind == 2:
        canvas.box(0.05, 2.2, 0.85, 3.1, (30, 75, 165), SIGN)
        canvas.box(0.14, 2.3, 0.76, 3.0, (45, 95, 190))
        canvas.polygon([(0.45, 2.95), (0.65, 2.6), (0.25, 2.6)], white)
        canvas.box(0.38, 2.35, 0.52, 2.65, white)
    elif kind == 3:
        canvas.polygon([(0.1, 2.5), (0.1, 2.9), (0.3, 3.1), (0.6, 3.1), (0.8, 2.9), (0.8, 2.5),
                        (0.6, 2.3), (0.3, 2.3)], red, SIGN)
        canvas.box(0.22, 2.62, 0.68, 2.8, white)
    else:
        canvas.box(0.25, 2.1, 0.65, 3.15, (28, 30, 28), SIGN)
        lit = rng.integers(3)
        for index, color in enumerate([(70, 235, 110), (250, 190, 60), (250, 60, 50)]):
            canvas.disc(0.45, 2.3 + 0.32 * index, 0.12, _shade(color, 1 if index == lit else 0.3))
    return canvas.sprite()


def draw_fence(rng: Generator, width: float) -> Sprite:
    """Draw a fence of boards, or railings in front of a hedge."""
    height = rng.uniform(1.0, 1.7)
    canvas = Canvas(width, height, 26)
    wood = rng.random() < 0.5
    color = rng.uniform(70, 150) * (np.array([1.0, 0.85, 0.65]) if wood else np.ones(3))
    canvas.box(0, 0, width, height - 0.1, color * 0.5 if wood else (48, 58, 40), FENCE)
    step, bar = (0.22, 0.18) if wood else (0.28, 0.07)
    for x in np.arange(0, width, step):
        canvas.box(x, 0, x + bar, height - rng.uniform(0, 0.06), color * rng.uniform(0.85, 1.1),
                   FENCE)
    for z in (0.25, height - 0.35):
        canvas.box(0, z, width, z + 0.09, color * 0.8, FENCE)
    canvas.add_texture(rng, 7)
    return canvas.sprite()


def draw_car(rng: Generator) -> CarSprites:
    """Draw a car."""
    paint = np.array(_random_color(rng, 25, 225))
    dark, glass, tire = paint * 0.55, np.array((42, 50, 58)), (24, 24, 26)
    ends = []
    for rear in (True, False):
        end = Canvas(1.75, 1.5, 64, paint)
        end.box(0.12, 0, 0.42, 0.5, tire, CAR)
        end.box(1.33, 0, 1.63, 0.5, tire, CAR)
        end.polygon([(0.04, 0.25), (1.71, 0.25), (1.74, 0.6), (1.66, 0.92), (0.09, 0.92),
                     (0.01, 0.6)], paint, CAR)
        end.polygon([(0.12, 0.9), (1.63, 0.9), (1.4, 1.46), (0.35, 1.46)], paint * 0.9, CAR)
        end.polygon([(0.23, 0.95), (1.52, 0.95), (1.33, 1.39), (0.42, 1.39)], glass)
        end.polygon([(0.3, 1.1), (0.9, 1.39), (0.42, 1.39)], glass * 2.2)
        end.box(0.04, 0.25, 1.71, 0.42, dark)
        lights = (190, 25, 25) if rear else (245, 243, 225)
        end.box(0.06, 0.62, 0.36, 0.82, lights)
        end.box(1.39, 0.62, 1.69, 0.82, lights)
        end.box(0.6, 0.48, 1.15, 0.62, (225, 205, 90) if rear else (235, 235, 235))
        end.add_texture(rng, 4)
        ends.append(end.sprite())
    side = Canvas(4.2, 1.5, 48, paint)
    side.polygon([(0.02, 0.3), (4.18, 0.3), (4.15, 0.75), (3.3, 0.93), (0.1, 0.95)], paint, CAR)
    side.polygon([(0.35, 0.9), (3.25, 0.9), (2.6, 1.45), (0.8, 1.46)], paint * 0.9, CAR)
    side.polygon([(0.6, 0.95), (1.75, 0.95), (1.75, 1.37), (0.92, 1.38)], glass)
    side.polygon([(1.85, 0.95), (3.0, 0.95), (2.5, 1.36), (1.85, 1.37)], glass)
    side.box(0.05, 0.3, 4.1, 0.4, dark)
    side.box(1.79, 0.4, 1.82, 0.92, dark)
    for x in (0.8, 3.4):
        side.disc(x, 0.32, 0.37, dark * 0.5, CAR)
        side.disc(x, 0.31, 0.31, tire, CAR)
        side.disc(x, 0.31, 0.17, (150, 150, 155))
    side.add_texture(rng, 4)
    return CarSprites(ends[0], ends[1], side.sprite())


def draw_person(rng: Generator) -> Sprite:
    """Draw a pedestrian."""
    height = rng.uniform(1.5, 1.9)
    canvas = Canvas(0.8, height, 72)
    top, trousers = _random_color(rng), _random_color(rng, 20, 110)
    skin = np.array((222, 180, 150)) * rng.uniform(0.45, 1.05)
    stride = rng.uniform(0.02, 0.2)
    hip, shoulder, k = 0.5 * height, 0.82 * height, 0.4
    for side, shade in ((-1, 0.85), (1, 1.0)):
        canvas.polygon([(k - 0.13, hip), (k + 0.13, hip), (k + side * stride + 0.07, 0.08),
                        (k + side * stride - 0.07, 0.08)], _shade(trousers, shade), PEDESTRIAN)
        foot = k + side * stride
        canvas.box(foot - 0.09, 0, foot + 0.11, 0.09, (30, 26, 24), PEDESTRIAN)
        canvas.polygon([(k + side * 0.17, shoulder), (k + side * 0.26, shoulder - 0.05),
                        (k + side * (0.22 + stride / 2), hip - 0.05),
                        (k + side * (0.14 + stride / 2), hip)], _shade(top, shade), PEDESTRIAN)
    canvas.polygon([(k - 0.22, shoulder), (k + 0.22, shoulder), (k + 0.17, hip - 0.08),
                    (k - 0.17, hip - 0.08)], top, PEDESTRIAN)
    canvas.box(k - 0.05, shoulder - 0.02, k + 0.05, shoulder + 0.08, skin, PEDESTRIAN)
    head = height - 0.13
    canvas.disc(k, head, 0.12, skin, PEDESTRIAN, aspect=0.85)
    canvas.polygon([(k - 0.11, head), (k + 0.11, head), (k + 0.09, height), (k - 0.09, height)],
                   _random_color(rng, 20, 90), PEDESTRIAN)
    if rng.random() < 0.4:
        canvas.box(k + 0.18, hip - 0.05, k + 0.36, hip + 0.3, _random_color(rng), PEDESTRIAN)
    canvas.add_texture(rng, 5)
    return canvas.sprite()


def draw_cyclist(rng: Generator) -> Sprite:
    """Draw a cyclist, seen along the road."""
    canvas = Canvas(0.9, 1.8, 72)
    top, trousers, black = _random_color(rng), _random_color(rng, 20, 110), (22, 22, 24)
    skin = np.array((222, 180, 150)) * rng.uniform(0.45, 1.05)
    canvas.disc(0.45, 0.34, 0.34, black, BICYCLIST, aspect=0.17)
    canvas.box(0.41, 0.3, 0.49, 0.95, _random_color(rng), BICYCLIST)
    canvas.box(0.16, 0.98, 0.74, 1.05, black, BICYCLIST)
    for side, low in ((-1, rng.uniform(0.2, 0.5)), (1, rng.uniform(0.2, 0.5))):
        canvas.polygon([(0.45, 0.98), (0.45 + side * 0.17, 0.95), (0.45 + side * 0.17, low),
                        (0.45 + side * 0.06, low)], _shade(trousers, 0.9), BICYCLIST)
        canvas.box(0.45 + side * 0.12 - 0.07, low - 0.1, 0.45 + side * 0.12 + 0.07, low,
                   (35, 30, 28), BICYCLIST)
        canvas.polygon([(0.45 + side * 0.15, 1.42), (0.45 + side * 0.24, 1.4),
                        (0.45 + side * 0.3, 1.02), (0.45 + side * 0.2, 1.02)],
                       _shade(top, 0.85), BICYCLIST)
    canvas.polygon([(0.24, 1.46), (0.66, 1.46), (0.6, 0.9), (0.3, 0.9)], top, BICYCLIST)
    canvas.disc(0.45, 1.62, 0.12, skin, BICYCLIST, aspect=0.85)
    canvas.polygon([(0.32, 1.62), (0.58, 1.62), (0.53, 1.78), (0.37, 1.78)], _random_color(rng),
                   BICYCLIST)
    canvas.add_texture(rng, 5)
    return canvas.sprite()
