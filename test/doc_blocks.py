"""The code blocks of the documentation: found, and run as a reader would."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from enet_ros import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'SECURITY.md',
         *sorted((ROOT / 'docs').glob('[a-z]*.md')), *sorted((ROOT / 'docs').glob('*/[a-z]*.md'))]
LANGUAGES = 'sh', 'python', 'yaml', 'text', 'bibtex', '{eval-rst}'
FENCE = re.compile(r'^(?:<!-- (not run|file): ([^\n]+) -->\n)?```(\S*)\n(.*?)^```$', re.S | re.M)
TIMEOUT = 120.0  # seconds; far more than a command takes on a busy machine
# Options that make commands fast. They follow those of the documentation, and the last one counts.
SMALL_NETWORK = ['--width', '64', '--height', '48']
FASTER = {
    'enet train': ['--device', 'cpu', '--no-compile', '--encoder-epochs', '0', '--epochs', '8',
                   '--batch-size', '4', '--crop', '32', '--synthetic-frames', '1',
                   '--scored-streets', '1'],
    'enet evaluate': ['--engine', 'torch', *SMALL_NETWORK],
    'enet calibrate': ['--engine', 'torch', *SMALL_NETWORK],
    'enet segment': ['--engine', 'torch', *SMALL_NETWORK],
    'enet export': SMALL_NETWORK,
    'enet tune': SMALL_NETWORK,
}


class Block(NamedTuple):
    """A code block.

    line: its number in the page. file: name of the file that readers write it to, or ''. not_run:
    why the tests do not run it, or ''.
    """

    page: Path
    line: int
    language: str
    text: str
    file: str
    not_run: str

    @property
    def place(self):
        return f'{page_name(self.page)}:{self.line}'

    @property
    def is_run(self):
        return self.language in ('sh', 'python') and not self.not_run

    def commands(self):
        """Return the words of each command line, without comments."""
        lines = self.text.replace('\\\n', ' ').splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def page_name(page):
    return str(page.relative_to(ROOT))


def blocks(page):
    """Return the code blocks of a page."""
    text = page.read_text()
    found = []
    for match in FENCE.finditer(text):
        mark, value, language, content = match.groups()
        found.append(Block(page, text.count('\n', 0, match.start(3)) + 1, language, content,
                           value if mark == 'file' else '', value if mark == 'not run' else ''))
    return found


def run_page(page, in_shell=False):
    """Write the files of a page into the current folder and run its commands there, in order.

    in_shell: run blocks of commands unchanged, as processes.
    """
    write_files(page, Path())
    for block in blocks(page):
        if not block.is_run:
            continue
        if block.language == 'python':
            _run_process(block.place, [sys.executable, '-c', block.text])
        elif in_shell:
            _run_process(block.place, ['bash', '-euc', block.text])
        else:
            for words in block.commands():
                _run_command(f'{block.place}: {shlex.join(words)}', words)


def write_files(page, folder):
    """Write the files of a page into a folder."""
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text)


def _run_command(title, words):
    if words[0] == 'enet':
        words = [*words[1:], *FASTER.get(' '.join(words[:2]), [])]
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            code = cli.main(words)
        assert code == 0, f'{title}: {errors.getvalue()}'
    else:
        raise AssertionError(f'{title}: no test runs {words[0]!r}; write <!-- not run: REASON --> '
                             'above the block')


def _run_process(title, command):
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))})
    assert result.returncode == 0, f'{title}: {result.stdout}{result.stderr}'
