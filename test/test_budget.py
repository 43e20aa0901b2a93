"""What is worth the work and what may leave, with a clock that the test turns."""

import math

import pytest

from enet_ros.latency.admission import LATE, NO_TIME, TOO_OLD, AdmissionControl
from enet_ros.timing import RollingWindow


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def budget(clock):
    return AdmissionControl(clock)


def work(budget, clock, milliseconds, frames=10):
    """Let frames take so long each."""
    for _ in range(frames):
        clock.now += milliseconds / 1e3
        budget.worked(milliseconds)


def test_recent_values_with_a_clock_are_forgotten(clock):
    recent = RollingWindow(clock=clock)
    assert math.isnan(recent.percentiles(50)[0]) and recent.expected(50) == 0
    recent.add(10.0)
    clock.now += 1.9
    recent.add(20.0)
    assert recent.percentiles(0, 50, 100) == [10, 15, 20]
    clock.now += 0.2
    assert recent.percentiles(0, 100) == [20, 20]
    clock.now += 5
    assert recent.expected(95) == 0


def test_without_limits_nothing_is_dropped(budget, clock):
    work(budget, clock, 1000)
    for age in (-1e9, 0.0, 1e9):
        assert budget.on_arrival(age, 0) == budget.before_work(age, 0) == ''
        assert budget.before_leaving(age, 0) == ''


@pytest.mark.parametrize('age, reason', [(-5, ''), (100, ''), (100.1, TOO_OLD)])
def test_age_on_arrival(budget, age, reason):
    assert budget.on_arrival(age, 100) == reason


def test_work_that_would_end_late_is_not_begun(budget, clock):
    assert budget.before_work(49, 50) == '', 'nothing is known yet'
    work(budget, clock, 30)
    assert budget.before_work(20, 50) == ''
    assert budget.before_work(20.1, 50) == NO_TIME
    budget.left(4.0)
    assert budget.before_work(16, 50) == ''
    assert budget.before_work(16.1, 50) == NO_TIME


def test_a_few_slow_frames_do_not_stop_the_others(budget, clock):
    work(budget, clock, 30)
    work(budget, clock, 300, frames=2)
    assert budget.before_work(19, 50) == ''


@pytest.mark.parametrize('seconds', [0.0, 60.0])
def test_a_hiccup_of_the_first_frame_does_not_stop_the_next(budget, clock, seconds):
    for milliseconds in (300, 30, 30):
        work(budget, clock, milliseconds, frames=1)
        clock.now += 0.1
        assert budget.before_work(19, 50) == ''
    clock.now += seconds
    budget.before_work(0, 50)
    assert budget.before_work(21, 50) == NO_TIME, 'the newest three are known'


def test_what_would_leave_late_is_withheld(budget):
    assert budget.before_leaving(50, 50) == ''
    assert budget.before_leaving(50.01, 50) == LATE
    for _ in range(20):
        budget.left(2.0)
    assert budget.before_leaving(48, 50) == ''
    assert budget.before_leaving(48.1, 50) == LATE


def test_a_frame_that_is_late_already_is_not_tried(budget):
    assert budget.before_work(50.1, 50) == '', 'one a second'
    assert budget.before_work(50.1, 50) == NO_TIME


@pytest.mark.parametrize('before', [0, 1, 10])
def test_a_hiccup_in_leaving_does_not_withhold_the_next(budget, before):
    for milliseconds in [1.0] * before + [60.0]:
        budget.left(milliseconds)
    assert budget.before_leaving(48, 50) == ''
    budget.left(60.0)
    assert budget.before_leaving(48, 50) == LATE


def test_one_frame_a_second_is_tried_where_all_would_be_dropped(budget, clock):
    work(budget, clock, 80)
    tried = []
    for _ in range(300):  # 10 s
        clock.now += 1 / 30
        if not budget.before_work(0, 50):
            clock.now += 0.08
            budget.worked(80)
            tried.append(clock.now)
    between = [later - sooner for sooner, later in zip(tried, tried[1:])]
    assert len(tried) >= 8
    assert all(1.0 < seconds < 1.2 for seconds in between)


def test_the_tries_tell_when_it_is_over(budget, clock):
    work(budget, clock, 80)
    end = clock.now + 4
    verdicts = []
    while clock.now < end:
        clock.now += 1 / 30
        verdicts.append(budget.before_work(0, 50))
        if not verdicts[-1]:
            budget.worked(20)  # fast again
    assert verdicts[0] == NO_TIME
    assert not any(verdicts[-30:])


def test_a_camera_without_frames_starts_anew(budget, clock):
    work(budget, clock, 80)
    assert budget.before_work(0, 50) == NO_TIME
    clock.now += 60
    assert budget.before_work(0, 50) == ''


def test_forget(budget, clock):
    work(budget, clock, 80)
    budget.forget()
    assert budget.before_work(49, 50) == ''
