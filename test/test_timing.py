"""The stage timer and the rolling window, with clocks that the tests advance."""

import math

from enet_ros.timing import RollingWindow, StageTimer


def test_a_stage_adds_up_its_durations():
    times = iter([1.0, 1.5, 2.0, 2.25, 3.0, 3.1])
    timer = StageTimer(lambda: next(times))
    for stage in ('inference', 'inference', 'publishing'):
        with timer.stage(stage):
            pass
    assert timer.milliseconds['inference'] == 750
    assert round(timer.milliseconds['publishing']) == 100


def test_a_stage_does_not_count_the_stages_inside_it():
    times = iter([1.0, 1.5, 2.0, 2.25, 3.0, 4.0])
    timer = StageTimer(lambda: next(times))
    with timer.stage('publishing'):  # from 1 to 4
        with timer.stage('postprocessing'):  # from 1.5 to 2
            pass
        with timer.stage('postprocessing'):  # from 2.25 to 3
            pass
    assert timer.milliseconds == {'postprocessing': 1250, 'publishing': 1750}


def test_a_window_with_a_clock_forgets_old_values():
    now = [100.0]
    window = RollingWindow(clock=lambda: now[0])
    assert math.isnan(window.percentiles(50)[0]) and window.percentile(50) == 0
    window.add(10.0)
    now[0] += 1.9
    window.add(20.0)
    assert window.percentiles(0, 50, 100) == [10, 15, 20]
    now[0] += 0.2
    assert window.percentiles(0, 100) == [20, 20]
    now[0] += 5
    assert window.percentile(95) == 0


def test_a_window_keeps_the_newest_values():
    now = [0.0]
    window = RollingWindow(size=3, clock=lambda: now[0], min_kept=2)
    for value in (1.0, 2.0, 3.0, 4.0):
        window.add(value)
    assert window.values() == [2, 3, 4]
    now[0] = 60.0
    assert window.values() == [3, 4]


def test_a_window_without_a_clock_keeps_the_newest_values():
    window = RollingWindow(size=101)
    assert all(math.isnan(value) for value in window.percentiles(50, 99))
    for value in range(1000):
        window.add(value)
    assert window.percentiles(0, 50, 100) == [899, 949, 999]
