"""A training that is killed, for tests of how it resumes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import torch

from enet_ros.models import checkpoint


def kill_run(module, function, arguments, step):
    """Call a function of a test module that trains, in a process that is killed after a step."""
    program = (
        'import sys\n'
        'import torch\n'
        'from enet_ros.training.run import Run\n'
        f'from {module} import {function}\n'
        f'torch.set_num_threads({torch.get_num_threads()})\n'  # sums depend on it
        'train_step = Run.train_step\n'
        'def print_step(run, *batch):\n'
        '    losses = train_step(run, *batch)\n'
        '    print(run.trainer.step, flush=True)\n'
        '    return losses\n'
        'Run.train_step = print_step\n'
        f'{function}(*sys.argv[1:])\n')
    process = subprocess.Popen(
        [sys.executable, '-c', program, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            [str(Path(__file__).parent), *filter(None, sys.path)])})
    while process.stdout.readline().strip() != str(step):
        assert process.poll() is None, 'the run ended before it could be killed'
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)


def same_weights(path, other):
    """Return whether two checkpoints have equal weights."""
    weights, others = (checkpoint.load(file)[0].state_dict() for file in (path, other))
    return all(torch.equal(weights[name], others[name]) for name in weights)
