"""The pitch error that the curbs indicate."""

import numpy as np
import pytest
from scenes import BOX, YARD, Block, pinhole, render_labels

from enet_ros.freespace.camera import Camera
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.pose import Pose

SIZE = 640, 360
CALIBRATION = pinhole(*SIZE, 480.0)
ONE_DEGREE = np.radians(1.0)


def road(x, y):
    return np.abs(y) > 2.5


def measured_error(error, pavement=road, blocks=(), roll=0.0, yaw=0.0, x=0.0):
    true = x, 0.3, 1.4, roll, 0.1, yaw
    camera = Camera(CALIBRATION, *SIZE, rectified=True)
    labels = render_labels(camera, Pose.from_angles(*true), blocks, pavement)
    given = Pose.from_angles(*true[:4], true[4] + error, yaw)
    space = FreeSpaceEstimator(CALIBRATION, given, SIZE, YARD)
    return space(labels).pitch_error


@pytest.mark.parametrize('error', [-1.5, -0.5, 0.0, 0.5, 1.5])
@pytest.mark.parametrize('yaw', [0.0, 0.1])
def test_curbs_give_the_pitch_error(error, yaw):
    found = measured_error(error * ONE_DEGREE, yaw=yaw, x=1.0)
    assert np.degrees(found) == pytest.approx(error, abs=0.15)


def test_obstacles_in_front_of_a_curb_do_not_change_the_pitch_error():
    parked = [Block((9, 13), (1.2, 2.5), (0, 1.4), BOX)]
    assert np.degrees(measured_error(ONE_DEGREE, blocks=parked)) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize('pavement', [None, lambda x, y: y > 2.5, lambda x, y: x > 5])
def test_there_is_no_pitch_error_without_two_curbs(pavement):
    assert np.isnan(measured_error(ONE_DEGREE, pavement))
