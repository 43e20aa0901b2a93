"""Messages of several topics grouped by their stamps."""

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from enet_ros.ros.stamp_synchronizer import MAX_WAITING, StampSynchronizer


def message(stamp):
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=5)))


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
