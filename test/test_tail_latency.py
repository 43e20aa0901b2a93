"""The benchmark of label ages beside compilers, in a short run."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
BENCHMARKS = Path(__file__).parent.parent / 'benchmarks'
COMPILERS = """
import sys
sys.path.insert(0, {folder!r})
from compilers import compilers
from rig import DemoFailure

try:
    with compilers(1) as processes:
        assert processes[0].poll() is None
        {body}
except DemoFailure as error:
    print(error)
assert processes[0].poll() is not None
"""


def run(*command):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=400)


def test_every_way_to_start_the_node_has_a_row():
    result = run(BENCHMARKS / 'tail_latency.py', '--seconds', '1', '--rounds', '2', '--rate', '10',
                 '--compilers', '1', '--width', '64', '--height', '40',
                 '--way', 'env MALLOC_ARENA_MAX=1 model.threads:=1')
    assert result.returncode == 0, result.stderr
    rows = [line.split(' | ') for line in result.stdout.splitlines() if line.startswith('| ')]
    assert [row[0] for row in rows[2:]] == ['| plain', '| env MALLOC_ARENA_MAX=1 model.threads:=1']
    assert all(int(row[1]) > 0 for row in rows[2:])


@pytest.mark.parametrize('body, output', [
    ('pass', ''),
    ('import os; os.killpg(processes[0].pid, 15); processes[0].wait()', 'a compiler ended; see ')])
def test_compilers_run_until_the_end_of_the_block(body, output):
    result = run('-c', COMPILERS.format(folder=str(BENCHMARKS), body=body))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(output) and bool(result.stdout) == bool(output)
