"""Slow work in a thread, while the node's executor keeps running."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from rclpy.node import Node
from rclpy.task import Future

ResultT = TypeVar('ResultT')


class BackgroundTask(Generic[ResultT]):
    """Calls a function in a daemon thread.

    `future` gets its result or exception: `await` it in a callback with a callback group of its
    own, or call `wait`.
    """

    def __init__(self, node: Node, function: Callable[[], ResultT]) -> None:
        self.future = Future()
        self._node, self._function = node, function
        self._thread = threading.Thread(target=self._run, name='background task', daemon=True)
        self._thread.start()

    def wait(self) -> ResultT:
        """Return the result of the function, or raise its exception.

        Raise KeyboardInterrupt as soon as the node's context is shut down: the thread may be in
        a native call that nothing can interrupt.
        """
        while self._thread.is_alive():
            self._thread.join(0.05)
            if not self._node.context.ok():
                raise KeyboardInterrupt
        return self.future.result()

    def _run(self) -> None:
        try:
            self.future.set_result(self._function())
        except Exception as error:
            self.future.set_exception(error)
        # An executor looks at awaiting callbacks only when it is awake.
        if self._node.context.ok() and self._node.executor is not None:
            self._node.executor.wake()
