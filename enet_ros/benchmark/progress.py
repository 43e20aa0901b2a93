"""What is under way, for people who wait."""

import sys
import time

PAUSE_S = 10


class Progress:
    """Tells on stderr what is under way and for how long.

    Stages are lines that stay. Steps are one line that changes on a terminal; elsewhere one is
    told when nothing was for PAUSE_S seconds.
    """

    def __init__(self, stream=None, clock=time.monotonic):
        self.stream, self.clock = stream or sys.stderr, clock
        self.start = self.told = clock()
        self.step_stands = False

    def stage(self, text):
        self._tell(text, '\n')

    def step(self, text):
        if self.stream.isatty():
            self._tell(text, '')
        elif self.clock() - self.told >= PAUSE_S:
            self._tell(text, '\n')

    def _tell(self, text, end):
        self.told = self.clock()
        minutes, seconds = divmod(int(self.told - self.start), 60)
        clear = '\r\033[K' if self.step_stands else ''
        print(f'{clear}{minutes:2}:{seconds:02} {text}', end=end, file=self.stream, flush=True)
        self.step_stands = not end
