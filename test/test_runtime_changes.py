"""Changes of a running segmentation node, observed over DDS."""

import shutil

import pytest
import torch

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import result_of
from diagnostic_msgs.msg import DiagnosticStatus
from enet_ros.msg import LabelMap
from lifecycle_msgs.msg import Transition
from nodes import LATCHED
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from enet_ros.engines.engine import installed_engines
from enet_ros.labels import CAMVID, SUN_RGBD
from enet_ros.models import checkpoint

NODE = '/segmentation_node'
needs_native = pytest.mark.skipif('native' not in installed_engines(),
                                  reason='engine native is not built')
LABEL = f'{NODE}/label'


@pytest.fixture
def active(start, probe, camera):
    """Return a function that starts and activates the node and subscribes to its labels."""
    def active(parameters=None):
        node = start(parameters)
        probe.subscribe(Image, LABEL)
        probe.bring_up(NODE)
        camera.wait_for_node()
        camera.send_until(has_label(probe))
        return node
    return active


def has_label(probe):
    return lambda message: result_of(probe, LABEL, message)


def save_constant_model(path, labels, class_id):
    """Write a checkpoint whose network predicts one class everywhere."""
    spec = checkpoint.ModelSpec(labels, width=64, height=48)
    model = spec.build()
    with torch.no_grad():
        for parameter in model.output.parameters():
            parameter.zero_()
        model.output.bias[class_id] = 1.0
    checkpoint.save(path, model, spec)


def predicts(probe, class_id):
    """Return the condition that the label image of an image has one class everywhere."""
    def holds(message):
        label = result_of(probe, LABEL, message)
        return label is not None and set(bytes(label.data)) == {class_id}
    return holds


def reload(probe, camera):
    """Reload the model while images arrive; return the response and the images sent."""
    client, future = probe.send_request(Trigger, f'{NODE}/reload', Trigger.Request())
    sent = []

    def step():
        sent.append(camera.send())
        probe.spin(0.1)
        return future.done()

    probe.wait(step, 'the reload')
    probe.node.destroy_client(client)
    return future.result(), sent


@pytest.mark.parametrize('engine', ['auto', pytest.param('native', marks=needs_native)])
def test_reload_under_load(active, probe, camera, tmp_path, engine):
    path = tmp_path / 'model.safetensors'
    save_constant_model(path, CAMVID, 3)
    node = active({'model.path': path, 'model.engine': engine})
    camera.send_until(predicts(probe, 3))
    save_constant_model(tmp_path / 'next.safetensors', CAMVID, 8)
    shutil.move(tmp_path / 'next.safetensors', path)
    response, _ = reload(probe, camera)
    assert response.success
    camera.send_until(predicts(probe, 8))

    broken = tmp_path / 'broken.safetensors'
    broken.write_bytes(path.read_bytes()[:1000])
    other = tmp_path / 'other.safetensors'
    save_constant_model(other, SUN_RGBD, 0)
    for bad, words in [(broken, 'not a complete safetensors file'),
                       (other, 'are not those in use'),
                       (tmp_path / 'nowhere.safetensors', 'does not exist')]:
        assert probe.set_parameter(NODE, 'model.path', str(bad)).successful
        response, _ = reload(probe, camera)
        assert not response.success and words in response.message
        camera.send_until(predicts(probe, 8))
        status = probe.wait(lambda: camera.send() and (status := probe.status(NODE)).level
                            == DiagnosticStatus.WARN and status, 'a warning')
        assert words in status.message
    assert probe.set_parameter(NODE, 'model.path', str(path)).successful
    response, _ = reload(probe, camera)
    assert response.success
    probe.wait(lambda: camera.send() and probe.status(NODE).level == DiagnosticStatus.OK,
               'status OK')
    assert 'Traceback' not in node.output()


def test_a_reload_before_the_node_is_configured_fails(start, probe, camera):
    start()
    probe.status(NODE)
    response, _ = reload(probe, camera)
    assert not response.success and 'configure the node' in response.message
    status = probe.status(NODE)
    assert (status.level, status.message) == (DiagnosticStatus.OK, 'not configured')


def test_a_reload_before_the_node_is_active(start, probe, camera, tmp_path):
    start()
    assert probe.change_state(NODE, Transition.TRANSITION_CONFIGURE)
    for name in ('first', 'second'):
        path = tmp_path / f'{name}.safetensors'
        save_constant_model(path, CAMVID, 3)
        assert probe.set_parameter(NODE, 'model.path', str(path)).successful
        response, _ = reload(probe, camera)
        assert response.success
        assert probe.change_state(NODE, Transition.TRANSITION_ACTIVATE)
        subscription = probe.subscribe(LabelMap, f'{NODE}/label_map', LATCHED)
        label_map = probe.wait(lambda: probe.received[f'{NODE}/label_map'], 'the label map')[0]
        assert label_map.model == str(path)
        probe.node.destroy_subscription(subscription)
        assert probe.change_state(NODE, Transition.TRANSITION_DEACTIVATE)


def test_a_deactivation_during_a_reload(active, probe, tmp_path):
    active()
    path = tmp_path / 'model.safetensors'
    save_constant_model(path, CAMVID, 3)
    assert probe.set_parameter(NODE, 'model.path', str(path)).successful
    _, future = probe.send_request(Trigger, f'{NODE}/reload', Trigger.Request())
    assert probe.change_state(NODE, Transition.TRANSITION_DEACTIVATE)
    probe.wait(future.done, 'the reload')
    assert future.result().success
    assert probe.change_state(NODE, Transition.TRANSITION_ACTIVATE)
    probe.subscribe(LabelMap, f'{NODE}/label_map', LATCHED)
    label_map = probe.wait(lambda: probe.received[f'{NODE}/label_map'], 'the label map')[0]
    assert label_map.model == str(path)


def test_enable_before_the_node_is_configured(start, probe):
    start()
    assert probe.call(SetBool, f'{NODE}/enable', SetBool.Request(data=False)).success
    probe.bring_up(NODE)
    assert 'switched off' in probe.status(NODE).message


def test_the_node_can_be_switched_off_and_on(active, probe, camera):
    active()
    for enabled in (False, True):
        request = SetBool.Request(data=enabled)
        assert probe.call(SetBool, f'{NODE}/enable', request).success
        if enabled:
            camera.send_until(has_label(probe))
        else:
            probe.spin(0.5)
            del probe.received[LABEL][:]
            camera.stream(seconds=1, rate=10)
            assert not probe.received[LABEL]
            assert 'switched off' in probe.status(NODE).message


def test_parameters_can_change_together(active, probe, camera):
    active({'latency.budget_ms': 60000.0})

    def change(**values):
        request = SetParametersAtomically.Request(parameters=[
            Parameter(name.replace('__', '.'), value=value).to_parameter_msg()
            for name, value in values.items()])
        return probe.call(SetParametersAtomically, f'{NODE}/set_parameters_atomically',
                          request).result

    bad = change(latency__max_age_ms=1000.0, overlay__alpha=1.5)
    assert not bad.successful and 'overlay.alpha' in bad.reason
    assert probe.get_parameter(NODE, 'latency.max_age_ms').double_value == 0.0
    assert change(latency__max_age_ms=50000.0, overlay__alpha=0.25,
                  output__confidence_threshold=0.1).successful
    camera.send_until(has_label(probe))
    fixed = change(latency__max_age_ms=1000.0, latency__adaptive=True)
    assert not fixed.successful and 'clean it up first' in fixed.reason


def test_parameters_change_under_load(active, probe, camera):
    node = active({'latency.budget_ms': 60000.0})
    for step in range(20):
        camera.send()
        assert probe.set_parameter(NODE, 'overlay.alpha', step / 20).successful
    camera.send_until(has_label(probe))
    assert 'Traceback' not in node.output()


def test_a_camera_that_stops_and_returns(active, probe, camera):
    active()
    for level, words in [(DiagnosticStatus.WARN, 'somebody publishes there'),
                         (DiagnosticStatus.STALE, 'no image on /image')]:
        status = probe.wait(lambda level=level: (status := probe.status(NODE)).level == level
                            and status, 'report of the silence')
        assert words in status.message
    camera.send_until(has_label(probe))
    probe.wait(lambda: camera.send() and probe.status(NODE).level == DiagnosticStatus.OK,
               'status OK')


def test_a_camera_info_of_another_aspect_ratio_is_reported(active, probe, camera):
    active()
    for size, level in [((640, 480), DiagnosticStatus.WARN), ((1280, 720), DiagnosticStatus.OK)]:
        def seen(size=size, level=level):
            camera.send_info(*size)
            camera.send()
            status = probe.status(NODE)
            return status.level == level and status
        status = probe.wait(seen, f'status for {size}')
        assert level == DiagnosticStatus.OK or 'another aspect ratio' in status.message


def test_an_incompatible_subscriber_is_reported(active, probe, camera):
    active()
    # Images are not kept for late subscribers.
    subscription = probe.subscribe(Image, f'{NODE}/color', LATCHED)
    status = probe.wait(lambda: camera.send() and (status := probe.status(NODE)).level
                        == DiagnosticStatus.WARN and status, 'a warning')
    assert f'{NODE}/color' in status.message and 'durability' in status.message
    probe.node.destroy_subscription(subscription)
    probe.wait(lambda: camera.send() and probe.status(NODE).level == DiagnosticStatus.OK,
               'the end of the warning')


def test_transitions_in_any_order_under_load(active, probe, camera):
    node = active()
    configure, cleanup = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
    activate, deactivate = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
    state, after = 'active', {
        'active': {deactivate: 'inactive'},
        'inactive': {activate: 'active', cleanup: 'unconfigured'},
        'unconfigured': {configure: 'inactive'}}
    for transition in [activate, configure, cleanup, deactivate, deactivate, configure, activate,
                       deactivate, cleanup, cleanup, activate, deactivate, configure, activate]:
        for _ in range(3):
            camera.send()
        allowed = after[state]
        assert probe.change_state(NODE, transition) == (transition in allowed)
        state = allowed.get(transition, state)
    assert probe.state(NODE) == state == 'active'
    camera.wait_for_node()
    camera.send_until(has_label(probe))
    assert 'Traceback' not in node.output()


def test_a_cleanup_during_a_reload(active, probe, camera):
    node = active()
    _, future = probe.send_request(Trigger, f'{NODE}/reload', Trigger.Request())
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert probe.change_state(NODE, transition)
    probe.wait(future.done, 'the response')
    assert probe.state(NODE) == 'unconfigured'
    probe.bring_up(NODE)
    camera.send_until(has_label(probe))
    assert 'Traceback' not in node.output()
