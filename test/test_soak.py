"""The benchmark that looks for leaks in the managed nodes, in a short run."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
SOAK = Path(__file__).parent.parent / 'benchmarks/soak.py'


def test_nodes_leave_no_threads_and_no_descriptors():
    result = subprocess.run([sys.executable, SOAK, '--minutes', '0.05', '--cycles', '2'],
                            capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stderr
    counts = [line for line in result.stdout.splitlines() if ' added ' in line]
    assert len(counts) == 12 and not [line for line in counts if line.endswith('| **no** |')]
    for node in ('segmentation_node', 'freespace_node', 'semantic_cloud_node'):
        assert f'| {node}: MiB per 36,000 frames |' in result.stdout
