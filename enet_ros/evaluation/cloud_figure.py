"""Pictures of labeled points, obstacles and scans of a synthetic street."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.images.contact_sheet import INK, write_text
from enet_ros.pointcloud.cloud import POINT
from enet_ros.synthetic.pinhole_camera import PinholeCamera
from enet_ros.synthetic.surfaces import Surface

WIDTH, HEIGHT = 640, 480
SCALE = 30               # pixels per meter, seen from above
MAX_RANGE = 40.0         # meters, of points in the view from behind
BEHIND, ABOVE = 4.0, 3.5  # meters, where the view from behind is
UNKNOWN, FREE = (205, 205, 205), (250, 250, 250)
SURFACE, HIT = (0, 90, 255), (200, 0, 0)

Image = NDArray[np.uint8]  # (H, W, 3) RGB


def draw_from_behind(positions: NDArray[np.floating], colors: Image, ranges: NDArray[np.floating],
                     bearings: NDArray[np.float64], scan_height: float) -> Image:
    """Draw points from behind and above the camera, with the contacts of a scan.

    positions: (N, 3) in the base frame, meters; NaN is left out. colors: (N, 3).
    ranges, bearings: of the scan, (M,) meters and rad. scan_height: at which it is drawn, meters.
    """
    camera = PinholeCamera(WIDTH, HEIGHT, 0.9 * WIDTH, 0.9 * WIDTH, (WIDTH - 1) / 2,
                           (HEIGHT - 1) / 2, height_m=ABOVE, pitch=0.2)
    picture = np.full((HEIGHT, WIDTH, 3), UNKNOWN, np.uint8)
    with np.errstate(invalid='ignore'):
        near = np.hypot(positions[:, 0], positions[:, 1]) < MAX_RANGE
    _draw_points(picture, camera, positions[near], colors[near])
    hits = _contacts(ranges, bearings)
    rows, columns, _ = _project(camera, np.c_[hits, np.full(len(hits), scan_height)])
    for row, column in zip(rows.tolist(), columns.tolist()):
        cv2.circle(picture, (column, row), 2, HIT, -1, cv2.LINE_AA)
    return picture


def draw_from_above(obstacles: NDArray[np.void], ranges: NDArray[np.floating],
                    bearings: NDArray[np.float64], range_max: float,
                    surfaces: Sequence[Surface]) -> Image:
    """Draw obstacle points and a scan from above, forward being up, over the true surfaces.

    obstacles: (N,) of POINT in the base frame. ranges, bearings: (M,) meters and rad.
    """
    picture = np.full((HEIGHT, WIDTH, 3), UNKNOWN, np.uint8)
    half = (bearings[1] - bearings[0]) / 2
    for reach, bearing in zip(np.minimum(ranges, range_max), bearings):
        if np.isfinite(reach):
            corners = [[0.0, 0.0], *(reach * np.array([np.cos(angle), np.sin(angle)])
                                     for angle in (bearing - half, bearing + half))]
            cv2.fillConvexPoly(picture, _pixels(np.array(corners)), FREE)
    for meters in (5, 10, 15):
        cv2.circle(picture, _pixels(np.zeros((1, 2)))[0].tolist(), meters * SCALE, UNKNOWN, 1,
                   cv2.LINE_AA)
        left, baseline = _pixels(np.array([[meters, 0.0]]))[0].tolist()
        write_text(picture, f'{meters} m', left + 4, baseline - 4, 0.45)
    for surface in surfaces:
        ends = _pixels(np.array([surface.start, surface.start + surface.width * surface.along]))
        cv2.line(picture, *ends.tolist(), SURFACE, 1, cv2.LINE_AA)
    columns, rows = _pixels(np.c_[obstacles['x'], obstacles['y']]).T
    inside = (columns >= 0) & (columns < WIDTH) & (rows >= 0) & (rows < HEIGHT)
    picture[rows[inside], columns[inside]] = point_colors(obstacles)[inside]
    for pixel in _pixels(_contacts(ranges, bearings)).tolist():
        cv2.circle(picture, pixel, 2, HIT, -1, cv2.LINE_AA)
    cv2.circle(picture, _pixels(np.zeros((1, 2)))[0].tolist(), 5, INK, -1, cv2.LINE_AA)
    return picture


def point_colors(points: NDArray[np.void]) -> Image:
    """Return the RGB colors (..., 3) of points (...) of POINT."""
    assert points.dtype == POINT
    values = np.ascontiguousarray(points['rgb']).view(np.uint32)
    return np.stack([values >> shift & 255 for shift in (16, 8, 0)], -1).astype(np.uint8)


def _contacts(ranges: NDArray[np.floating],
              bearings: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return the points of the finite ranges, (K, 2) meters."""
    hit = np.isfinite(ranges)
    return ranges[hit, None] * np.c_[np.cos(bearings[hit]), np.sin(bearings[hit])]


def _pixels(xy: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return the columns and rows (N, 2) of points of the base frame seen from above."""
    return np.stack([WIDTH / 2 - SCALE * xy[:, 1], HEIGHT - 1 - SCALE * xy[:, 0]],
                    -1).astype(np.int32)


def _draw_points(picture: Image, camera: PinholeCamera, positions: NDArray[np.floating],
                 colors: Image) -> None:
    """Draw points as squares, far ones first and near ones larger."""
    rows, columns, depths = _project(camera, positions)
    order = np.argsort(-depths)
    for row_shift in range(3):
        for column_shift in range(3):
            drawn = order[depths[order] < (8.0 if max(row_shift, column_shift) == 2 else np.inf)]
            row, column = rows[drawn] + row_shift, columns[drawn] + column_shift
            inside = (row >= 0) & (row < HEIGHT) & (column >= 0) & (column < WIDTH)
            picture[row[inside], column[inside]] = colors[drawn][inside]


def _project(camera: PinholeCamera, positions: NDArray[np.floating]) -> tuple[
        NDArray[np.int_], NDArray[np.int_], NDArray[np.floating]]:
    """Return the rows, columns and depths of points that are seen from BEHIND meters back."""
    matrix = camera.matrix()
    x, y, depth = matrix[:, :3] @ (positions + (BEHIND, 0, 0)).T + matrix[:, 3:]
    return np.round(y / depth).astype(int), np.round(x / depth).astype(int), depth
