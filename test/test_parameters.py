"""ROS parameters declared from a config class, on a node in this process."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from rclpy.node import Node
from rclpy.parameter import Parameter

from enet_ros.config import SegmentationConfig
from enet_ros.errors import BadInput
from enet_ros.ros.parameter_names import RENAMED, unknown_parameters
from enet_ros.ros.parameters import Parameters


@pytest.fixture
def make(local_node):
    """Return a function that declares the parameters of a node, with initial values."""
    def make(values=None):
        overrides = [Parameter(name, value=value) for name, value in (values or {}).items()]
        node = local_node(Node, parameter_overrides=overrides, start_parameter_services=False)
        return Parameters(node, SegmentationConfig)

    return make


def change(parameters, name, *value):
    """Set one parameter, or delete it; return the result."""
    new = Parameter(name, value=value[0]) if value else Parameter(name, Parameter.Type.NOT_SET)
    return parameters.node.set_parameters([new])[0]


@pytest.mark.parametrize('value', [5, 0.5, True, 'front', [1, 2], [b'a', b'b']], ids=repr)
def test_only_lists_of_strings_are_lists(make, value):
    parameters = make()
    result = change(parameters, 'cameras', value)
    assert not result.successful and 'a list of strings' in result.reason
    assert parameters.read().cameras == ()
    with pytest.raises(BadInput, match='cameras is .* a list of strings'):
        make({'cameras': value}).read()


def test_lists_and_empty_lists(make):
    parameters = make({'cameras': ['front', 'left']})
    assert parameters.read().cameras == ('front', 'left')
    assert change(parameters, 'cameras', ['']).successful
    assert parameters.read().cameras == ()


def test_names_that_no_node_has():
    warnings = unknown_parameters([
        'latency.budget_ms', 'fusion.hit', 'rate_hz', 'use_sim_time',
        'qos_overrides./clock.subscription.depth',
        'latency.budjet_ms', 'camera.longest_jump', 'xyzzy'])
    assert [text.partition(' does not exist and has no effect; ')[::2] for text in warnings] == [
        ('parameter latency.budjet_ms', 'did you mean latency.budget_ms?'),
        ('parameter camera.longest_jump', 'it is camera.max_jump now'),
        ('parameter xyzzy', 'docs/parameters.md lists all parameters')]


def test_renamed_parameters_are_those_of_a_node():
    assert not unknown_parameters(RENAMED.values())


def test_a_misspelled_parameter_is_logged(make, capfd):
    make({'latency.budjet_ms': 50.0})
    assert 'did you mean latency.budget_ms?' in capfd.readouterr().err


@pytest.mark.parametrize('name', ['cameras', 'overlay.alpha', 'model.path'])
def test_parameters_cannot_be_deleted(make, name):
    parameters = make({'cameras': ['front']})
    result = change(parameters, name)
    assert not result.successful and result.reason
    assert change(parameters, 'overlay.jpeg_quality', 50).successful
    config = parameters.read()
    assert config.cameras == ('front',) and config.overlay.jpeg_quality == 50


def test_several_invalid_values_can_be_corrected_one_at_a_time(make):
    parameters = make({'input.transport': 'foo', 'output.size': 'bar', 'output.filter': 'linear'})
    for name, value in [('output.size', 'baz'), ('overlay.alpha', 2.0), ('cameras', 'front')]:
        result = change(parameters, name, value)
        assert not result.successful and name in result.reason
    for name, value in [('output.size', 'network'), ('input.transport', 'raw')]:
        with pytest.raises(BadInput, match='input.transport'):
            parameters.read()
        assert change(parameters, name, value).successful
    config = parameters.read()
    assert (config.output.size, config.output.filter) == ('network', 'linear')
    result = change(parameters, 'output.size', 'input')  # does not fit the filter
    assert not result.successful and 'output.filter' in result.reason


def test_use_sim_time_cannot_change_while_the_node_is_configured(make):
    parameters = make()
    parameters.locked = 'clean it up first'
    result = change(parameters, 'use_sim_time', True)
    assert not result.successful and 'use_sim_time cannot change now: clean' in result.reason
    assert not parameters.node.get_parameter('use_sim_time').value
    parameters.locked = ''
    assert change(parameters, 'use_sim_time', True).successful
