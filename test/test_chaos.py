"""Disturbances of a running node; benchmarks/reliability/chaos.py causes more of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from enet_ros.engines.native_library import LIBRARY

pytest.importorskip('rclpy', reason='needs ROS 2')

FOLDER = Path(__file__).parents[1] / 'benchmarks/reliability'
ENGINE = 'native' if LIBRARY.is_file() else 'auto'  # which measures the engines first
# Milliseconds; on a busy machine too, labels are younger than stamps that jump back by 5 s.
BUDGET = '4000'


def disturb(model, *options, command=()):
    """Cause one event of each kind; return the rows of the table by their names."""
    result = subprocess.run(
        [*command, sys.executable, FOLDER / 'chaos.py', '--events', '1', '--budget', BUDGET,
         '--model', model, '--size', '64', '48', '--participants', '3',
         '--engine', ENGINE, *options],
        capture_output=True, text=True, timeout=500)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [[cell.strip() for cell in line.strip('|').split('|')]
            for line in result.stdout.splitlines() if line.startswith('|')]
    return {row[0]: dict(zip(rows[0], row)) for row in rows[2:]}


def check(rows):
    for row in rows.values():
        assert (row['events'], row['crashes'], row['older than the budget']) == ('1', '0', '0')
        assert int(row['results']) > 0 and float(row['longest s']) < 300
        named, expected = row['causes named'].split(' of ')
        assert named == expected, row


def test_the_node_survives_disturbances(tiny_model):
    rows = disturb(tiny_model)
    check(rows)
    for name in ('stamps jump', 'another type on the topic', 'stamps jump off a simulated clock'):
        assert rows[name]['causes named'] == '1 of 1'


@pytest.mark.parametrize('megabytes', ['0', '1', '200'])
def test_small_shared_memory(tiny_model, megabytes):
    command = FOLDER / 'private_shm.sh', megabytes
    if subprocess.run([*command, 'true'], capture_output=True).returncode:
        pytest.skip('needs the right to mount')
    fill = ['full shared memory'] if int(megabytes) else []
    check(disturb(tiny_model, '--only', 'SIGKILL', *fill, command=command))
