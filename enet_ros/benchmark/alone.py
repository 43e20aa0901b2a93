"""One engine in a process of its own: its start-up and its memory, and no other's."""

import time

BEGIN = time.perf_counter()  # before everything that takes time to import

import json  # noqa: E402
import os  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

PACKAGE_FOLDER = Path(__file__).resolve().parents[2]
LIMIT_S = 900
FRAMES, FRAMES_S = 5, 3


def run_alone(name, architecture, model, size, threads=0, cache_folder=''):
    """Return what one candidate takes in a new process, as plain data.

    name is an engine's or starts with `plain`; model a checkpoint; size (width, height), pixels.
    start_up_s is the time from the first import to the first frame's labels; resident_mib and
    peak_mib are the process's memory after some frames, and the most that it ever had. A process
    that fails gives `error`, the last line that it wrote.
    """
    asked = {'name': name, 'architecture': architecture, 'model': str(model), 'size': size,
             'threads': threads, 'cache_folder': str(cache_folder)}
    folders = [str(PACKAGE_FOLDER), *filter(None, [os.environ.get('PYTHONPATH')])]
    try:
        answer = subprocess.run(
            [sys.executable, '-m', 'enet_ros.benchmark.alone', json.dumps(asked)],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(folders)},
            capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return {'error': f'it took longer than {LIMIT_S} s'}
    if answer.returncode:
        return {'error': (answer.stderr.strip().splitlines() or ['no message'])[-1]}
    return json.loads(answer.stdout.splitlines()[-1])


def main(asked):
    """Run the candidate and print what it took."""
    import numpy as np

    width, height = asked['size']
    run = _candidate(asked, width, height)
    frame = np.full((height, width, 3), 90, np.uint8)
    run(frame)
    start_up = time.perf_counter() - BEGIN
    begin = time.perf_counter()
    for _ in range(FRAMES):
        run(frame)
        if time.perf_counter() - begin > FRAMES_S:
            break
    print(json.dumps({'start_up_s': start_up, **memory()}))


def memory():
    """Return this process's memory in MiB, now and at its most, as the kernel counts it."""
    # Not getrusage: there a new process inherits the most that its parent ever had.
    lines = dict(line.split(':', 1) for line in
                 Path('/proc/self/status').read_text().splitlines())
    return {key: int(lines[field].split()[0]) / 1024
            for key, field in (('resident_mib', 'VmRSS'), ('peak_mib', 'VmHWM'))}


def _candidate(asked, width, height):
    from enet_ros.models import checkpoint

    network, spec = checkpoint.load(asked['model'])
    if asked['architecture'] != spec.architecture:
        from enet_ros.benchmark.networks import random_network
        network, spec = random_network(asked['architecture'], spec)
    if asked['name'].startswith('plain'):
        from enet_ros.benchmark.peers import plain
        return plain(network, spec, width, height, asked['threads'], asked['name'].split()[-1])

    from enet_ros.benchmark.candidates import engine_settings
    from enet_ros.segmenter import Segmenter

    segmenter = Segmenter(network, spec, width, height, **engine_settings(asked['name']),
                          threads=asked['threads'], cache_folder=asked['cache_folder'])
    return lambda frame: segmenter(frame, confidence=False).labels


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
