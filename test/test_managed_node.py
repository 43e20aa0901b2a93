"""What a managed node tells of transitions that break, and of the core."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.logging import get_logger

from enet_ros.config import SegmentationConfig
from enet_ros.logger import logger
from enet_ros.ros.core_log import CoreLog
from enet_ros.ros.managed_node import ManagedNode
from enet_ros.ros.node_diagnostics import Words

NODE = '/frail_node'


class FrailNode(ManagedNode):
    """A node in which one thing breaks, once."""

    def __init__(self, breaks, **options):
        self.breaks = breaks
        super().__init__('frail_node', SegmentationConfig,
                         Words('work', 'working', 'the source', 'less work'), **options)

    def _configure(self, config):
        self.diagnostics.facts = {'engine': 'steam'}

    def _start(self, config):
        self._do('start')

    def _stop(self):
        self._do('stop')

    def _release(self):
        self._do('release')

    def _do(self, what):
        if what == self.breaks:
            self.breaks = ''
            raise OSError(f'the {what} broke')


@pytest.fixture
def frail(probe):
    """Return a function that makes such a node, which the probe's executor spins."""
    nodes = []

    def frail(breaks):
        node = FrailNode(breaks, context=probe.context)
        nodes.append(node)
        probe.executor.add_node(node)
        return node

    yield frail
    for node in nodes:
        probe.executor.remove_node(node)
        node.destroy_node()


@pytest.mark.parametrize('breaks, transitions', [
    ('start', ['CONFIGURE', 'ACTIVATE']),
    ('stop', ['CONFIGURE', 'ACTIVATE', 'DEACTIVATE']),
    ('release', ['CONFIGURE', 'CLEANUP'])])
def test_a_transition_that_breaks_is_told_of(frail, probe, capfd, breaks, transitions):
    node = frail(breaks)
    *before, last = [getattr(Transition, f'TRANSITION_{name}') for name in transitions]
    for transition in before:
        assert probe.change_state(NODE, transition)
    assert not probe.change_state(NODE, last)
    assert probe.state(NODE) == 'unconfigured'
    status = probe.status(NODE)
    assert status.level == DiagnosticStatus.ERROR and f'the {breaks} broke' in status.message
    name = f'on_{transitions[-1].lower()} failed'
    assert name in ''.join(capfd.readouterr())
    assert not node.parameters.locked
    probe.bring_up(NODE)
    assert probe.status(NODE).level != DiagnosticStatus.ERROR


def test_the_core_is_heard_whatever_it_says_first(capfd):
    handler, core = CoreLog(get_logger('test')), logger
    handler.open()
    try:
        core.warning('a %s', 'warning')
        core.info('a notice')
        core.warning('another warning')
    finally:
        handler.close()
    said = ''.join(capfd.readouterr())
    assert all(text in said for text in ('a warning', 'a notice', 'another warning'))
