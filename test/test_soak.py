"""The benchmark that looks for leaks in the nodes, in a short run."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
SOAK = Path(__file__).parent.parent / 'benchmarks/soak.py'


def test_nodes_leave_no_threads_descriptors_and_segments():
    result = subprocess.run([sys.executable, SOAK, '--minutes', '0.1', '--cycles', '2',
                             '--rate', '30', '--replay-rate', '10'],
                            capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stderr
    counts = [line for line in result.stdout.splitlines() if ' added ' in line]
    assert len(counts) == 21 and not [line for line in counts if line.endswith('| **no** |')]
    for node in ('segmentation_node', 'freespace_node', 'semantic_cloud_node', 'replay_node'):
        assert f'| {node}: MiB per 36,000 frames, in the second half of ' in result.stdout
        assert f'| {node} | 1 | ' in result.stdout


def test_interrupt_ends_the_measurement_with_a_report():
    process = subprocess.Popen([sys.executable, SOAK, '--rate', '30', '--replay-rate', '10'],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        for line in process.stderr:  # until the first sample
            if 'frames' in line:
                process.send_signal(signal.SIGINT)
                break
        output, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    assert '| replay_node: MiB per 36,000 frames, in the second half of ' in output
