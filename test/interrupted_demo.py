"""A demo that is interrupted by Ctrl-C, for tests of how it ends."""

import os
import signal
import subprocess

from nodes import TIMEOUT


def interrupt_demo(command, folder, words, model):
    """Send SIGINT to a demo once it prints some words; check that it ends its processes.

    model: a path by which its processes are recognized.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               cwd=folder)
    for line in process.stdout:
        if words in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert 'Traceback' not in errors
    lines = subprocess.run(['ps', '-eo', 'args'], capture_output=True, text=True).stdout
    assert not [line for line in lines.splitlines() if str(model) in line
                and str(os.getpid()) not in line]
