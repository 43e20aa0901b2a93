"""The choice of the network size under load, with simulated cameras and a simulated engine."""

import random

import pytest

from enet_ros.latency.admission import AdmissionControl
from enet_ros.latency.size_policy import SizePolicy

SIZES = [(640, 360), (480, 270), (320, 180), (160, 90)]
COSTS = [24.0, 14.0, 7.0, 2.0]  # milliseconds of the network on an idle machine
TRANSPORT, OTHER_WORK, PUBLISHING = 3.0, 3.0, 0.3  # milliseconds in addition to the network


class Robot:
    """A worker that serves cameras in turn, newest frame each, as the node does."""

    def __init__(self, budget=50.0, rate=30.0, cameras=1, slowness=1.0, noise=0.05):
        self.now = 0.0
        self.budget, self.rate, self.slowness, self.noise = budget, rate, slowness, noise
        self.random = random.Random(5)
        self.policy = SizePolicy(SIZES, COSTS, self.clock, cameras)
        self.admissions = [AdmissionControl(self.clock) for _ in range(cameras)]
        self.newest = [-1] * cameras  # number of the newest frame served of each camera
        self.served = [0] * cameras  # turns
        self.inference = 0.0
        self.cold = 0.0  # milliseconds that the first frame at a new size takes longer
        self.changes, self.published = [], []  # (when, size), (camera, age)

    def clock(self):
        return self.now

    def run(self, seconds):
        end = self.now + seconds
        while self.now < end:
            newest = [int((self.now - self.arrival(camera, 0)) * self.rate)
                      for camera in range(len(self.newest))]
            ready = [camera for camera, frame in enumerate(newest) if frame > self.newest[camera]]
            if ready:
                camera = min(ready, key=self.served.__getitem__)
                self.newest[camera] = newest[camera]
                self.served[camera] = max(self.served) + 1
                self.serve(camera, self.stamp(camera, newest[camera]))
            else:
                self.now = 1e-6 + min(self.arrival(camera, frame + 1)
                                      for camera, frame in enumerate(self.newest))

    def arrival(self, camera, frame):
        return self.stamp(camera, frame) + TRANSPORT / 1e3

    def stamp(self, camera, frame):
        return (frame + camera / len(self.newest)) / self.rate

    def serve(self, camera, stamp):
        admission, before = self.admissions[camera], self.policy.size
        size = self.policy.choose(self.budget)
        if size != before:
            self.changes.append((self.now, size))
            for each in self.admissions:
                each.reset()
        age = 1e3 * (self.now - stamp)
        if admission.before_work(age, self.budget):
            self.policy.observe(age, admission.median_work(), self.inference)
            return
        self.inference = (COSTS[SIZES.index(size)] * self.slowness
                          * max(self.random.gauss(1, self.noise), 0.5)
                          + self.cold * (size != before))
        work = self.inference + OTHER_WORK
        self.now += work / 1e3
        admission.record_work(work)
        self.policy.observe(age, work, self.inference)
        age = 1e3 * (self.now - stamp)
        if not admission.before_publishing(age, self.budget):
            self.published.append((camera, age))
            self.now += PUBLISHING / 1e3
            admission.record_publishing(PUBLISHING)


@pytest.mark.parametrize('slowness, size', [
    (1.0, (640, 360)), (2.0, (480, 270)), (4.0, (320, 180)), (15.0, (160, 90)),
    (100.0, (160, 90))])
def test_settles_on_the_right_size_and_stays(slowness, size):
    robot = Robot(slowness=slowness)
    robot.run(2 + slowness * COSTS[0] / 1e3)  # the first frame may take long
    assert robot.policy.size == size
    before = len(robot.changes)
    robot.run(15)
    assert len(robot.changes) == before
    assert all(age <= 50 for _, age in robot.published)


@pytest.mark.parametrize('rate', [10, 15, 30, 60])
def test_follows_a_temporary_load(rate):
    robot = Robot(rate=rate, budget=60.0)
    robot.run(5)
    assert not robot.changes
    robot.slowness = 4.0
    robot.run(2)
    assert robot.policy.size == (320, 180)
    robot.run(8)
    assert robot.policy.size == (320, 180)
    robot.slowness = 1.0
    robot.run(2.5)
    assert robot.policy.size == (640, 360)
    assert len(robot.changes) <= 4, 'straight down, and up over one size between at most'
    assert all(age <= 60 for _, age in robot.published)


def test_overload_drops_but_never_lags():
    robot = Robot(slowness=100.0, budget=250.0)  # 203 ms at the smallest size
    robot.run(2)
    robot.published.clear()
    robot.run(10)
    assert robot.policy.size == SIZES[-1]
    assert len(robot.published) >= 30
    assert all(age <= 250 for _, age in robot.published)


@pytest.mark.parametrize('rate', [5, 9.5, 12])
def test_a_slow_first_frame_at_a_size_does_not_reject_it(rate):
    robot = Robot(rate=rate, budget=84.0, slowness=4.0)
    robot.cold = 300.0
    robot.run(15)
    assert [size for _, size in robot.changes] == [(480, 270)]
    assert len(robot.published) >= 12 * rate


def test_a_pause_of_the_camera_does_not_change_the_size():
    robot = Robot(slowness=1.5)  # as below
    robot.run(10)
    robot.now += 60
    robot.newest = [int(robot.now * robot.rate)]
    changes = len(robot.changes)
    robot.run(10)
    assert len(robot.changes) == changes


def test_a_size_that_cannot_keep_up_is_not_tried():
    # At 30 Hz, frames of 40 ms would wait for each other, although one alone would fit.
    robot = Robot(slowness=1.5)
    robot.run(30)
    assert robot.policy.size == (480, 270)
    assert len(robot.changes) == 1


def test_a_nearly_saturated_worker_tries_no_larger_size():
    robot = Robot(slowness=1.8, cameras=4, rate=15.0, noise=0.1)
    robot.run(2)
    assert robot.policy.size == (320, 180)
    robot.changes.clear()
    robot.run(25)
    assert not robot.changes


def test_single_slow_frames_do_not_change_the_size():
    robot = Robot(rate=15.0)
    for _ in range(10):
        robot.run(6)
        robot.slowness = 8.0
        robot.run(1 / 15)
        robot.slowness = 1.0
    assert not robot.changes


def test_failed_trials_become_rare():
    robot = Robot(slowness=2.0, rate=15.0)
    robot.run(3)
    robot.policy.costs = [15.0, 14.0, 7.0, 2.0]  # wrong: the largest seems cheap
    robot.run(200)
    trials = [when for when, size in robot.changes if size == SIZES[0]]
    assert 3 <= len(trials) <= 5
    between = [later - sooner for sooner, later in zip(trials, trials[1:])]
    assert all(b >= 1.8 * a for a, b in zip(between, between[1:]) if b < 300)


@pytest.mark.parametrize('cameras, size', [(1, (640, 360)), (4, (320, 180))])
def test_cameras_share_the_worker(cameras, size):
    robot = Robot(cameras=cameras, rate=15.0)
    robot.run(20)
    assert robot.policy.size == size
    shares = [sum(each == camera for each, _ in robot.published) for camera in range(cameras)]
    assert min(shares) > 0.8 * max(shares)


def test_frames_that_no_size_could_save_do_not_count():
    now = [0.0]
    policy = SizePolicy(SIZES, COSTS, lambda: now[0])
    for frame in range(200):
        now[0] += 1 / 60
        late = 500.0 if frame % 4 == 0 else 5.0  # one camera of four has a slow link
        policy.observe(late, 27.0, 24.0)
        assert policy.choose(50.0) == SIZES[0]


def test_follows_the_budget():
    robot = Robot()
    robot.run(3)
    robot.budget = 15.0
    robot.run(2)
    assert robot.policy.size == (320, 180)
    robot.budget = 50.0
    robot.run(2.5)
    assert robot.policy.size == (640, 360)
