"""Pictures of the things in a synthetic street, with a class id for each of their pixels.

A sprite is drawn once and shown at any distance. Its colours are RGB; pixels whose id is
UNLABELED are see-through.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from enet_ros.labels import CAMVID, UNLABELED

BUILDING, POLE, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = map(CAMVID.id_of, (
    'Building', 'Pole', 'Tree', 'SignSymbol', 'Fence', 'Car', 'Pedestrian', 'Bicyclist'))


@dataclass
class Sprite:
    """A flat picture: `levels` of (image, ids) from full size down by halves, and its size."""

    levels: list
    width: float   # metres
    height: float  # metres

    @property
    def pixels_per_metre(self):
        return self.levels[0][0].shape[1] / self.width


class Canvas:
    """Draws one sprite in metres: x to the right from the left edge, z up from the ground."""

    def __init__(self, width, height, pixels_per_metre, ground=(128, 128, 128)):
        self.size, self.scale = (width, height), pixels_per_metre
        shape = max(2, round(height * pixels_per_metre)), max(2, round(width * pixels_per_metre))
        self.image = np.full((*shape, 3), ground, np.uint8)
        self.ids = np.full(shape, UNLABELED, np.uint8)

    def polygon(self, points, color, class_id=None):
        """Fill a polygon of (x, z) points; without a class it only colours what is there."""
        pixels = np.asarray(points, float) * (self.scale, -self.scale)
        pixels += (-0.5, self.size[1] * self.scale - 0.5)
        corners = [(16 * pixels).round().astype(np.int32)]  # four bits of fraction
        cv2.fillPoly(self.image, corners, _rgb(color), cv2.LINE_8, 4)
        if class_id is not None:
            cv2.fillPoly(self.ids, corners, class_id, cv2.LINE_8, 4)

    def box(self, left, bottom, right, top, color, class_id=None):
        """Fill a rectangle."""
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], color, class_id)

    def disc(self, x, z, radius, color, class_id=None, flatten=1.0):
        """Fill a disc, `flatten` times as wide as it is high."""
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        self.polygon(np.c_[x + radius * flatten * np.cos(angle), z + radius * np.sin(angle)],
                     color, class_id)

    def texture(self, rng, strength):
        """Make the colours uneven, in fine grains and in large stains."""
        height, width = self.ids.shape
        fine = rng.normal(0, strength, (height, width, 1))
        stains = cv2.resize(rng.normal(0, strength, (5, 5)), (width, height))[..., None]
        self.image = np.clip(self.image + fine + stains, 0, 255).astype(np.uint8)

    def sprite(self):
        """Return what was drawn."""
        levels = [(self.image, self.ids)]
        while min(levels[-1][1].shape) >= 8:
            image, ids = levels[-1]
            half = ids.shape[1] // 2, ids.shape[0] // 2
            levels.append((cv2.resize(image, half, interpolation=cv2.INTER_AREA),
                           cv2.resize(ids, half, interpolation=cv2.INTER_NEAREST_EXACT)))
        return Sprite(levels, *self.size)


def _rgb(color):
    return tuple(min(max(float(channel), 0.0), 255.0) for channel in color)


def _shade(color, factor):
    return tuple(factor * channel for channel in color)


def _vivid(rng, low=30, high=210):
    """Return a random colour that is often grey and sometimes bright."""
    grey = rng.uniform(low, high)
    return tuple(np.clip(grey + rng.normal(0, rng.choice([6, 45]), 3), 10, 245))


def facade(rng, width, height):
    """Draw a house front: floors of windows, a door or a shop, a roof of one of three shapes."""
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
    elif shape == 1:  # a slope with chimneys
        canvas.box(0, eaves, width, height - 0.5, roof, BUILDING)
        for x in rng.uniform(0.5, width - 1.5, rng.integers(1, 4)):
            canvas.box(x, eaves, x + 0.9, height, _shade(wall, 0.7), BUILDING)
    else:             # flat
        canvas.box(0, eaves, width, eaves + 0.4, _shade(wall, 1.15), BUILDING)
    canvas.box(0, 0, width, eaves, wall, BUILDING)
    if rng.random() < 0.5:  # courses of brick or stone
        for z in np.arange(0, eaves, 0.3):
            canvas.box(0, z, width, z + 0.05, _shade(wall, 0.88))
    canvas.texture(rng, 7)
    floor = rng.uniform(2.7, 3.4)
    gap = rng.uniform(1.5, 2.8)
    glass, frame = rng.uniform(30, 80, 3), rng.uniform(170, 235, 3)
    wide, tall = rng.uniform(0.7, 1.3), rng.uniform(1.2, 1.8)
    shop = rng.random() < 0.4
    for level in range(max(1, int(eaves // floor))):
        bottom = level * floor + 0.8
        if shop and level == 0:
            canvas.box(0.3, 0.5, width - 0.3, 2.6, glass)
            canvas.box(0.0, 2.6, width, 3.2, _vivid(rng))
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
                           _shade(glass, 1.35 * light))  # the sky in it
            canvas.box(x, bottom + tall / 2, x + wide, bottom + tall / 2 + 0.07, frame)
    if not shop:
        x = rng.uniform(1, width - 2)
        canvas.box(x - 0.15, 0, x + 1.15, 2.3, frame)
        canvas.box(x, 0, x + 1.0, 2.15, _vivid(rng, 20, 120))
    return canvas.sprite()


def wall(rng, width, height):
    """Draw the windowless end of a house."""
    canvas = Canvas(width, height, 10)
    canvas.box(0, 0, width, height, rng.uniform(85, 165) * np.array([1.0, 0.93, 0.87]), BUILDING)
    canvas.texture(rng, 8)
    return canvas.sprite()


def tree(rng):
    """Draw a tree: a trunk under a crown of leaves with a ragged edge."""
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
        # Leaves are lit from above.
        light = 0.55 + 0.6 * (z - crown) / (height - crown) + rng.normal(0, 0.14)
        canvas.disc(x, z, rng.uniform(0.1, 0.42), green * max(0.3, light), TREE)
    canvas.texture(rng, 12)
    for x, z in zip(rng.uniform(0, width, 60), rng.uniform(crown, height, 60)):
        if rng.random() < 0.3:  # sky between the leaves is still the tree's in CamVid
            canvas.disc(x, z, 0.07, (190, 200, 205))
    return canvas.sprite()


def lamp(rng):
    """Draw a street lamp."""
    height, grey = rng.uniform(5, 8), rng.uniform(50, 130)
    canvas = Canvas(1.5, height, 40, (grey,) * 3)
    metal = (grey, grey, 1.05 * grey)
    canvas.box(0.64, 0, 0.86, height * 0.35, metal, POLE)
    canvas.box(0.67, 0, 0.83, height - 0.1, metal, POLE)
    canvas.box(0.70, 0, 0.74, height - 0.1, _shade(metal, 1.4))
    canvas.polygon([(0.7, height - 0.3), (0.7, height - 0.12), (1.45, height),
                    (1.45, height - 0.2)], metal, POLE)
    canvas.box(1.05, height - 0.25, 1.48, height, (215, 215, 200), POLE)
    return canvas.sprite()


def sign(rng):
    """Draw a traffic sign or a traffic light on its post."""
    grey = rng.uniform(70, 140)
    canvas = Canvas(0.9, 3.2, 48, (grey,) * 3)
    canvas.box(0.39, 0, 0.51, 3.0, (grey,) * 3, POLE)
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
        for place, color in enumerate([(70, 235, 110), (250, 190, 60), (250, 60, 50)]):
            canvas.disc(0.45, 2.3 + 0.32 * place, 0.12, _shade(color, 1 if place == lit else 0.3))
    return canvas.sprite()


def fence(rng, width):
    """Draw a stretch of boards or of railings before a hedge."""
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
    canvas.texture(rng, 7)
    return canvas.sprite()


def car(rng):
    """Draw a car of 4.2 x 1.75 x 1.5 m: return its rear, its front and its side."""
    paint = np.array(_vivid(rng, 25, 225))
    dark, glass, tyre = paint * 0.55, np.array((42, 50, 58)), (24, 24, 26)
    ends = []
    for rear in (True, False):
        end = Canvas(1.75, 1.5, 64, paint)
        end.box(0.12, 0, 0.42, 0.5, tyre, CAR)
        end.box(1.33, 0, 1.63, 0.5, tyre, CAR)
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
        end.texture(rng, 4)
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
        side.disc(x, 0.31, 0.31, tyre, CAR)
        side.disc(x, 0.31, 0.17, (150, 150, 155))
    side.texture(rng, 4)
    return (*ends, side.sprite())


def person(rng):
    """Draw somebody on foot."""
    height = rng.uniform(1.5, 1.9)
    canvas = Canvas(0.8, height, 72)
    top, trousers = _vivid(rng), _vivid(rng, 20, 110)
    skin = np.array((222, 180, 150)) * rng.uniform(0.45, 1.05)
    stride = rng.uniform(0.02, 0.2)
    hip, shoulder, k = 0.5 * height, 0.82 * height, 0.4
    for sign_, shade in ((-1, 0.85), (1, 1.0)):
        canvas.polygon([(k - 0.13, hip), (k + 0.13, hip), (k + sign_ * stride + 0.07, 0.08),
                        (k + sign_ * stride - 0.07, 0.08)], _shade(trousers, shade), PEDESTRIAN)
        foot = k + sign_ * stride
        canvas.box(foot - 0.09, 0, foot + 0.11, 0.09, (30, 26, 24), PEDESTRIAN)
        canvas.polygon([(k + sign_ * 0.17, shoulder), (k + sign_ * 0.26, shoulder - 0.05),
                        (k + sign_ * (0.22 + stride / 2), hip - 0.05),
                        (k + sign_ * (0.14 + stride / 2), hip)], _shade(top, shade), PEDESTRIAN)
    canvas.polygon([(k - 0.22, shoulder), (k + 0.22, shoulder), (k + 0.17, hip - 0.08),
                    (k - 0.17, hip - 0.08)], top, PEDESTRIAN)
    canvas.box(k - 0.05, shoulder - 0.02, k + 0.05, shoulder + 0.08, skin, PEDESTRIAN)
    head = height - 0.13
    canvas.disc(k, head, 0.12, skin, PEDESTRIAN, flatten=0.85)
    canvas.polygon([(k - 0.11, head), (k + 0.11, head), (k + 0.09, height), (k - 0.09, height)],
                   _vivid(rng, 20, 90), PEDESTRIAN)
    if rng.random() < 0.4:
        canvas.box(k + 0.18, hip - 0.05, k + 0.36, hip + 0.3, _vivid(rng), PEDESTRIAN)
    canvas.texture(rng, 5)
    return canvas.sprite()


def cyclist(rng):
    """Draw somebody on a bicycle, seen along the road."""
    canvas = Canvas(0.9, 1.8, 72)
    top, trousers, black = _vivid(rng), _vivid(rng, 20, 110), (22, 22, 24)
    skin = np.array((222, 180, 150)) * rng.uniform(0.45, 1.05)
    canvas.disc(0.45, 0.34, 0.34, black, BICYCLIST, flatten=0.17)
    canvas.box(0.41, 0.3, 0.49, 0.95, _vivid(rng), BICYCLIST)
    canvas.box(0.16, 0.98, 0.74, 1.05, black, BICYCLIST)
    for sign_, low in ((-1, rng.uniform(0.2, 0.5)), (1, rng.uniform(0.2, 0.5))):
        canvas.polygon([(0.45, 0.98), (0.45 + sign_ * 0.17, 0.95), (0.45 + sign_ * 0.17, low),
                        (0.45 + sign_ * 0.06, low)], _shade(trousers, 0.9), BICYCLIST)
        canvas.box(0.45 + sign_ * 0.12 - 0.07, low - 0.1, 0.45 + sign_ * 0.12 + 0.07, low,
                   (35, 30, 28), BICYCLIST)
        canvas.polygon([(0.45 + sign_ * 0.15, 1.42), (0.45 + sign_ * 0.24, 1.4),
                        (0.45 + sign_ * 0.3, 1.02), (0.45 + sign_ * 0.2, 1.02)],
                       _shade(top, 0.85), BICYCLIST)
    canvas.polygon([(0.24, 1.46), (0.66, 1.46), (0.6, 0.9), (0.3, 0.9)], top, BICYCLIST)
    canvas.disc(0.45, 1.62, 0.12, skin, BICYCLIST, flatten=0.85)
    canvas.polygon([(0.32, 1.62), (0.58, 1.62), (0.53, 1.78), (0.37, 1.78)], _vivid(rng),
                   BICYCLIST)
    canvas.texture(rng, 5)
    return canvas.sprite()
