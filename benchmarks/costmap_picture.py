"""Draw a costmap from above, with the ground truth over it."""

import cv2
import numpy as np
from costmap_score import INSCRIBED, LETHAL, NO_COST, UNKNOWN, CellTruth, Costmap, Mask
from numpy.typing import NDArray

from enet_ros.images.contact_sheet import contact_sheet
from enet_ros.labels import CAMVID

CELL = 4                             # pixels
AHEAD, BESIDE = (0.0, 10.0), 8.0     # meters
WIDTH = 2 * round(2 * BESIDE / 0.1) * CELL + 36  # of a sheet of two pictures with its margins
GRAY, WHITE = (190, 190, 190), (255, 255, 255)
INSCRIBED_COLOR, LETHAL_COLOR = (250, 150, 60), (90, 60, 120)
LOW_COST, HIGH_COST = np.array([235, 245, 215]), np.array([250, 215, 90])
OCCUPIED_LINE, HIDDEN_LINE, RANGE_LINE = (220, 0, 0), (0, 90, 230), (150, 150, 150)
CAPTION = 'costmap (gray unknown, violet lethal), truth (red occupied, blue hidden road)'

Image = NDArray[np.uint8]


def draw_costmap(costmap: Costmap, truth: CellTruth) -> Image:
    """Return a picture of the ground ahead of the robot, which looks up, uint8 (H, W, 3) RGB."""
    picture = _enlarge(_colors(costmap.costs), costmap)
    for mask, color in ((truth.near, RANGE_LINE), (truth.hidden, HIDDEN_LINE),
                        (truth.occupied, OCCUPIED_LINE)):
        _outline(picture, mask, color, costmap)
    return picture


def draw_sheet(title: str, labels: NDArray[np.uint8], costmap: Costmap,
               truth: CellTruth) -> Image:
    """Return the colored labels and the costmap that was made from them, side by side."""
    return contact_sheet(title, [[('labels', CAMVID.palette()[labels]),
                                  (CAPTION, draw_costmap(costmap, truth))]], CAMVID, WIDTH)


def _colors(costs: NDArray[np.uint8]) -> Image:
    """Return the color of each cell."""
    share = np.clip(costs / INSCRIBED, 0, 1)[..., None]
    colors = (LOW_COST + share * (HIGH_COST - LOW_COST)).astype(np.uint8)
    for cost, color in ((NO_COST, WHITE), (INSCRIBED, INSCRIBED_COLOR), (LETHAL, LETHAL_COLOR),
                        (UNKNOWN, GRAY)):
        colors[costs == cost] = color
    return colors


def _window(cells: NDArray, costmap: Costmap) -> NDArray:
    """Return the cells of the picture, the farthest row first and the left side first."""
    columns = (costmap.x > AHEAD[0]) & (costmap.x < AHEAD[1])
    rows = np.abs(costmap.y[:, 0]) < BESIDE
    return np.swapaxes(cells[rows][:, columns], 0, 1)[::-1, ::-1]


def _enlarge(cells: NDArray, costmap: Costmap) -> Image:
    return np.ascontiguousarray(_window(cells, costmap).repeat(CELL, 0).repeat(CELL, 1))


def _outline(picture: Image, mask: Mask, color: tuple[int, int, int], costmap: Costmap) -> None:
    contours, _ = cv2.findContours(_enlarge(mask.astype(np.uint8), costmap), cv2.RETR_CCOMP,
                                   cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, color, 1)
