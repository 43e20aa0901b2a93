"""Lifecycle transitions that fail, and the core's log records in a node's log."""

from contextlib import ExitStack

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.logging import get_logger

from enet_ros.config import SegmentationConfig
from enet_ros.logger import logger
from enet_ros.ros.diagnostics import DiagnosticTexts
from enet_ros.ros.lifecycle import ManagedNode
from enet_ros.ros.log_forwarder import LogForwarder

NODE = '/frail_node'
AUTOSTART = '--ros-args', '-p', 'autostart:=true'


class FrailNode(ManagedNode):
    """A node in which one step fails, once."""

    def __init__(self, failing_step, **options):
        self.failing_step = failing_step
        super().__init__('frail_node', SegmentationConfig,
                         DiagnosticTexts('work', 'working', 'the source', 'less work'), **options)

    def _create(self, config, cleanup: ExitStack):
        cleanup.callback(self._do, 'release')
        self._do('create')
        self.diagnostics.settings = {'engine': 'steam'}
        return 'resources'

    def _start(self, config, resources, deactivation: ExitStack):
        deactivation.callback(self._do, 'stop')
        self._do('start')

    def _do(self, step):
        if step == self.failing_step:
            self.failing_step = ''
            raise OSError(f'the {step} broke')


@pytest.fixture
def frail(probe):
    """Return a function that makes such a node, which the probe's executor spins."""
    nodes = []

    def frail(failing_step, **options):
        node = FrailNode(failing_step, context=probe.context, **options)
        nodes.append(node)
        probe.executor.add_node(node)
        return node

    yield frail
    for node in nodes:
        probe.executor.remove_node(node)
        node.destroy_node()


@pytest.mark.parametrize('failing_step, transitions', [
    ('start', ['CONFIGURE', 'ACTIVATE']),
    ('stop', ['CONFIGURE', 'ACTIVATE', 'DEACTIVATE']),
    ('release', ['CONFIGURE', 'CLEANUP'])])
def test_a_failing_transition_is_reported(frail, probe, capfd, failing_step, transitions):
    node = frail(failing_step)
    *before, last = [getattr(Transition, f'TRANSITION_{name}') for name in transitions]
    for transition in before:
        assert probe.change_state(NODE, transition)
    assert not probe.change_state(NODE, last)
    assert probe.state(NODE) == 'unconfigured'
    status = probe.status(NODE)
    assert status.level == DiagnosticStatus.ERROR and f'the {failing_step} broke' in status.message
    name = f'on_{transitions[-1].lower()} failed'
    assert name in ''.join(capfd.readouterr())
    assert not node.parameters.locked and node.resources is None
    probe.bring_up(NODE)
    assert probe.status(NODE).level != DiagnosticStatus.ERROR


def test_a_node_that_failed_to_configure_can_be_configured_again(frail, probe, capfd):
    node = frail('create')
    assert not probe.change_state(NODE, Transition.TRANSITION_CONFIGURE)
    assert probe.state(NODE) == 'unconfigured' and node.resources is None
    status = probe.status(NODE)
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == 'not configured: the create broke'
    assert 'cannot configure: ' in ''.join(capfd.readouterr())
    probe.bring_up(NODE)


@pytest.mark.parametrize('simulated', ['true', 'false'])
def test_a_node_activates_itself(frail, probe, simulated):
    frail('', cli_args=[*AUTOSTART, '-p', f'use_sim_time:={simulated}'])
    assert probe.state(NODE) == 'active'
    assert probe.change_state(NODE, Transition.TRANSITION_DEACTIVATE)
    assert probe.state(NODE) == 'inactive'


def test_a_node_that_cannot_configure_itself_reports_why(frail, probe):
    frail('create', cli_args=list(AUTOSTART))
    assert probe.status(NODE).message == 'not configured: the create broke'
    assert probe.state(NODE) == 'unconfigured'
    probe.bring_up(NODE)


def test_log_records_of_the_core_are_forwarded_at_each_severity(capfd):
    handler, core = LogForwarder(get_logger('test')), logger
    handler.open()
    try:
        core.warning('a %s', 'warning')
        core.info('a notice')
        core.warning('another warning')
    finally:
        handler.close()
    output = ''.join(capfd.readouterr())
    assert all(text in output for text in ('a warning', 'a notice', 'another warning'))
