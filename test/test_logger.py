"""The core's logger."""

import subprocess
import sys

PROGRAM = """
import logging

class NotPropagating(logging.Logger):  # as launch's and launch_testing's loggers
    def __init__(self, *args):
        super().__init__(*args)
        self.propagate = False

logging.setLoggerClass(NotPropagating)
from enet_ros.engines.cache import load_or_build
from pathlib import Path
logging.basicConfig(format='root: %(message)s')
load_or_build(Path('/nonexistent'), 'graph', lambda: b'graph')
"""


def test_messages_reach_the_root_logger_whatever_the_logger_class():
    result = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True,
                            check=True, timeout=60)
    assert 'root: cannot store /nonexistent/graph' in result.stderr
