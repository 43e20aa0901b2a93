"""Ctrl-C while the segmentation node imports modules, loads the model or waits."""

import signal
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from lifecycle_msgs.msg import Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState

NODE = '/segmentation_node'
MAX_SECONDS = 4.0  # on a busy machine; less than one on a quiet one


def stop(node, sign=signal.SIGINT):
    """Stop a node process; return its exit code and how long it took in seconds."""
    start = time.monotonic()
    code = node.stop(sign)
    return code, time.monotonic() - start


def test_interrupt_while_modules_are_imported(start, probe):
    node = start()
    maps = Path(f'/proc/{node.process.pid}/maps')
    probe.wait(lambda: 'cv2' in maps.read_text(), 'the import of OpenCV')
    code, seconds = stop(node)
    assert code in (0, -signal.SIGINT) and seconds < MAX_SECONDS
    assert 'Traceback' not in node.output()


@pytest.mark.parametrize('sign', [signal.SIGINT, signal.SIGTERM])
def test_interrupt_while_the_model_is_loaded(start, probe, sign):
    node = start({'latency.adaptive': True, 'latency.budget_ms': 1000.0,
                  'latency.sizes': "['4096x2048', '2048x1024']"})
    topic = f'{NODE}/transition_event'
    probe.subscribe(TransitionEvent, topic)
    probe.wait(lambda: probe.node.count_publishers(topic), 'the topic')
    assert probe.state(NODE) == 'unconfigured'
    probe.send_request(ChangeState, f'{NODE}/change_state', ChangeState.Request(
        transition=Transition(id=Transition.TRANSITION_CONFIGURE)))
    probe.wait(lambda: any(event.goal_state.label == 'configuring'
                           for event in probe.received[topic]), 'the start of configuring')
    code, seconds = stop(node, sign)
    assert code == 0 and seconds < MAX_SECONDS
    assert 'Traceback' not in node.output() and 'rror' not in node.output()


def test_interrupt_while_the_node_waits(start, probe):
    node = start()
    assert probe.state(NODE) == 'unconfigured'
    code, seconds = stop(node)
    assert code == 0 and seconds < MAX_SECONDS
    assert 'Traceback' not in node.output()
