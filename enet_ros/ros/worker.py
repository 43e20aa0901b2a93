"""A thread that always works on the newest item, of several cameras in turn."""

import threading


class FairWorker:
    """Hands the newest item of each camera to a function, in a thread of its own.

    At most one item of a camera waits: a newer one takes its place. Of the cameras that have
    one, that which was served longest ago is next. `handle(camera, item)` must not raise.
    """

    def __init__(self, handle):
        self.handle = handle
        self._waiting = {}  # {camera: item}
        self._served = {}  # {camera: number of the turn}
        self._turn = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name='segmentation', daemon=True)
        self._thread.start()

    def put(self, camera, item):
        """Leave a camera's item for the thread; return the one that it replaces, or None."""
        with self._changed:
            replaced = self._waiting.get(camera)
            self._waiting[camera] = item
            self._changed.notify()
        return replaced

    def stop(self):
        """Finish the item at hand, drop those that wait, and end the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._waiting)
                if self._stopped:
                    return
                self._turn += 1
                camera = min(self._waiting, key=lambda each: self._served.get(each, 0))
                self._served[camera] = self._turn
                item = self._waiting.pop(camera)
            self.handle(camera, item)
