"""A status line on stderr."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

PAUSE_S = 10  # between the steps that are printed to a file


class StatusLine:
    """Print the current stage and step, each with the time since the start.

    Each stage is a line of its own. On a terminal, the current step is one line that changes;
    elsewhere, a step is printed if nothing was printed for PAUSE_S seconds.

    stream: where to print; the default is stderr.
    clock: returns seconds.
    """

    def __init__(self, stream: TextIO | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._start = self._last_printed = clock()
        self._line_is_open = False  # whether the last line is a step, to be overwritten

    def stage(self, text: str) -> None:
        self._print(text, '\n')

    def step(self, text: str) -> None:
        if self._stream.isatty():
            self._print(text, '')
        elif self._clock() - self._last_printed >= PAUSE_S:
            self._print(text, '\n')

    def _print(self, text: str, end: str) -> None:
        self._last_printed = self._clock()
        minutes, seconds = divmod(int(self._last_printed - self._start), 60)
        clear = '\r\033[K' if self._line_is_open else ''
        print(f'{clear}{minutes:2}:{seconds:02} {text}', end=end, file=self._stream, flush=True)
        self._line_is_open = not end
