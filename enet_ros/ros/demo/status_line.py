"""The line that shows how far the demo is."""

import sys
from typing import TextIO


class StatusLine:
    """One line that is rewritten on a terminal; elsewhere a line for each step."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()

    def step(self, text: str) -> None:
        """Show that a step begins."""
        self._write(text, '' if self.is_terminal else '\n')

    def update(self, text: str) -> None:
        """Show progress within a step, on a terminal only."""
        if self.is_terminal:
            self._write(text, '')

    def clear(self) -> None:
        """Erase the line on a terminal."""
        if self.is_terminal:
            self._write('', '')

    def _write(self, text: str, end: str) -> None:
        self.stream.write(f'\r\033[K{text}' if self.is_terminal else f'{text}{end}')
        self.stream.flush()
