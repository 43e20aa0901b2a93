"""Statistics of a stream's frames, with a clock that the test advances."""

import math

import pytest

from enet_ros.ros.stream_statistics import StreamStatistics


@pytest.fixture
def now():
    return [50.0]


@pytest.fixture
def statistics(now):
    return StreamStatistics(lambda: now[0])


def test_counts_since_activation_and_rates_since_the_last_report(statistics, now):
    for _ in range(30):
        statistics.received()
    for _ in range(20):
        statistics.published()
    for reason in ['late'] * 6 + ['superseded'] * 4:
        statistics.dropped(reason)
    now[0] += 2
    counts = {'received': 30, 'published': 20, 'dropped: late': 6, 'dropped: superseded': 4}
    report = statistics.report()
    assert report.counts == counts and statistics.all_dropped == 10
    assert report.rates == {what: count / 2 for what, count in counts.items()}
    now[0] += 1
    statistics.received()
    report = statistics.report()
    assert report.counts == {**counts, 'received': 31}
    assert report.rates == {**dict.fromkeys(counts, 0.0), 'received': 1.0}


def test_percentiles_of_the_stages(statistics):
    for milliseconds in range(101):
        statistics.timed({'inference': milliseconds, 'total': 2 * milliseconds})
    assert statistics.report().stages == {'inference': [50, 95, 99], 'total': [100, 190, 198]}


def test_processors_used_during_recent_work(statistics, now):
    assert math.isnan(statistics.report().processors)
    for number in (0.1, 0.3, 5.0):
        statistics.used_processors(number)
    assert statistics.report().processors == 0.3
    now[0] += 3
    assert math.isnan(statistics.report().processors)


def test_silence_is_the_time_since_the_last_image(statistics, now):
    now[0] += 3
    assert statistics.report().silence == 3
    statistics.received()
    now[0] += 1
    assert statistics.report().silence == 1


def test_the_newest_error_is_kept_and_new_in_one_report(statistics):
    statistics.failed(ValueError('one\nline'))
    first, second = statistics.report(), statistics.report()
    assert first.error == second.error == 'one line'
    assert first.error_is_new and not second.error_is_new
    statistics.failed(KeyError())
    assert statistics.report().error == 'KeyError'


def test_warnings_stay_until_they_are_cleared(statistics):
    statistics.warn('clock', 'another clock')
    statistics.warn('camera_info', 'does not fit')
    for _ in range(2):
        assert statistics.report().warnings == ['another clock', 'does not fit']
    statistics.warn('clock')
    assert statistics.report().warnings == ['does not fit']


def test_a_restart_forgets_everything(statistics, now):
    statistics.received()
    statistics.failed(ValueError('bad'))
    statistics.warn('clock', 'another clock')
    statistics.timed({'inference': 1.0})
    now[0] += 5
    statistics.restart()
    report = statistics.report()
    assert (report.counts, report.rates, report.stages, report.silence) == ({}, {}, {}, 0.0)
    assert (report.warnings, report.error, report.error_is_new) == ([], '', False)
