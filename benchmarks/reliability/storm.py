"""A node under test: disturbed, observed, and counted."""

import random
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from diagnostic_msgs.msg import DiagnosticArray
from rig import RESPONSE_TIMEOUT, Rig

from enet_ros.ros.demo.waiting_node import DemoFailure


@dataclass
class Counts:
    """What became of one kind of disturbance.

    results, late: all, and those older than the budget. named, expected: causes that the
    diagnostics named, of those that they should name. recoveries: seconds.
    """

    refused: int = 0
    crashes: int = 0
    results: int = 0
    late: int = 0
    named: int = 0
    expected: int = 0
    recoveries: list[float] = field(default_factory=list)


class Storm(ABC):
    """Controls a node that receives the images of a camera, or their labels."""

    node: 'Popen[bytes]'

    def __init__(self, rig: Rig, name: str, seed: int) -> None:
        self.rig, self.name, self.random = rig, name, random.Random(seed)
        self.statuses: list[str] = []
        rig.create_subscription(DiagnosticArray, '/diagnostics', self._receive_status, 10)

    def _receive_status(self, array: DiagnosticArray) -> None:
        self.statuses += [status.message for status in array.status
                          if status.name.startswith(f'{self.name}:')]

    @abstractmethod
    def start_node(self) -> None:
        """Start the node, which activates itself."""

    @abstractmethod
    def has_result(self, start: float) -> Callable[[], bool]:
        """Return a condition: there is a result of an image sent after a time, seconds."""

    @abstractmethod
    def input_description(self) -> str:
        """Return what the node receives, for messages."""

    @abstractmethod
    def results(self) -> tuple[int, int]:
        """Return how many results there were, and how many of them were too old."""

    def restore(self) -> None:
        """Bring the node back to the state in which it started."""
        self.recovery()

    def recovery(self) -> float:
        """Wait for a result of an image that is sent from now on; return the seconds."""
        start = time.time()
        if not self.rig.wait(self.has_result(start), RESPONSE_TIMEOUT):
            raise DemoFailure(f'{self.name} has no result within {RESPONSE_TIMEOUT:.0f} s of the '
                              f'last event, of {self.input_description()}; '
                              f'diagnostics: {self.statuses[-1] if self.statuses else "none"}')
        return time.time() - start

    def restart_node(self) -> float:
        """Kill the node and start it again; return the seconds until its first result."""
        start = time.time()
        self.node.kill()
        self.node.wait()
        self.start_node()
        self.recovery()
        return time.time() - start

    def run(self, event: Callable[[Any, Counts], None], events: int) -> Counts:
        """Cause some events; return their counts."""
        counts, (known, known_late) = Counts(), self.results()
        for _ in range(events):
            try:
                event(self, counts)
            except DemoFailure:
                if self.node.poll() is None:
                    raise
                counts.crashes += 1
                self.restart_node()
        self.restore()
        number, late = self.results()
        counts.results, counts.late = number - known, late - known_late
        return counts
