"""The bond of the managed nodes, and Nav2's lifecycle manager."""

import os
import signal

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

import depth_publisher
import nav2
from label_publisher import NODE, PARAMETERS
from lifecycle_msgs.msg import Transition
from nodes import TIMEOUT
from std_srvs.srv import Trigger

MANAGER = '/lifecycle_manager_perception'
BOND = 'bond to a lifecycle manager'
SEGMENTATION = '/segmentation_node'
DOWN, UP = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE


def bond_of(probe):
    """Return what the diagnostics of the free space node say about its bond."""
    return {item.key: item.value for item in probe.status(NODE).values}[BOND]


def test_without_bondpy_there_is_no_bond(start_node, probe, monkeypatch, tmp_path):
    (tmp_path / 'bondpy.py').write_text("raise ModuleNotFoundError('absent', name='bondpy')")
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    node = start_node('freespace_node', PARAMETERS)
    probe.bring_up(NODE)
    text = bond_of(probe)
    assert text.startswith('none: bondpy is not installed') and 'bond_timeout to 0.0' in text
    assert f'{BOND}: none' in node.output()


def test_an_active_node_sends_heartbeats(start_node, probe):
    messages = pytest.importorskip('bond.msg', reason='needs bondpy')
    pytest.importorskip('bondpy', reason='needs bondpy')
    node = start_node('freespace_node', PARAMETERS)
    probe.subscribe(messages.Status, '/bond', 100)
    heartbeats, instances = probe.received['/bond'], set()
    probe.bring_up(NODE)
    for _ in range(2):  # a node that is activated again has a new bond
        probe.wait(lambda: len(heartbeats) > 3, 'heartbeats')
        assert {(each.id, each.active) for each in heartbeats} == {(NODE[1:], True)}
        instances |= {each.instance_id for each in heartbeats}
        assert bond_of(probe).startswith('heartbeats')
        assert probe.change_state(NODE, DOWN)
        probe.wait(lambda: not heartbeats[-1].active, 'end of the bond')
        del heartbeats[:]
        assert probe.change_state(NODE, UP)
    assert len(instances) == 2
    assert node.stop() == 0
    assert 'Traceback' not in node.output()


@pytest.mark.parametrize('killed, other', [(SEGMENTATION, NODE), (depth_publisher.NODE, NODE)])
def test_the_manager_activates_all_nodes_again_after_one_was_killed(start_node, probe, tiny_model,
                                                                    killed, other):
    manager = nav2.executable('nav2_lifecycle_manager', 'lifecycle_manager')
    pytest.importorskip('bondpy', reason='needs bondpy')
    messages = pytest.importorskip('bond.msg', reason='needs bondpy')
    parameters = {SEGMENTATION: {'model.path': tiny_model, 'model.device': 'cpu'},
                  NODE: PARAMETERS, depth_publisher.NODE: depth_publisher.PARAMETERS}
    probe.subscribe(messages.Status, '/bond', 100)
    nodes = {node: start_node(node[1:], parameters[node]) for node in (killed, other)}
    names = ', '.join(node[1:] for node in nodes)
    log = start_node(manager, {'node_names': f'[{names}]'}, remaps={'__node': MANAGER[1:]},
                     params_file=nav2.CONFIG / 'lifecycle_manager.yaml')
    wait_until_active(probe, nodes)
    del probe.received['/bond'][:]
    # Of a node that ends before its second heartbeat, the manager never notices it.
    probe.wait(lambda: len(probe.received['/bond']) > 40, 'heartbeats')
    nodes[killed].stop(signal.SIGKILL)
    start_node(killed[1:], parameters[killed])
    probe.wait(lambda: 'CRITICAL FAILURE' in log.output(), 'report of the manager')
    wait_until_active(probe, nodes)


def wait_until_active(probe, nodes):
    """Wait until the manager reports that its nodes are active."""
    probe.wait(lambda: probe.call(Trigger, f'{MANAGER}/is_active', Trigger.Request()).success,
               'active nodes', 2 * TIMEOUT)
    assert [probe.state(node) for node in nodes] == ['active', 'active']
