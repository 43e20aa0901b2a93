"""The ground of the synthetic street: its texture, and its image in the camera."""

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.labels import CAMVID
from enet_ros.synthetic.layout import VIEW_RANGE, CrossSection
from enet_ros.synthetic.light import Haze
from enet_ros.synthetic.pinhole_camera import PinholeCamera

ROAD, PAVEMENT = CAMVID.id_of('Road'), CAMVID.id_of('Pavement')
TEXTURE_LENGTH = 24.0   # meters after which the texture repeats
TEXTURE_PIXEL = 0.04    # meters
FINE_RANGE = 14.0       # meters; beyond, a coarser texture avoids flicker


class Ground:
    """Renders the ground of a street, drawn from `rng`, for one camera."""

    def __init__(self, rng: np.random.Generator, camera: PinholeCamera, section: CrossSection,
                 haze: Haze) -> None:
        self.section = section
        self._project_pixels(camera)
        # Weights of the ground and of the haze before it.
        self.transmission = np.exp(-self.ahead / haze.range)
        self.haze_image = np.full((*self.transmission.shape, 3), haze.gray, np.uint8)
        self.coarse_rows = int(np.searchsorted(-self.ahead[:, 0], -FINE_RANGE))
        self.texture = draw_texture(rng, section)
        self.coarse_texture = cv2.resize(self.texture, None, fx=0.25, fy=0.25,
                                         interpolation=cv2.INTER_AREA)

    def render(self, image: NDArray[np.uint8], labels: NDArray[np.uint8], x: float,
               y: float) -> None:
        """Render the ground into an image (H, W, 3) and a label image (H, W).

        x, y: position of the camera in the street.
        """
        left = self.left + np.float32(y)
        half = np.float32(self.section.ground_half)
        along = self.ahead + np.float32(x % TEXTURE_LENGTH)
        along -= np.float32(TEXTURE_LENGTH) * np.floor(along / np.float32(TEXTURE_LENGTH))
        ground = np.empty((*left.shape, 3), np.uint8)
        for rows, texture, pixel in (
                (np.s_[:self.coarse_rows], self.coarse_texture, 4 * TEXTURE_PIXEL),
                (np.s_[self.coarse_rows:], self.texture, TEXTURE_PIXEL)):
            if left[rows].size:
                ground[rows] = cv2.remap(
                    texture, along[rows] / np.float32(pixel) - np.float32(0.5),
                    (half - left[rows]) / np.float32(pixel) - np.float32(0.5),
                    cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if ground.size:
            image[self.first_row:] = cv2.blendLinear(ground, self.haze_image, self.transmission,
                                                     1 - self.transmission)
        labels[self.first_row:] = np.where(np.abs(left) < self.section.road_half, ROAD, PAVEMENT)

    def _project_pixels(self, camera: PinholeCamera) -> None:
        """Compute the ground point of each pixel, relative to the camera.

        Sets the first image row that shows ground, and `ahead`, `left` and `depth`, (rows, W) in
        meters; depth is along the optical axis.
        """
        self.first_row = int(np.clip(np.floor(camera.horizon) + 1, 0, camera.height))
        columns, rows = np.meshgrid(np.arange(camera.width),
                                    np.arange(self.first_row, camera.height))
        v, u = (rows - camera.cy) / camera.fy, (columns - camera.cx) / camera.fx
        down = v * np.cos(camera.pitch) + np.sin(camera.pitch)
        depth = camera.height_m / np.maximum(down, 1e-6)
        ahead = depth * (np.cos(camera.pitch) - v * np.sin(camera.pitch))
        near = ahead[:, 0] < 3 * VIEW_RANGE
        self.first_row += int(np.argmax(near)) if near.any() else len(near)
        self.ahead = ahead[near].astype(np.float32)
        self.left = (-depth * u)[near].astype(np.float32)
        self.depth = depth[near].astype(np.float32)


def draw_texture(rng: np.random.Generator, section: CrossSection) -> NDArray[np.uint8]:
    """Draw the ground from above, uint8 (rows, columns, 3) RGB.

    Rows run from left to right across the street, columns along it; pixels are TEXTURE_PIXEL
    wide.
    """
    rows = int(2 * section.ground_half / TEXTURE_PIXEL)
    columns = int(TEXTURE_LENGTH / TEXTURE_PIXEL)
    across = section.ground_half - (np.arange(rows) + 0.5) * TEXTURE_PIXEL  # y of each row
    along = (np.arange(columns) + 0.5) * TEXTURE_PIXEL                      # x of each column
    asphalt, slabs = rng.uniform(70, 125), rng.uniform(115, 175)
    grain = rng.normal(0, rng.uniform(4, 11), (rows, columns))
    stains = cv2.resize(rng.normal(0, 7, (rows // 60, columns // 60)), (columns, rows),
                        interpolation=cv2.INTER_CUBIC)
    on_road = np.abs(across) < section.road_half
    gray = np.where(on_road[:, None], asphalt, slabs) + grain + stains
    curb = np.abs(np.abs(across) - section.road_half - 0.1) < 0.1
    gray[curb] = slabs * 1.15 + 0.5 * grain[curb]
    joints = (along % 0.8 < 0.04)[None] | (across % 0.8 < 0.04)[:, None]
    joints &= (~on_road & ~curb)[:, None]
    gray[joints] *= 0.82
    gutter = np.abs(np.abs(across) - section.road_half + 0.15) < 0.15
    gray[gutter] *= 0.85
    texture = np.repeat(gray[..., None], 3, 2) * rng.uniform(0.95, 1.05, 3)
    _draw_markings(rng, texture, across, along, section)
    for x, y in zip(rng.integers(0, columns, 6), rng.integers(0, rows, 6)):
        if on_road[y]:
            texture[y:y + 30, x:x + 60] *= 0.85  # repaired asphalt
    return np.clip(texture, 0, 255).astype(np.uint8)


def _draw_markings(rng: np.random.Generator, texture: NDArray[np.float64],
                   across: NDArray[np.floating], along: NDArray[np.floating],
                   section: CrossSection) -> None:
    """Draw lane markings and, on some streets, a crossing."""
    paint = rng.uniform(0.35, 0.9)

    def mark(rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> None:
        pixels = np.ix_(rows, columns)
        texture[pixels] = (1 - paint) * texture[pixels] + paint * 235

    dashes = along % 6.0 < rng.uniform(2, 4)
    mark(np.abs(across) < 0.07, dashes)
    if rng.random() < 0.6:
        edge = section.road_half - section.parking - 0.3
        mark(np.abs(np.abs(across) - edge) < 0.06, np.ones_like(dashes))
    if rng.random() < 0.5:
        bars = (across % 1.0 < 0.5) & (np.abs(across) < section.road_half)
        mark(bars, (along > 10) & (along < 12.5))
