"""A thread that processes the newest item of several streams in turn."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

StreamT = TypeVar('StreamT')
ItemT = TypeVar('ItemT')


class FairWorker(Generic[StreamT, ItemT]):
    """Calls a function with the newest item of each stream, in a thread of its own.

    At most one item of a stream waits: a newer one replaces it. Of the streams with a waiting
    item, the one served longest ago is next.

    handle: called with the stream and the item; must not raise.
    """

    def __init__(self, handle: Callable[[StreamT, ItemT], None]) -> None:
        self._handle = handle
        self._waiting: dict[StreamT, ItemT] = {}
        self._last_turn: dict[StreamT, int] = {}  # number of the turn that served it
        self._turn = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name='frame worker', daemon=True)
        self._thread.start()

    def put(self, stream: StreamT, item: ItemT) -> ItemT | None:
        """Leave a stream's item for the thread; return the one that it replaces, or None."""
        with self._changed:
            replaced = self._waiting.get(stream)
            self._waiting[stream] = item
            self._changed.notify()
        return replaced

    def stop(self) -> None:
        """Finish the current item, discard waiting ones and end the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._waiting)
                if self._stopped:
                    return
                self._turn += 1
                stream = min(self._waiting, key=lambda each: self._last_turn.get(each, 0))
                self._last_turn[stream] = self._turn
                item = self._waiting.pop(stream)
            self._handle(stream, item)
