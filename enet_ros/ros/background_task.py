"""Slow work beside the executor."""

import threading

from rclpy.task import Future


class Background:
    """Does one slow thing at a time in a thread, while a node's executor goes on."""

    def __init__(self, node):
        self.node = node
        self._thread = None

    async def do(self, work):
        """Return what `work()` returns, or raise what it raises.

        The callback that awaits this needs a callback group of its own.
        """
        done = Future()

        def run():
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)
            if self.node.context.ok() and self.node.executor is not None:
                self.node.executor.wake()  # it looks at tasks when it is awake

        self._thread = threading.Thread(target=run, name='background', daemon=True)
        self._thread.start()
        return await done

    def join(self):
        """Wait for the end of what is being done."""
        if self._thread is not None:
            self._thread.join()
