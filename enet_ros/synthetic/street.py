"""A street seen by a known camera that drives through it, with exact labels.

The world is flat and the street straight: x goes along it, y to the left, z up, metres. Ten
frames are a second. Everything follows from the seed and the frame's number.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID, UNLABELED
from enet_ros.synthetic import sprites
from enet_ros.synthetic.pinhole_camera import PinholeCamera

SKY, ROAD, PAVEMENT, TREE = map(CAMVID.id_of, ('Sky', 'Road', 'Pavement', 'Tree'))
FRAMES_A_SECOND = 10
BLOCK = 12.0            # metres of street that are made together
SIGHT = 80.0            # metres; farther things are lost in the haze
NEAR = 0.4              # metres; nearer things are behind the lens
TILE = 24.0             # metres after which the ground's texture repeats
GRAIN = 0.04            # metres a pixel of the ground's texture
FLAT_DEPTH = 0.2        # metres of ground that something takes of which there is one picture
CAR_LENGTH, CAR_WIDTH = 4.2, 1.75


@dataclass(frozen=True)
class StreetFrame:
    """What the camera sees: image uint8 (H, W, 3) RGB, labels uint8 (H, W) of CamVid's ids."""

    image: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Thing:
    """Something that stands or moves along the street; (x, y) is the middle of its footprint.

    x is that at the moment when the camera passes its block; speed is in metres a second.
    faces are (sprite, axis, x, y): a sprite's lower left corner beside (x, y), and the axis along
    which it stretches: 'y' to the right, facing the camera, or 'x' along the street.
    """

    x: float
    y: float
    length: float
    width: float
    speed: float
    faces: tuple


class SyntheticStreet:
    """A drive through one street; `render(i)` shows frame i, whatever was shown before."""

    labels = CAMVID

    def __init__(self, width=640, height=360, seed=0):
        if min(width, height) < 32:
            raise BadInput(f'a street of {width}x{height} pixels cannot be seen; '
                           'the least is 32x32')
        self.seed = seed
        rng = np.random.default_rng((seed, 0))
        focal = width * rng.uniform(0.75, 1.05)
        self.camera = PinholeCamera(
            width, height, focal, focal, (width - 1) / 2, (height - 1) / 2,
            height_m=rng.uniform(1.2, 1.7), pitch=np.radians(rng.uniform(0.0, 5.0)))
        self.speed = rng.uniform(5, 11)
        self.parking = 2.2 * (rng.random() < 0.75)
        self.road_half = rng.uniform(3.2, 4.2) + self.parking
        self.house_line = self.road_half + rng.uniform(2.0, 4.5)
        self.lane = -(self.road_half - self.parking) / 2  # one drives on the right
        self.density = rng.uniform(0.5, 1.6)
        self._set_light(rng)
        self._draw_sprites(rng)
        self._draw_sky(rng)
        self._prepare_ground(rng)
        self._block = lru_cache(maxsize=64)(self._make_block)

    def render(self, index):
        """Return frame `index` (0 and up) as a StreetFrame."""
        if index < 0:
            raise BadInput(f'frame {index} does not exist; frames count from 0')
        x, y = self._pose(index)
        view = View(self.camera, self.haze, self.shadow, *self._ground_and_sky(x, y))
        blocks = range(int((x + SIGHT) // BLOCK), int(x // BLOCK) - 2, -1)
        for number in blocks:
            for sprite, axis, left, side in self._block(number)[0]:
                view.paint(sprite, axis, left - x, side - y, self.side_light[side > 0])
        things = sorted(self._things(index, x), key=lambda pair: -pair[1])
        for thing, ahead in things:
            if thing.length > 1.0:
                view.shade(ahead, thing.y - y, thing.length + 0.5, thing.width + 0.5)
        for thing, ahead in things:
            for sprite, axis, along, across in thing.faces:
                # A side of a car is seen from the side where the camera is.
                if axis == 'x' and (across > 0) == (thing.y - y > 0):
                    continue
                view.paint(sprite, axis, ahead + along, thing.y + across - y,
                           self.side_light[thing.y > y] if axis == 'x' else 1.0)
        return StreetFrame(self._expose(view.image, index), view.labels)

    def is_free(self, index, points):
        """Tell which points on the ground are road with nothing standing on it.

        What stands reaches back from its nearest face; behind a flat picture one sees the ground
        again.

        points float (N, 2): metres in the base frame of frame `index`, x forward and y left of
        the point below the camera -> bool (N,).
        """
        x, y = self._pose(index)
        points = np.asarray(points, float).reshape(-1, 2)
        free = np.abs(points[:, 1] + y) < self.road_half
        farthest = points[:, 0].max(initial=0.0)
        for thing, ahead in self._things(index, x):
            if ahead - thing.length > farthest:
                continue
            depth = thing.length if len(thing.faces) > 1 else min(thing.length, FLAT_DEPTH)
            behind = points[:, 0] - ahead - min(along for _, _, along, _ in thing.faces)
            free &= ((behind < 0) | (behind > depth)
                     | (np.abs(points[:, 1] + y - thing.y) > thing.width / 2))
        return free

    def _pose(self, index):
        """Return where the camera is: x along the street and y to the left of its middle."""
        seconds = index / FRAMES_A_SECOND
        return self.speed * seconds, self.lane + 0.25 * np.sin(0.4 * seconds + self.seed)

    # The world

    def _set_light(self, rng):
        self.haze = float(rng.uniform(170, 225)), float(rng.uniform(60, 250))  # grey, metres
        sun = rng.uniform(0.6, 1.0, 2)
        self.side_light = {True: sun[0], False: sun[1]}
        self.shadow = rng.uniform(0.35, 0.75)
        level = np.linspace(0, 1, 256)[:, None]
        cast = rng.uniform(0.7, 1.1) * rng.uniform(0.92, 1.08, 3)
        table = level ** rng.uniform(0.75, 1.4) * cast
        self.exposure = (255 * np.clip(table + rng.uniform(0, 0.06), 0, 1)).astype(np.uint8)[None]
        noise = np.clip(rng.normal(128, rng.uniform(1, 6), (192, 192, 3)), 0, 255)
        repeats = self.camera.height // 192 + 2, self.camera.width // 192 + 2, 1
        self.noise = np.tile(noise.astype(np.uint8), repeats)

    def _draw_sprites(self, rng):
        self.facades = [sprites.facade(rng, BLOCK, rng.uniform(6, 14)) for _ in range(5)]
        self.walls = [sprites.wall(rng, 8.0, facade.height - 2.2) for facade in self.facades]
        self.trees = [sprites.tree(rng) for _ in range(3)]
        self.lamp = sprites.lamp(rng)
        self.signs = [sprites.sign(rng) for _ in range(4)]
        self.fences = [sprites.fence(rng, BLOCK) for _ in range(2)]
        self.cars = [sprites.car(rng) for _ in range(4)]
        self.people = [sprites.person(rng) for _ in range(5)]
        self.cyclists = [sprites.cyclist(rng) for _ in range(3)]

    def _make_block(self, number):
        """Return what stands along 12 m of street: house fronts and other faces, and things."""
        rng = np.random.default_rng((self.seed, 1, number + 10))
        start, faces, things = number * BLOCK, [], []
        for side in (-1, 1):
            line = side * self.house_line
            if rng.random() < 0.8:
                style = rng.integers(len(self.facades))
                across = line + 8.0 if side > 0 else line
                faces.append((self.walls[style], 'y', start, across))
                faces.append((self.facades[style], 'x', start, line))
            else:
                for _ in range(3):
                    tree = self.trees[rng.integers(len(self.trees))]
                    faces.append((tree, 'y', start + rng.uniform(2, 12),
                                  line + side * rng.uniform(3, 7) + tree.width / 2))
                faces.sort(key=lambda face: -face[2])
            if rng.random() < 0.35:
                faces.append((self.fences[rng.integers(len(self.fences))], 'x', start,
                              side * (self.house_line - 0.3)))
            things += self._furnish(rng, start, side)
        return faces, things

    def _furnish(self, rng, start, side):
        """Return the things on one side of a block."""
        kerb, things = self.road_half, []

        def place(sprite, x, y, depth, speed=0.0, width=None):
            face = sprite, 'y', 0.0, sprite.width / 2
            things.append(Thing(start + x, side * y, depth, width or 0.6, speed, (face,)))

        if rng.random() < 0.4:
            place(self.lamp, rng.uniform(0, 12), kerb + 0.4, 0.2, width=0.2)
        if rng.random() < 0.5:
            place(self._any(rng, self.signs), rng.uniform(0, 12), kerb + 0.55, 0.15, width=0.15)
        if rng.random() < 0.35:
            place(self._any(rng, self.trees), rng.uniform(0, 12), kerb + 1.0, 0.5, width=0.5)
        for _ in range(rng.poisson(0.7 * self.density)):
            place(self._any(rng, self.people), rng.uniform(0, 12),
                  rng.uniform(kerb + 0.5, self.house_line - 0.6), 0.4,
                  rng.choice([-1.3, 0.0, 1.2]))
        if self.parking and rng.random() < 0.5 * self.density:
            things.append(self._car(rng, start + 6, side * (kerb - 1.15), 0.0))
        direction = 1 if side < 0 else -1
        if rng.random() < 0.2 * self.density:
            # Riders keep to the edge of the lane.
            place(self._any(rng, self.cyclists), rng.uniform(0, 12),
                  kerb - self.parking - 0.55, 1.6, direction * rng.uniform(2, 4.5))
        if side > 0 and rng.random() < 0.15 * self.density:
            things.append(self._car(rng, start, -self.lane, -rng.uniform(6, 9)))
        return things

    def _car(self, rng, x, y, speed):
        rear, front, side = self._any(rng, self.cars)
        end = front if speed < 0 else rear
        faces = ((side, 'x', -CAR_LENGTH / 2, CAR_WIDTH / 2),
                 (side, 'x', -CAR_LENGTH / 2, -CAR_WIDTH / 2),
                 (end, 'y', -CAR_LENGTH / 2, CAR_WIDTH / 2))
        return Thing(x, y, CAR_LENGTH, CAR_WIDTH, speed, faces)

    @staticmethod
    def _any(rng, choices):
        return choices[rng.integers(len(choices))]

    def _things(self, index, x):
        """Yield (thing, its distance ahead of the camera) for all that may be in sight."""
        seconds = index / FRAMES_A_SECOND
        # Things that go along with the camera belong to blocks that it passes long after.
        for number in range(int(x // BLOCK) - 2, int((x + 2.5 * SIGHT) // BLOCK) + 1):
            for thing in self._block(number)[1]:
                passed = thing.x / self.speed
                ahead = thing.x + thing.speed * (seconds - passed) - x
                if -6 < ahead < SIGHT:
                    yield thing, ahead
        # Another car leads the way.
        gap = 13 + 5 * np.sin(0.15 * seconds + self.seed)
        rng = np.random.default_rng((self.seed, 2))
        if rng.random() < 0.6:
            yield self._car(rng, 0.0, self.lane, self.speed), gap

    # Ground and sky

    def _draw_sky(self, rng):
        camera = self.camera
        self.horizon = camera.cy - camera.fy * np.tan(camera.pitch)
        rows = int(np.clip(np.ceil(self.horizon), 0, camera.height))
        grey = self.haze[0]
        top = np.array([rng.uniform(70, 200), rng.uniform(110, 210), rng.uniform(160, 235)])
        blend = np.linspace(0, 1, max(rows, 1))[:, None, None] ** 1.5
        sky = np.broadcast_to(top * (1 - blend) + grey * blend, (max(rows, 1), camera.width, 3))
        clouds = sum(cv2.resize(rng.random((3 * 2 ** k, 5 * 2 ** k)), (camera.width, max(rows, 1)),
                                interpolation=cv2.INTER_CUBIC) / 2 ** k for k in range(5))
        cover = np.clip((clouds - rng.uniform(0.8, 1.2)) * 1.5, 0, 1)[..., None]
        image = np.zeros((camera.height, camera.width, 3))
        image[:rows] = (sky * (1 - cover) + rng.uniform(205, 250) * cover)[:rows]
        self.sky = np.clip(image, 0, 255).astype(np.uint8)
        self.sky_labels = np.full((camera.height, camera.width), SKY, np.uint8)
        # Trees far away close the street.
        tall = cv2.resize(rng.uniform(0.5, 5.0, (1, 24)).astype(np.float32), (camera.width, 1),
                          interpolation=cv2.INTER_CUBIC)[0] * camera.fy / SIGHT
        far = np.arange(camera.height)[:, None] > self.horizon - tall[None] - rng.uniform(
            0, 0.02 * camera.height, camera.width)
        self.sky[far] = 0.5 * grey + 0.5 * np.array([70, 95, 60])
        self.sky_labels[far] = TREE

    def _prepare_ground(self, rng):
        """Find the ground under each pixel, and draw the texture that repeats along the street."""
        camera = self.camera
        self.first_row = int(np.clip(np.floor(self.horizon) + 1, 0, camera.height))
        columns, rows = np.meshgrid(np.arange(camera.width), np.arange(self.first_row,
                                                                       camera.height))
        a, b = (rows - camera.cy) / camera.fy, (columns - camera.cx) / camera.fx
        down = a * np.cos(camera.pitch) + np.sin(camera.pitch)
        depth = camera.height_m / np.maximum(down, 1e-6)
        ahead = depth * (np.cos(camera.pitch) - a * np.sin(camera.pitch))
        seen = ahead[:, 0] < 3 * SIGHT
        self.first_row += int(np.argmax(seen)) if seen.any() else len(seen)
        self.ahead, self.left = (value[seen].astype(np.float32) for value in (ahead, -depth * b))
        self.clear = np.exp(-self.ahead / self.haze[1])
        self.mist = np.full((*self.clear.shape, 3), self.haze[0], np.uint8)
        # Fine grains are sampled near by only: far away they would flicker.
        self.coarse_rows = int(np.searchsorted(-self.ahead[:, 0], -14.0))
        self.ground = self._draw_ground(rng)
        self.coarse_ground = cv2.resize(self.ground, None, fx=0.25, fy=0.25,
                                        interpolation=cv2.INTER_AREA)

    def _draw_ground(self, rng):
        half = self.house_line + 14
        rows, columns = int(2 * half / GRAIN), int(TILE / GRAIN)
        across = half - (np.arange(rows) + 0.5) * GRAIN   # y of each row, from left to right
        along = (np.arange(columns) + 0.5) * GRAIN
        asphalt, slabs = rng.uniform(70, 125), rng.uniform(115, 175)
        grain = rng.normal(0, rng.uniform(4, 11), (rows, columns))
        stains = cv2.resize(rng.normal(0, 7, (rows // 60, columns // 60)), (columns, rows),
                            interpolation=cv2.INTER_CUBIC)
        on_road = np.abs(across) < self.road_half
        grey = np.where(on_road[:, None], asphalt, slabs) + grain + stains
        kerb = np.abs(np.abs(across) - self.road_half - 0.1) < 0.1
        grey[kerb] = slabs * 1.15 + 0.5 * grain[kerb]
        joints = (along % 0.8 < 0.04)[None] | (across % 0.8 < 0.04)[:, None]
        joints &= (~on_road & ~kerb)[:, None]
        grey[joints] *= 0.82
        gutter = np.abs(np.abs(across) - self.road_half + 0.15) < 0.15
        grey[gutter] *= 0.85
        ground = np.repeat(grey[..., None], 3, 2) * rng.uniform(0.95, 1.05, 3)
        self._mark_lanes(rng, ground, across, along)
        # Dark patches of mended asphalt.
        for x, y in zip(rng.integers(0, columns, 6), rng.integers(0, rows, 6)):
            if on_road[y]:
                ground[y:y + 30, x:x + 60] *= 0.85
        return np.clip(ground, 0, 255).astype(np.uint8)

    def _mark_lanes(self, rng, ground, across, along):
        paint = rng.uniform(0.35, 0.9)

        def mark(rows, columns):
            place = np.ix_(rows, columns)
            ground[place] = (1 - paint) * ground[place] + paint * 235

        dashed = along % 6.0 < rng.uniform(2, 4)
        mark(np.abs(across) < 0.07, dashed)
        if rng.random() < 0.6:
            edge = self.road_half - self.parking - 0.3
            mark(np.abs(np.abs(across) - edge) < 0.06, np.ones_like(dashed))
        if rng.random() < 0.5:  # a crossing
            bars = (across % 1.0 < 0.5) & (np.abs(across) < self.road_half)
            mark(bars, (along > 10) & (along < 12.5))

    def _ground_and_sky(self, x, y):
        """Return the image and the labels of the empty street."""
        image, labels = self.sky.copy(), self.sky_labels.copy()
        left = self.left + np.float32(y)
        half = np.float32(self.house_line + 14)
        along = self.ahead + np.float32(x % TILE)
        along -= np.float32(TILE) * np.floor(along / np.float32(TILE))
        split = self.coarse_rows
        ground = np.empty((*left.shape, 3), np.uint8)
        for part, texture, grain in ((np.s_[:split], self.coarse_ground, 4 * GRAIN),
                                     (np.s_[split:], self.ground, GRAIN)):
            if left[part].size:
                ground[part] = cv2.remap(
                    texture, along[part] / np.float32(grain) - np.float32(0.5),
                    (half - left[part]) / np.float32(grain) - np.float32(0.5),
                    cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if ground.size:
            image[self.first_row:] = cv2.blendLinear(ground, self.mist, self.clear, 1 - self.clear)
        labels[self.first_row:] = np.where(np.abs(left) < self.road_half, ROAD, PAVEMENT)
        return image, labels

    def _expose(self, image, index):
        """Return the image as the camera's sensor would give it."""
        rng = np.random.default_rng((self.seed, 3, index))
        row, column = rng.integers(0, 192, 2)
        height, width = image.shape[:2]
        noise = self.noise[row:row + height, column:column + width]
        image = cv2.GaussianBlur(cv2.LUT(image, self.exposure), (3, 3), 0.6)
        return cv2.addWeighted(image, 1.0, noise, 1.0, -128.0)


class View:
    """One frame on its way: things are painted from far to near."""

    def __init__(self, camera, haze, shadow, image, labels):
        self.projection, self.focal_length = camera.matrix(), camera.fx
        self.haze, self.shadow = haze, shadow
        self.image, self.labels = image, labels

    def paint(self, sprite, axis, x, y, light):
        """Paint a sprite that stands on the ground, its lower left corner at (x, y)."""
        end = x + sprite.width if axis == 'x' else x
        near = max(x, NEAR)
        if end <= NEAR + 0.05:
            return
        # Columns: a metre along the sprite, a metre up, and the corner.
        along = self.projection[:, 0] if axis == 'x' else -self.projection[:, 1]
        up = self.projection[:, 2]
        corner = self.projection @ (x, y, 0.0, 1.0)
        plane = np.stack([along, up, corner], 1)
        first = near - x if axis == 'x' else 0.0
        window, depth = self._window(plane @ (
            (first, sprite.width, sprite.width, first),
            (0.0, 0.0, sprite.height, sprite.height), (1.0, 1.0, 1.0, 1.0)))
        if window is None:
            return
        left, top, right, bottom = window
        # The level whose pixels are about as large as the image's, where it is nearest.
        scale = sprite.pixels_per_metre * depth / self.focal_length
        level = int(np.clip(np.log2(max(scale, 1e-3)) + 0.5, 0, len(sprite.levels) - 1))
        picture, ids = sprite.levels[level]
        # From the sprite's pixels, whose centres lie half a pixel in, to the window's.
        along, down = along * (sprite.width / ids.shape[1]), up * (-sprite.height / ids.shape[0])
        place = np.stack([along, down, corner + up * sprite.height + (along + down) / 2], 1)
        place[0] -= left * place[2]
        place[1] -= top * place[2]
        size = right - left, bottom - top
        ids = cv2.warpPerspective(ids, place, size, flags=cv2.INTER_NEAREST,
                                  borderValue=UNLABELED)
        seen = cv2.compare(ids, UNLABELED, cv2.CMP_NE)
        picture = cv2.warpPerspective(picture, place, size, flags=cv2.INTER_LINEAR,
                                      borderMode=cv2.BORDER_REPLICATE)
        grey, reach = self.haze
        clear = float(np.exp(-(near + end) / 2 / reach))
        picture = cv2.convertScaleAbs(picture, alpha=clear * light, beta=(1 - clear) * grey)
        window = np.s_[top:bottom, left:right]
        cv2.copyTo(picture, seen, self.image[window])
        cv2.copyTo(ids, seen, self.labels[window])

    def shade(self, x, y, length, width):
        """Darken the ground under something whose middle is at (x, y)."""
        near, far = max(x - length / 2, NEAR), x + length / 2
        if far <= near:
            return
        left, right = y + width / 2, y - width / 2
        corners = self.projection @ ((near, far, far, near), (right, right, left, left),
                                     (0.0,) * 4, (1.0,) * 4)
        window, _ = self._window(corners)
        if window is None:
            return
        left, top, right, bottom = window
        outline = (corners[:2] / corners[2]).T - (left, top)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillConvexPoly(mask, outline.round().astype(np.int32), 255)
        part = self.image[top:bottom, left:right]
        cv2.copyTo(cv2.convertScaleAbs(part, alpha=self.shadow), mask, part)

    def _window(self, corners):
        """Return (left, top, right, bottom) around projected corners (3, 4) and the least depth.

        Pixels; None for the window where nothing of it is in the image.
        """
        depth = corners[2].min()
        if depth < 0.1:
            return None, depth
        (u_low, v_low), (u_high, v_high) = ((edge(corners[0] / corners[2]),
                                             edge(corners[1] / corners[2]))
                                            for edge in (np.min, np.max))
        rows, columns = self.labels.shape
        left, right = max(0, int(u_low)), min(columns, int(u_high) + 2)
        top, bottom = max(0, int(v_low)), min(rows, int(v_high) + 2)
        if left >= right or top >= bottom:
            return None, depth
        return (left, top, right, bottom), depth
