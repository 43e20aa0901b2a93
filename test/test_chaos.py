"""Disturbances of a running node; benchmarks/reliability/chaos.py has more of them."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

PROGRAM = Path(__file__).parents[1] / 'benchmarks/reliability/chaos.py'


def test_the_node_survives_disturbances(tiny_model):
    result = subprocess.run(
        [sys.executable, PROGRAM, '--events', '1', '--budget', '10000', '--model', tiny_model,
         '--size', '64', '48'], capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [[cell.strip() for cell in line.strip('|').split('|')]
            for line in result.stdout.splitlines() if line.startswith('|')][2:]
    assert [row[0] for row in rows] == ['SIGSTOP and SIGCONT', 'SIGKILL', 'lifecycle transitions',
                                        'parameters, reload, pause']
    for _, events, _, crashes, labels, late, _, longest in rows:
        assert (events, crashes, late) == ('1', '0', '0')
        assert int(labels) > 0 and float(longest) < 300
