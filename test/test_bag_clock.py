"""The segmentation node at the clock of a bag that plays, pauses and starts again."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('rosbags', reason='needs rosbags')

from camera import result_of
from enet_ros.msg import FrameTiming
from nodes import CAMERA
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import Reader, Writer
from rosbags.typesys import Stores, get_typestore
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from enet_ros.ros.convert import array_to_image

NODE = '/segmentation_node'
LABEL, TIMING = f'{NODE}/label', f'{NODE}/timing'
MS, SECOND = 10**6, 10**9  # nanoseconds
START = 1_700_000_000 * SECOND
LENGTH, PERIOD = 15 * SECOND, 100 * MS  # longer than the offset at which clocks differ
DELAY, LONG_DELAY = 20 * MS, 2 * SECOND  # from the stamp until the message was recorded
DELAYED = 50  # number of the one image with the long delay
CLOCK_PERIOD = 25 * MS  # that of ros2 bag play --clock


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Return the path of a recording of a camera."""
    path = tmp_path_factory.mktemp('bag') / 'camera'
    pixels = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
    with Writer(path, version=9) as writer:
        connection = writer.add_connection('/image', 'sensor_msgs/msg/Image',
                                           typestore=get_typestore(Stores.ROS2_HUMBLE))
        recorded = []
        for number in range(LENGTH // PERIOD):
            stamp = START + number * PERIOD
            header = Header(frame_id='front_optical')
            header.stamp.sec, header.stamp.nanosec = divmod(stamp, SECOND)
            delay = LONG_DELAY if number == DELAYED else DELAY
            recorded.append((stamp + delay, array_to_image(pixels, 'rgb8', header)))
        for time, message in sorted(recorded, key=lambda each: each[0]):
            writer.write(connection, time, serialize_message(message))
    return path


class Player:
    """Plays a bag as `ros2 bag play --clock` does, in steps of the clock.

    now: the time in the bag, nanoseconds. ages: of each label on arrival, milliseconds of the
    bag's time.
    """

    def __init__(self, probe, bag):
        self.probe = probe
        self.clock = probe.node.create_publisher(Clock, '/clock', CAMERA)
        self.images = probe.node.create_publisher(Image, '/image', CAMERA)
        with Reader(bag) as reader:
            self.messages = [(time, bytes(data)) for _, time, data in reader.messages()]
        self.seek(START)

    def seek(self, time):
        self.now = time

    def publish_clock(self):
        """Publish the time, as the player does also while it is paused."""
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(self.now, SECOND)
        self.clock.publish(message)

    def step(self):
        """Advance by one period of the clock."""
        before, self.now = self.now, self.now + CLOCK_PERIOD
        self.publish_clock()
        self.probe.spin(0.02)
        for time, data in self.messages:
            if before < time <= self.now:
                self.images.publish(data)
        self.probe.spin(0.005)

    def play_until(self, condition, what):
        """Play until `condition()` is true and return what it returned."""
        def result():
            if not condition():
                self.step()
            return condition()
        return self.probe.wait(result, what)


def stamp(message):
    return message.header.stamp.sec * SECOND + message.header.stamp.nanosec


def is_of_bag(message):
    number, remainder = divmod(stamp(message) - START, PERIOD)
    return not remainder and 0 <= number < LENGTH // PERIOD


@pytest.fixture
def node(start, probe):
    """Return the active node; its labels and timings are subscribed."""
    process = start({'use_sim_time': True, 'latency.budget_ms': 1000.0})
    probe.subscribe(Image, LABEL, 100)
    probe.subscribe(FrameTiming, TIMING, 100)
    probe.bring_up(NODE)
    return process


@pytest.fixture
def player(node, probe, bag):
    """Return a player of the bag to which the node subscribes."""
    player = Player(probe, bag)
    for publisher in (player.clock, player.images):
        probe.wait(publisher.get_subscription_count, 'the node to subscribe')
    return player


def received(probe, topic, count=3):
    """Return a condition: a topic has received enough messages; its result is these messages."""
    return lambda: len(probe.received[topic]) >= count and probe.received[topic]


def test_labels_have_the_stamps_of_the_bag(player, probe, node):
    labels = player.play_until(received(probe, LABEL), 'labels')
    assert all(map(is_of_bag, labels))
    for timing in probe.received[TIMING]:
        assert abs(timing.age_on_arrival_ms) < 1000 and timing.within_budget
    assert any(timing.age_on_arrival_ms for timing in probe.received[TIMING])
    assert 'count from arrival' not in node.output()


def test_the_budget_counts_the_time_of_the_bag(player, probe):
    delayed = START + DELAYED * PERIOD
    player.seek(delayed + LONG_DELAY - 3 * PERIOD)

    def timing_of_delayed():
        return next((timing for timing in probe.received[TIMING] if stamp(timing) == delayed),
                    None)

    timing = player.play_until(lambda: timing_of_delayed() or player.now > START + LENGTH,
                               'the delayed image')
    assert timing.drop_reason in ('late', 'too old on arrival') and timing.age_ms > 1900
    assert not result_of(probe, LABEL, timing)
    player.play_until(lambda: stamp(probe.received[LABEL][-1]) > player.now - 5 * PERIOD, 'labels')


def test_a_pause_does_not_count(player, probe):
    player.play_until(received(probe, LABEL), 'labels')
    sent = player.now
    player.play_until(lambda: player.now - sent > PERIOD, 'another image')
    for _ in range(20):  # longer than the budget
        player.publish_clock()
        probe.spin(0.1)
    newest = probe.received[LABEL][-1]
    timing = result_of(probe, TIMING, newest)
    assert timing.age_ms <= (player.now - stamp(newest)) / MS
    del probe.received[LABEL][:], probe.received[TIMING][:]
    labels = player.play_until(received(probe, LABEL), 'labels after the pause')
    assert all(stamp(label) > stamp(newest) for label in labels)
    assert all(timing.within_budget for timing in probe.received[TIMING])


def test_a_bag_that_starts_again(player, probe, node):
    for start in (START + LENGTH - SECOND, START, START + LENGTH - SECOND, START):
        player.seek(start)
        player.publish_clock()
        probe.spin(0.5)  # until the images on their way have arrived
        del probe.received[LABEL][:], probe.received[TIMING][:]
        labels = player.play_until(received(probe, LABEL), 'labels')
        assert all(start <= stamp(label) <= player.now for label in labels)
        assert all(timing.within_budget for timing in probe.received[TIMING])
    assert 'count from arrival' not in node.output()
