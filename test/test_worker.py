"""The worker thread: the newest item of each stream in turn, and its end."""

import threading
from collections import Counter
from queue import Queue

import pytest

from enet_ros.ros.worker import FairWorker

TIMEOUT = 20.0  # seconds


class Handler:
    """Records the items that it handles, each when the test allows it."""

    def __init__(self):
        self.handled = []
        self.started, self.allowed = Queue(), Queue()

    def __call__(self, camera, item):
        self.started.put((camera, item))
        self.allowed.get(timeout=TIMEOUT)
        self.handled.append((camera, item))

    def begun(self):
        """Wait until the next item is started and return it with its camera."""
        return self.started.get(timeout=TIMEOUT)

    def finish(self):
        """Allow the current item to finish."""
        self.allowed.put(None)


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def worker(handler):
    worker = FairWorker(handler)
    yield worker
    for _ in range(100):
        handler.finish()
    worker.stop()


def test_the_newest_item_is_handled_and_older_ones_are_returned(worker, handler):
    assert worker.put('front', 1) is None
    assert handler.begun() == ('front', 1)
    assert [worker.put('front', item) for item in (2, 3, 4)] == [None, 2, 3]
    handler.finish()
    assert handler.begun() == ('front', 4)
    assert handler.handled == [('front', 1)]


def test_cameras_take_turns_however_fast_they_send(worker, handler):
    cameras = ['front', 'left', 'rear']
    served = Counter()
    for camera in cameras:
        worker.put(camera, 0)
    for turn in range(30):
        served[handler.begun()[0]] += 1
        for camera in cameras:
            for _ in range(10 if camera == 'left' else 1):
                worker.put(camera, turn)
        handler.finish()
    assert set(served.values()) == {10}


def test_a_camera_served_longest_ago_is_next(worker, handler):
    worker.put('front', 0)
    for turn in range(3):
        handler.begun()
        worker.put('front', turn)
        if turn == 2:
            worker.put('rear', 'first')
        handler.finish()
    assert handler.begun() == ('rear', 'first')


def test_a_camera_alone_gets_every_turn(worker, handler):
    worker.put('front', 0)
    for turn in range(1, 5):
        assert handler.begun() == ('front', turn - 1)
        worker.put('front', turn)
        handler.finish()


def test_stop_finishes_the_current_item_and_discards_the_next(handler):
    worker = FairWorker(handler)
    worker.put('front', 'current')
    handler.begun()
    worker.put('front', 'waiting')
    worker.put('left', 'waiting')
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    while not worker._stopped:  # before the current item is done
        stopping.join(0.01)
    handler.finish()
    stopping.join(TIMEOUT)
    assert not stopping.is_alive()
    assert handler.handled == [('front', 'current')]
    assert worker._thread not in threading.enumerate()


def test_an_idle_worker_stops_at_once(handler):
    worker = FairWorker(handler)
    worker.stop()
    assert not worker._thread.is_alive()
