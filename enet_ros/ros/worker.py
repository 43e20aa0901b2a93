"""A thread that always works on the newest item."""

import threading


class NewestWorker:
    """Hands the newest item to a function in a thread of its own; older ones are dropped.

    `handle` must not raise. There is at most one item waiting.
    """

    def __init__(self, handle):
        self.handle = handle
        self._waiting = None
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name='segmentation', daemon=True)
        self._thread.start()

    def put(self, item):
        """Leave an item for the thread; return whether one that waited was dropped for it."""
        with self._changed:
            dropped = self._waiting is not None
            self._waiting = item
            self._changed.notify()
        return dropped

    def stop(self):
        """Finish the item at hand, drop one that waits, and end the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._waiting is not None)
                if self._stopped:
                    return
                item, self._waiting = self._waiting, None
            self.handle(item)
