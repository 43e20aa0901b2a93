"""The background of the synthetic street: sky, clouds and distant trees."""

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.labels import CAMVID
from enet_ros.synthetic.layout import VIEW_RANGE
from enet_ros.synthetic.light import Haze
from enet_ros.synthetic.pinhole_camera import PinholeCamera

SKY, TREE = CAMVID.id_of('Sky'), CAMVID.id_of('Tree')


def draw_background(rng: np.random.Generator, camera: PinholeCamera,
                    haze: Haze) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the background of all frames: image (H, W, 3) RGB and labels (H, W)."""
    image = _draw_sky(rng, camera, haze)
    labels = np.full((camera.height, camera.width), SKY, np.uint8)
    # Distant trees at the end of the street.
    heights = cv2.resize(rng.uniform(0.5, 5.0, (1, 24)).astype(np.float32), (camera.width, 1),
                         interpolation=cv2.INTER_CUBIC)[0] * camera.fy / VIEW_RANGE
    rough = rng.uniform(0, 0.02 * camera.height, camera.width)
    trees = np.arange(camera.height)[:, None] > camera.horizon - heights[None] - rough
    image[trees] = 0.5 * haze.gray + 0.5 * np.array([70, 95, 60])
    labels[trees] = TREE
    return image, labels


def _draw_sky(rng: np.random.Generator, camera: PinholeCamera, haze: Haze) -> NDArray[np.uint8]:
    """Draw a sky with clouds above the horizon, and black below it, (H, W, 3) RGB."""
    sky_rows = int(np.clip(np.ceil(camera.horizon), 0, camera.height))
    rows = max(sky_rows, 1)
    zenith = np.array([rng.uniform(70, 200), rng.uniform(110, 210), rng.uniform(160, 235)])
    blend = np.linspace(0, 1, rows)[:, None, None] ** 1.5
    sky = np.broadcast_to(zenith * (1 - blend) + haze.gray * blend, (rows, camera.width, 3))
    clouds = sum(cv2.resize(rng.random((3 * 2 ** k, 5 * 2 ** k)), (camera.width, rows),
                            interpolation=cv2.INTER_CUBIC) / 2 ** k for k in range(5))
    cover = np.clip((clouds - rng.uniform(0.8, 1.2)) * 1.5, 0, 1)[..., None]
    image = np.zeros((camera.height, camera.width, 3))
    image[:sky_rows] = (sky * (1 - cover) + rng.uniform(205, 250) * cover)[:sky_rows]
    return np.clip(image, 0, 255).astype(np.uint8)
