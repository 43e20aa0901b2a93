"""Compilers that keep a machine busy."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rig import DemoFailure

SOURCE = Path(__file__).parent.parent / 'enet_ros/native/variant.cpp'
FLAGS = '-std=c++20', '-O2', '-DENET_ELEMENT=float', '-DENET_VARIANT=baseline'
LOOP = 'while "$@"; do :; done'


@contextmanager
def compilers(count: int) -> Iterator[list['subprocess.Popen[bytes]']]:
    """Keep processes compiling the native engine, over and over; yield them.

    Raise DemoFailure if there is no compiler, or if one has failed meanwhile.
    """
    compiler = shutil.which('c++')
    if count and not compiler:
        raise DemoFailure('there is no compiler c++; install g++, or use --compilers 0')
    command = ['sh', '-c', LOOP, 'compile', str(compiler), *FLAGS, '-c', str(SOURCE),
               '-o', '/dev/null']
    # Each in a session of its own, so that its group holds the shell and what it starts.
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
                 for _ in range(count)]
    try:
        yield processes
        if any(process.poll() is not None for process in processes):
            raise DemoFailure(f'a compiler ended; see {" ".join(command[4:])}')
    finally:
        for process in processes:
            with suppress(ProcessLookupError):  # all of the group have ended
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
