"""Messages put together by their stamps."""

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from enet_ros.ros.stamp_pairs import KEPT, StampPairs


def message(stamp):
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=5)))


@pytest.fixture
def pairs():
    lost = []
    pairs = StampPairs(['label', 'info'], lambda messages, overtaken: lost.append(
        (set(messages), overtaken)))
    return pairs, lost


def test_the_order_does_not_matter(pairs):
    pairs, lost = pairs
    for stamp, topics in enumerate((('label', 'info'), ('info', 'label'))):
        first, second = message(stamp), message(stamp)
        assert pairs.add(topics[0], first) is None
        assert pairs.add(topics[1], second) == dict(zip(topics, (first, second)))
    assert not lost


def test_what_is_overtaken_is_given_up(pairs):
    pairs, lost = pairs
    pairs.add('label', message(1))
    pairs.add('info', message(3))
    pairs.add('label', message(2))
    assert pairs.add('info', message(2))
    assert lost == [({'label'}, True), ({'info'}, True)]
    assert pairs.add('info', message(1)) is None, 'its label was given up'


def test_a_clock_that_goes_back_is_followed(pairs):
    pairs, lost = pairs
    for stamp in (100, 5):
        pairs.add('label', message(stamp))
        assert pairs.add('info', message(stamp))
    assert not lost


def test_no_more_wait_than_are_kept(pairs):
    pairs, lost = pairs
    for stamp in range(KEPT + 3):
        pairs.add('label', message(stamp))
    assert lost == [({'label'}, False)] * 3
