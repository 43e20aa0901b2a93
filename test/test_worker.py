"""The worker takes the newest item and ends when told to."""

import threading

from enet_ros.ros.worker import NewestWorker

PATIENCE = 20.0  # seconds


def test_the_newest_item_is_handled_and_older_ones_are_dropped():
    handled, started, go_on = [], threading.Event(), threading.Event()

    def handle(item):
        handled.append(item)
        started.set()
        assert go_on.wait(PATIENCE)

    worker = NewestWorker(handle)
    assert not worker.put('first')
    assert started.wait(PATIENCE)
    assert [worker.put(item) for item in ('second', 'third', 'fourth')] == [False, True, True]
    started.clear()
    go_on.set()
    assert started.wait(PATIENCE)
    worker.stop()
    assert handled == ['first', 'fourth']


def test_stop_finishes_the_item_at_hand_and_drops_the_next():
    handled, started, go_on = [], threading.Event(), threading.Event()

    def handle(item):
        started.set()
        assert go_on.wait(PATIENCE)
        handled.append(item)

    worker = NewestWorker(handle)
    worker.put('at hand')
    assert started.wait(PATIENCE)
    worker.put('waiting')
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    while not worker._stopped:  # the order is given before the item is done
        stopping.join(0.01)
    go_on.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert handled == ['at hand']
    assert not [thread for thread in threading.enumerate() if thread is worker._thread]
