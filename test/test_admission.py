"""Admission control, with a clock that the test advances."""

import pytest

from enet_ros.latency.admission import LATE, NO_TIME, TOO_OLD, AdmissionControl


class Clock:
    """A clock that only the test advances."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def admission(clock):
    return AdmissionControl(clock)


def work(admission, clock, milliseconds, frames=10):
    """Record frames with these durations."""
    for _ in range(frames):
        clock.now += milliseconds / 1e3
        admission.record_work(milliseconds)


def test_without_limits_nothing_is_dropped(admission, clock):
    work(admission, clock, 1000)
    for age in (-1e9, 0.0, 1e9):
        assert admission.on_arrival(age, 0) == admission.before_work(age, 0) == ''
        assert admission.before_publishing(age, 0) == ''


@pytest.mark.parametrize('age, reason', [(-5, ''), (100, ''), (100.1, TOO_OLD)])
def test_age_on_arrival(admission, age, reason):
    assert admission.on_arrival(age, 100) == reason


def test_frames_that_would_be_late_are_not_processed(admission, clock):
    assert admission.before_work(49, 50) == '', 'no durations are known yet'
    work(admission, clock, 30)
    assert admission.before_work(20, 50) == ''
    assert admission.before_work(20.1, 50) == NO_TIME
    admission.record_publishing(4.0)
    assert admission.before_work(16, 50) == ''
    assert admission.before_work(16.1, 50) == NO_TIME


def test_frames_that_are_too_old_on_arrival_are_told_from_those_without_time(admission, clock):
    work(admission, clock, 30)
    assert admission.before_work(60, 50, age_on_arrival=49) == NO_TIME
    assert admission.before_work(60, 50, age_on_arrival=51) == TOO_OLD


def test_a_few_slow_frames_do_not_stop_the_others(admission, clock):
    work(admission, clock, 30)
    work(admission, clock, 300, frames=2)
    assert admission.before_work(19, 50) == ''


def test_after_a_very_long_first_frame_one_short_frame_is_enough(admission, clock):
    work(admission, clock, 5000, frames=1)
    assert admission.before_work(19, 50) == NO_TIME
    clock.now += 1.1
    assert admission.before_work(19, 50) == '', 'one a second is tried'
    work(admission, clock, 30, frames=1)
    assert admission.before_work(19, 50) == ''


@pytest.mark.parametrize('seconds', [0.0, 60.0])
def test_a_slow_first_frame_does_not_stop_the_next(admission, clock, seconds):
    for milliseconds in (300, 30, 30):
        work(admission, clock, milliseconds, frames=1)
        clock.now += 0.1
        assert admission.before_work(19, 50) == ''
    clock.now += seconds
    admission.before_work(0, 50)
    assert admission.before_work(21, 50) == NO_TIME, 'the newest three durations are kept'


def test_late_results_are_withheld(admission):
    assert admission.before_publishing(50, 50) == ''
    assert admission.before_publishing(50.01, 50) == LATE
    for _ in range(20):
        admission.record_publishing(2.0)
    assert admission.before_publishing(48, 50) == ''
    assert admission.before_publishing(48.1, 50) == LATE


def test_a_frame_that_is_already_late_is_dropped(admission):
    assert admission.before_work(50.1, 50) == '', 'one frame a second is tried'
    assert admission.before_work(50.1, 50) == NO_TIME


@pytest.mark.parametrize('before', [0, 1, 10])
def test_one_slow_publication_does_not_withhold_the_next_results(admission, before):
    for milliseconds in [1.0] * before + [60.0]:
        admission.record_publishing(milliseconds)
    assert admission.before_publishing(48, 50) == ''
    admission.record_publishing(60.0)
    assert admission.before_publishing(48, 50) == LATE


def test_one_frame_per_second_is_tried_under_overload(admission, clock):
    work(admission, clock, 80)
    tried = []
    for _ in range(300):  # 10 s
        clock.now += 1 / 30
        if not admission.before_work(0, 50):
            clock.now += 0.08
            admission.record_work(80)
            tried.append(clock.now)
    between = [later - sooner for sooner, later in zip(tried, tried[1:])]
    assert len(tried) >= 8
    assert all(1.0 < seconds < 1.2 for seconds in between)


def test_tried_frames_reveal_the_end_of_an_overload(admission, clock):
    work(admission, clock, 80)
    end = clock.now + 4
    verdicts = []
    while clock.now < end:
        clock.now += 1 / 30
        verdicts.append(admission.before_work(0, 50))
        if not verdicts[-1]:
            admission.record_work(20)  # the machine is fast again
    assert verdicts[0] == NO_TIME
    assert not any(verdicts[-30:])


def test_durations_expire_while_no_frames_arrive(admission, clock):
    work(admission, clock, 80)
    assert admission.before_work(0, 50) == NO_TIME
    clock.now += 60
    assert admission.before_work(0, 50) == ''


def test_reset_forgets_the_durations(admission, clock):
    work(admission, clock, 80)
    admission.reset()
    assert admission.before_work(49, 50) == ''
