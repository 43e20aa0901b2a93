"""Start-up time and memory of one candidate, measured in a process of its own.

`measure_startup` runs this file as a program, which loads the candidate and segments frames.
"""

import time

START = time.perf_counter()  # before the imports that take time

import json  # noqa: E402
import os  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, TypedDict  # noqa: E402

if TYPE_CHECKING:
    from enet_ros.benchmark.measure import Run

PACKAGE_FOLDER = Path(__file__).absolute().parents[2]  # not that of the sources that files link to
TIMEOUT_S = 900
FRAMES, FRAMES_S = 5, 3  # at most so many frames and seconds before the memory is read


class Request(TypedDict):
    """What the process measures: the arguments of `measure_startup`."""

    name: str
    architecture: str
    model: str
    size: tuple[int, int]
    threads: int
    cache_folder: str


class Startup(TypedDict):
    """The figures of one process.

    start_up_s: seconds from the first import to the labels of the first frame.
    resident_mib, peak_mib: memory after some frames, and the maximum until then, MiB.
    """

    start_up_s: float
    resident_mib: float
    peak_mib: float


class StartupFailed(Exception):
    """The process failed; the message is the last line that it printed."""


def measure_startup(name: str, architecture: str, model: str | os.PathLike[str],
                    size: tuple[int, int], threads: int = 0,
                    cache_folder: str | os.PathLike[str] = '') -> Startup:
    """Return the start-up time and memory of a candidate in a new process.

    Raise StartupFailed if the process fails.

    name: an engine's full name, or 'plain PyTorch DEVICE'.
    architecture: the network; other than the checkpoint's, it has random weights.
    model: checkpoint file or name of a shipped model.
    size: (width, height) of the frames, pixels.
    threads, cache_folder: as in ModelConfig.
    """
    request: Request = {'name': name, 'architecture': architecture, 'model': str(model),
                        'size': size, 'threads': threads, 'cache_folder': str(cache_folder)}
    folders = [str(PACKAGE_FOLDER)]
    if inherited := os.environ.get('PYTHONPATH'):
        folders.append(inherited)
    try:
        result = subprocess.run(
            [sys.executable, '-m', 'enet_ros.benchmark.startup', json.dumps(request)],
            # Not from the working folder, which may hold the package's sources.
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(folders), 'PYTHONSAFEPATH': '1'},
            capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise StartupFailed(f'it took longer than {TIMEOUT_S} s') from error
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        raise StartupFailed(lines[-1] if lines else 'it printed no message')
    startup: Startup = json.loads(result.stdout.splitlines()[-1])
    return startup


def main(request: Request) -> None:
    """Load the candidate, segment frames, and print the figures as JSON."""
    import numpy as np

    width, height = request['size']
    run = _load(request, width, height)
    frame = np.full((height, width, 3), 90, np.uint8)
    run(frame)
    start_up_s = time.perf_counter() - START
    start = time.perf_counter()
    for _ in range(FRAMES):
        run(frame)
        if time.perf_counter() - start > FRAMES_S:
            break
    resident_mib, peak_mib = memory()
    startup: Startup = {'start_up_s': start_up_s, 'resident_mib': resident_mib,
                        'peak_mib': peak_mib}
    print(json.dumps(startup))


def memory() -> tuple[float, float]:
    """Return this process's resident memory and its maximum so far, MiB."""
    # Not getrusage: there a new process inherits the maximum of its parent.
    lines = dict(line.split(':', 1) for line in
                 Path('/proc/self/status').read_text().splitlines())
    resident, peak = (int(lines[field].split()[0]) / 1024 for field in ('VmRSS', 'VmHWM'))
    return resident, peak


def _load(request: Request, width: int, height: int) -> 'Run':
    from enet_ros.models import checkpoint
    from enet_ros.models.loading import OwnNetwork
    from enet_ros.models.stored_network import as_module

    network: OwnNetwork
    network, spec = checkpoint.read(request['model'])
    if request['architecture'] != spec.architecture:
        from enet_ros.benchmark.networks import random_network
        network, spec = random_network(request['architecture'], spec)
    name, threads = request['name'], request['threads']
    if name.startswith('plain'):
        from enet_ros.benchmark.baselines import plain_pytorch
        return plain_pytorch(as_module(network), spec, width, height, threads,
                             device=name.split()[-1])

    from enet_ros.benchmark.candidates import engine_settings
    from enet_ros.segmenter import Segmenter

    segmenter = Segmenter(network, spec, width, height, **engine_settings(name), threads=threads,
                          cache_folder=request['cache_folder'])
    return lambda frame: segmenter(frame, confidence=False).labels


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
