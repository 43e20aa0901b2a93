"""Rays of pixels: all distortion models against OpenCV, and what is no calibration."""

import cv2
import numpy as np
import pytest
from scenes import pinhole

from enet_ros.errors import BadInput
from enet_ros.freespace.camera import Calibration, Camera

K = np.array([[300.0, 0.5, 158.0], [0, 310.0, 121.0], [0, 0, 1]])
LENSES = {
    'none': ('plumb_bob', ()),
    'plumb_bob': ('plumb_bob', (-0.28, 0.07, 0.0012, -0.0008, 0.01)),
    'plumb_bob with four': ('plumb_bob', (0.11, -0.21, 0.002, 0.001)),
    'rational': ('rational_polynomial', (0.9, 0.3, 1e-3, -2e-3, 0.01, 1.2, 0.45, 0.04)),
    'thin prism': ('rational_polynomial', (0.9, 0.3, 1e-3, -2e-3, 0.01, 1.2, 0.45, 0.04,
                                           0.003, -0.001, 0.002, 0.001, 0.0, 0.0)),
    'equidistant': ('equidistant', (-0.02, 0.011, -0.006, 0.001)),
}


def calibration(name, **more):
    model, d = LENSES[name]
    return Calibration(320, 240, K.ravel(), d, model, **more)


def opencv_project(name, directions):
    model, d = LENSES[name]
    points, d, zero = directions.reshape(-1, 1, 3), np.array(d, float), np.zeros(3)
    matrix = K.copy()
    if model == 'equidistant':
        # OpenCV's fisheye has its skew elsewhere.
        matrix[0, 1] = 0
        pixels, _ = cv2.fisheye.projectPoints(points, zero, zero, matrix, d)
        return pixels.reshape(-1, 2) + [0.5 / 310.0, 0] * (pixels.reshape(-1, 2)[:, 1:] - 121.0)
    normal, _ = cv2.projectPoints(points, zero, zero, np.eye(3), d)
    return normal.reshape(-1, 2) @ K[:2, :2].T + K[:2, 2]


@pytest.mark.parametrize('name', LENSES)
def test_opencv_projects_rays_to_their_pixels(name):
    rays = Camera(calibration(name), 320, 240, rectified=False).rays()
    assert rays.shape == (240, 320, 3)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1.0)
    pixels = opencv_project(name, rays).reshape(240, 320, 2)
    np.testing.assert_allclose(pixels[..., 0] - np.arange(320), 0, atol=1e-4)
    np.testing.assert_allclose(pixels[..., 1] - np.arange(240)[:, None], 0, atol=1e-4)


@pytest.mark.parametrize('name', LENSES)
def test_directions_are_projected_as_by_opencv(name):
    rng = np.random.default_rng(0)
    directions = np.c_[rng.uniform(-0.4, 0.4, (50, 2)), np.ones(50)]
    pixels = Camera(calibration(name), 320, 240, rectified=False).project(directions)
    np.testing.assert_allclose(pixels, opencv_project(name, directions), atol=1e-6)


def test_a_rectified_image_has_the_rays_of_the_raw_one():
    rotation, _ = cv2.Rodrigues(np.array([0.01, -0.03, 0.02]))
    p = (280.0, 0, 150.0, -12.0, 0, 290.0, 118.0, 0, 0, 0, 1, 0)
    k = K * [[1, 0, 1], [1, 1, 1], [1, 1, 1]]  # OpenCV's maps have no skew
    model, d = LENSES['plumb_bob']
    camera = Calibration(320, 240, k.ravel(), d, model, rotation.ravel(), p)
    raw, flat = (Camera(camera, 320, 240, rectified) for rectified in (False, True))
    pixels = np.stack(cv2.initUndistortRectifyMap(
        k, np.array(d), rotation, np.reshape(p, (3, 4))[:, :3], (320, 240), cv2.CV_32FC1), -1)
    np.testing.assert_allclose(raw.project(flat.rays()), pixels, atol=1e-3)


def test_a_fisheye_has_rays_to_the_sides_and_to_the_rear():
    wide = Calibration(400, 400, (100.0, 0, 200, 0, 100.0, 200, 0, 0, 1), (0.0,) * 4,
                       'equidistant')
    camera = Camera(wide, 400, 400, rectified=False)
    back = np.array([np.sin(1.9), 0.0, np.cos(1.9)])
    np.testing.assert_allclose(camera.project(back), [390.0, 200.0])
    np.testing.assert_allclose(camera.rays()[200, 390], back, atol=1e-9)


def test_pixels_that_the_lens_cannot_reach_have_no_ray():
    # Directions beyond 0.577 of the focal length would fold back into the image.
    folding = Calibration(320, 240, (100.0, 0, 160, 0, 100.0, 120, 0, 0, 1), (-1.0, 0, 0, 0))
    camera = Camera(folding, 320, 240, rectified=False)
    rays = camera.rays()
    assert np.isfinite(rays[120, 160 + 38]).all() and np.isnan(rays[120, 160 + 40]).all()
    assert np.isnan(camera.project(np.array([[1.0, 0, 1], [0, 0, -1]]))).all()


@pytest.mark.parametrize('rectified', [True, False])
def test_scaled_binned_and_cropped_images_keep_their_rays(rectified):
    whole = Camera(pinhole(320, 240, 300.0), 320, 240, rectified).rays()
    half = Camera(pinhole(320, 240, 300.0), 160, 120, rectified)
    np.testing.assert_allclose(half.rays()[30, 40], whole[60, 80])
    binned = Camera(pinhole(320, 240, 300.0, binning=(2, 2)), 160, 120, rectified)
    np.testing.assert_allclose(binned.rays(), half.rays())
    part = Camera(pinhole(320, 240, 300.0, roi=(40, 20, 200, 100)), 200, 100, rectified)
    np.testing.assert_allclose(part.rays(), whole[20:120, 40:240])
    both = Camera(pinhole(320, 240, 300.0, roi=(40, 20, 200, 100), binning=(2, 2)), 100, 50,
                  rectified)
    np.testing.assert_allclose(both.rays(), whole[20:120:2, 40:240:2])


def test_a_size_rounded_to_whole_pixels_is_accepted():
    Camera(pinhole(1241, 376), 640, 194, rectified=True)
    Camera(pinhole(641, 361, binning=(2, 2)), 320, 180, rectified=True)


NAN = float('nan')


@pytest.mark.parametrize('more, message', [
    ({'k': (0.0,) * 9}, 'not calibrated'),
    ({'k': (300.0, 0, NAN, 0, 300, 120, 0, 0, 1)}, 'K is .*finite'),
    ({'k': (300.0, 0, 160)}, '9 finite numbers'),
    ({'k': (-300.0, 0, 160, 0, 300, 120, 0, 0, 1)}, 'no camera matrix'),
    ({'k': (1e-310, 0, 160, 0, 300, 120, 0, 0, 1)}, 'no camera matrix'),
    ({'k': (300.0, 300, 160, 300, 300, 120, 0, 0, 1)}, 'no camera matrix'),
    ({'k': (300.0, 0, 1e300, 0, 300, 120, 0, 0, 1)}, 'no camera matrix'),
    ({'d': (0.1, NAN, 0, 0, 0)}, 'D is .*finite'),
    ({'d': (0.1, 0.2, 0.3)}, '3 coefficients'),
    ({'d': (0.1,) * 14, 'distortion_model': 'rational_polynomial'}, 'tilts the sensor'),
    ({'d': (0.1,) * 4, 'distortion_model': 'mirror'}, "unknown distortion_model 'mirror'"),
    ({'r': (2.0, 0, 0, 0, 1, 0, 0, 0, 1)}, 'no rotation'),
    ({'width': 0}, 'a size is zero'),
    ({'roi': (300, 0, 100, 100)}, 'leaves the 320x240 sensor'),
    ({'width': 320, 'height': 320}, 'another aspect ratio'),
])
def test_invalid_calibrations_are_rejected(more, message):
    with pytest.raises(BadInput, match=message):
        Camera(pinhole(**{'width': 320, 'height': 240, **more}), 320, 240, rectified=False)


def test_a_rectified_image_needs_p():
    with pytest.raises(BadInput, match=r'P\[0\] is 0'):
        Camera(pinhole(320, 240, p=(0.0,) * 12), 320, 240, rectified=True)


def test_a_rotation_of_zeros_means_no_rotation():
    camera = Camera(pinhole(320, 240, r=(0.0,) * 9), 320, 240, rectified=False)
    rectified = Camera(pinhole(320, 240), 320, 240, rectified=True)
    np.testing.assert_allclose(camera.rays(), rectified.rays())


def test_images_with_too_many_pixels_are_rejected():
    with pytest.raises(BadInput, match='2560x1920 pixels, more than 4,200,000; set output.size'):
        Camera(pinhole(2560, 1920), 2560, 1920, rectified=True)
