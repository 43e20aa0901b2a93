"""Rendering of sprites and shadows into one frame of the synthetic street."""

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.labels import UNLABELED
from enet_ros.synthetic.layout import Axis
from enet_ros.synthetic.light import Light
from enet_ros.synthetic.pinhole_camera import PinholeCamera
from enet_ros.synthetic.sprites import Sprite

NEAR_PLANE = 0.4  # meters; nothing nearer is rendered


class FrameRenderer:
    """Renders objects over the background of a frame, to be called from far to near.

    image: uint8 (H, W, 3) RGB, modified in place.
    labels: uint8 (H, W), modified in place.
    depth: float32 (H, W), distance along the optical axis in meters, modified in place; or None.

    Positions are in meters, relative to the camera: x ahead, y to the left.
    """

    def __init__(self, camera: PinholeCamera, light: Light, image: NDArray[np.uint8],
                 labels: NDArray[np.uint8], depth: NDArray[np.float32] | None = None) -> None:
        self.projection, self.focal_length = camera.matrix(), camera.fx
        self.light = light
        self.image, self.labels, self.depth = image, labels, depth

    def draw_sprite(self, sprite: Sprite, axis: Axis, x: float, y: float,
                    brightness: float) -> None:
        """Render a sprite that stands on the ground with its lower left corner at (x, y).

        axis: the direction in which its width extends, as in `Face`. brightness: 0-1.
        """
        end = x + sprite.width if axis == 'x' else x
        near = max(x, NEAR_PLANE)
        if end <= NEAR_PLANE + 0.05:
            return
        along = self.projection[:, 0] if axis == 'x' else -self.projection[:, 1]
        up = self.projection[:, 2]
        corner = self.projection @ (x, y, 0.0, 1.0)
        # From (meters along the sprite, meters up, 1) to homogeneous image coordinates.
        plane = np.stack([along, up, corner], 1)                              # (3, 3)
        first = near - x if axis == 'x' else 0.0
        window, depth = self._window(plane @ (
            (first, sprite.width, sprite.width, first),
            (0.0, 0.0, sprite.height, sprite.height), (1.0, 1.0, 1.0, 1.0)))
        if window is None:
            return
        left, top, right, bottom = window
        # The level whose pixels are about as large as those of the image at the nearest point.
        scale = sprite.pixels_per_meter * depth / self.focal_length
        level = int(np.clip(np.log2(max(scale, 1e-3)) + 0.5, 0, len(sprite.levels) - 1))
        image, ids = sprite.levels[level]
        # From pixels of the sprite, whose centers are half a pixel inside, to those of the window.
        along, down = along * (sprite.width / ids.shape[1]), up * (-sprite.height / ids.shape[0])
        warp = np.stack([along, down, corner + up * sprite.height + (along + down) / 2], 1)
        warp[0] -= left * warp[2]
        warp[1] -= top * warp[2]
        size = right - left, bottom - top
        ids = cv2.warpPerspective(ids, warp, size, flags=cv2.INTER_NEAREST,
                                  borderValue=UNLABELED)
        visible = cv2.compare(ids, UNLABELED, cv2.CMP_NE)
        image = cv2.warpPerspective(image, warp, size, flags=cv2.INTER_LINEAR,
                                    borderMode=cv2.BORDER_REPLICATE)
        haze = self.light.haze
        transmission = float(np.exp(-(near + end) / 2 / haze.range))
        image = cv2.convertScaleAbs(image, alpha=transmission * brightness,
                                    beta=(1 - transmission) * haze.gray)
        cv2.copyTo(image, visible, self.image[top:bottom, left:right])
        cv2.copyTo(ids, visible, self.labels[top:bottom, left:right])
        if self.depth is not None:
            # The inverse of `plane` maps (u, v, 1) to (meters along, meters up, 1) / depth.
            per_column, per_row, offset = cv2.invert(plane)[1][2]
            inverse = (per_column * np.arange(left, right)
                       + (per_row * np.arange(top, bottom) + offset)[:, None])  # (rows, columns)
            with np.errstate(divide='ignore'):
                distance = (1 / inverse).astype(np.float32)
            cv2.copyTo(distance, visible, self.depth[top:bottom, left:right])

    def draw_shadow(self, x: float, y: float, length: float, width: float) -> None:
        """Darken a rectangle of the ground with its center at (x, y)."""
        near, far = max(x - length / 2, NEAR_PLANE), x + length / 2
        if far <= near:
            return
        left_y, right_y = y + width / 2, y - width / 2
        corners = self.projection @ ((near, far, far, near), (right_y, right_y, left_y, left_y),
                                     (0.0,) * 4, (1.0,) * 4)
        window, _ = self._window(corners)
        if window is None:
            return
        left, top, right, bottom = window
        outline = (corners[:2] / corners[2]).T - (left, top)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillConvexPoly(mask, outline.round().astype(np.int32), 255)
        ground = self.image[top:bottom, left:right]
        cv2.copyTo(cv2.convertScaleAbs(ground, alpha=self.light.shadow), mask, ground)

    def _window(self, corners: NDArray[np.float64]) -> tuple[
            tuple[int, int, int, int] | None, float]:
        """Return the window around projected corners (3, 4), and their least depth in meters.

        The window is (left, top, right, bottom) in pixels, or None if no part is in the image.
        """
        depth = corners[2].min()
        if depth < 0.1:
            return None, depth
        u, v = corners[0] / corners[2], corners[1] / corners[2]
        rows, columns = self.labels.shape
        left, right = max(0, int(u.min())), min(columns, int(u.max()) + 2)
        top, bottom = max(0, int(v.min())), min(rows, int(v.max()) + 2)
        if left >= right or top >= bottom:
            return None, depth
        return (left, top, right, bottom), depth
