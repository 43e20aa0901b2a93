"""Messages of several topics grouped by their stamps."""

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from enet_ros.ros.stamp_synchronizer import (
    MAX_WAITING,
    NearestStampSynchronizer,
    StampSynchronizer,
)


def message(stamp, milliseconds=0):
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(
        sec=stamp, nanosec=5 + 10**6 * milliseconds)))


@pytest.fixture
def incomplete():
    """Return the list of (topics, overtaken) that the synchronizer has discarded."""
    return []


@pytest.fixture
def synchronizer(incomplete):
    return StampSynchronizer(['label', 'info'], lambda messages, overtaken: incomplete.append(
        (set(messages), overtaken)))


def test_the_order_of_the_topics_does_not_matter(synchronizer, incomplete):
    for stamp, topics in enumerate((('label', 'info'), ('info', 'label'))):
        first, second = message(stamp), message(stamp)
        assert synchronizer.add(topics[0], first) is None
        assert synchronizer.add(topics[1], second) == dict(zip(topics, (first, second)))
    assert not incomplete


def test_stamps_before_a_complete_one_are_discarded(synchronizer, incomplete):
    synchronizer.add('label', message(1))
    synchronizer.add('info', message(3))
    synchronizer.add('label', message(2))
    assert synchronizer.add('info', message(2))
    assert incomplete == [({'label'}, True), ({'info'}, True)]
    assert synchronizer.add('info', message(1)) is None, 'its label was given up'


def test_a_clock_that_goes_back_is_followed(synchronizer, incomplete):
    for stamp in (100, 5):
        synchronizer.add('label', message(stamp))
        assert synchronizer.add('info', message(stamp))
    assert not incomplete


def test_the_oldest_of_too_many_stamps_are_discarded(synchronizer, incomplete):
    for stamp in range(MAX_WAITING + 3):
        synchronizer.add('label', message(stamp))
    assert incomplete == [({'label'}, False)] * 3


@pytest.fixture
def nearest(incomplete):
    """Return a function that makes a NearestStampSynchronizer."""
    return lambda limit: NearestStampSynchronizer(
        'label', ['depth'], limit, lambda messages, overtaken: incomplete.append(
            (set(messages), overtaken)))


def test_the_message_of_the_nearest_stamp_is_taken(nearest, incomplete):
    synchronizer = nearest(20)
    depths = [message(1, offset) for offset in (0, 33, 66, 99)]
    for depth in depths:
        assert synchronizer.add('depth', depth) is None
    label = message(1, 60)
    assert synchronizer.add('label', label) == {'label': label, 'depth': depths[2]}
    assert not incomplete


def test_messages_that_are_too_far_away_are_not_taken(nearest):
    synchronizer = nearest(20)
    synchronizer.add('depth', message(1, 0))
    assert synchronizer.add('label', message(1, 21)) is None
    assert synchronizer.add('depth', message(1, 41)), 'it is 20 ms away'


def test_a_limit_of_zero_takes_equal_stamps_only(nearest):
    synchronizer = nearest(0)
    synchronizer.add('depth', message(1, 1))
    assert synchronizer.add('label', message(1)) is None
    assert synchronizer.add('depth', message(1))


def test_labels_before_a_complete_one_are_discarded(nearest, incomplete):
    synchronizer = nearest(20)
    for stamp in (1, 2, 3):
        synchronizer.add('label', message(stamp))
    assert synchronizer.add('depth', message(2))
    assert incomplete == [({'label'}, True)]
    assert synchronizer.add('depth', message(3)), 'it was still waiting'


def test_the_oldest_of_too_many_labels_are_discarded(nearest, incomplete):
    synchronizer = nearest(20)
    for stamp in range(MAX_WAITING + 3):
        synchronizer.add('label', message(stamp))
    assert incomplete == [({'label'}, False)] * 3
