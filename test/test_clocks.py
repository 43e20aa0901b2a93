"""Clocks that jump, and stamps from other clocks."""

import pytest

from enet_ros.latency.clocks import FrameAges, MonotonicClock


@pytest.mark.parametrize('age', [-0.9, -0.02, 0.0, 0.3, 9.9])
def test_ages_follow_stamps(age):
    ages = FrameAges(pytest.fail, '')
    assert ages.on_arrival(1000.0 - age, 1000.0) == pytest.approx(1e3 * age)
    assert not ages.mismatch


@pytest.mark.parametrize('off, words', [(-60, '60 s behind'), (1.1, '1 s ahead'),
                                        (1e9, '1000000000 s ahead')])
def test_ages_count_from_arrival_with_stamps_from_another_clock(off, words):
    warnings = []
    ages = FrameAges(warnings.append, 'correct them')
    measured = []
    for second in range(5):
        measured.append(ages.on_arrival(2e9 + second + off, 2e9 + second))
        assert words in ages.mismatch
    assert measured == pytest.approx([1e3 * abs(off)] * 2 + [0] * 3)
    assert len(warnings) == 1 and words in warnings[0] and warnings[0].endswith('; correct them')


def test_images_from_before_a_jump_are_old_by_its_size():
    ages = FrameAges(pytest.fail, '')
    offsets = [0, 0, 3600, 0, -3600, 0]
    measured = [ages.on_arrival(5000.0 + step, 5000.05 + step + offset)
                for step, offset in enumerate(offsets)]
    assert measured == pytest.approx([50, 50, 3600050, 50, 3599950, 50])
    assert not ages.mismatch


def test_a_monotonic_clock_never_goes_back():
    times = iter([10.0, 11.0, 4.0, 4.5, 100.0])
    clock = MonotonicClock(lambda: next(times))
    assert [clock() for _ in range(4)] == [1.0, 8.0, 8.5, 104.0]
