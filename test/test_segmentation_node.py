"""The segmentation node as a process, observed over DDS."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import result_of
from diagnostic_msgs.msg import DiagnosticStatus
from enet_ros.msg import FrameTiming, LabelMap
from lifecycle_msgs.msg import Transition
from nodes import LATCHED
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters
from sensor_msgs.msg import CameraInfo, Image

from enet_ros.engines.engine import installed_engines
from enet_ros.images.postprocess import scale_labels
from enet_ros.labels import CAMVID
from enet_ros.ros.convert import array_to_image, image_to_array
from enet_ros.segmenter import Segmenter

NODE = '/segmentation_node'
needs_native = pytest.mark.skipif('native' not in installed_engines(),
                                  reason='engine native is not built')


def test_every_output_of_a_frame(start, probe, camera, tiny_model):
    start({'overlay.alpha': 1})  # an integer for a double
    images = [f'{NODE}/{name}' for name in ('label', 'color', 'overlay')]
    masks = {f'{NODE}/mask/{label.topic_name}': class_id
             for class_id, label in enumerate(CAMVID.classes)}
    for topic in [*images, *masks]:
        probe.subscribe(Image, topic)
    probe.subscribe(FrameTiming, f'{NODE}/timing')
    probe.subscribe(CameraInfo, f'{NODE}/camera_info')
    probe.subscribe(LabelMap, f'{NODE}/label_map', LATCHED)
    probe.bring_up(NODE)
    camera.wait_for_node()
    topics = [*images, *masks, f'{NODE}/timing', f'{NODE}/camera_info']

    def image():
        camera.send_info(320, 180)
        return camera.image()

    message = camera.send_until(lambda m: all(result_of(probe, t, m) for t in topics), make=image)
    got = {topic: result_of(probe, topic, message) for topic in topics}
    assert {m.header.frame_id for m in got.values()} == {'front_optical'}

    frame = image_to_array(message)
    segmenter = Segmenter.load(tiny_model, device='cpu')
    expected = segmenter(frame.image, frame.order).labels
    labels = np.array(got[f'{NODE}/label'].data, np.uint8).reshape(90, 160)
    assert got[f'{NODE}/label'].encoding == 'mono8' and got[f'{NODE}/label'].step == 160
    assert (labels == scale_labels(expected, 160, 90)).mean() > 0.99
    assert len(np.unique(labels)) > 1, 'the model predicts one class everywhere: nothing is tested'
    for topic, class_id in masks.items():
        mask = np.array(got[topic].data, np.uint8).reshape(90, 160)
        assert got[topic].encoding == 'mono8'
        assert np.array_equal(mask, np.where(labels == class_id, 255, 0))
    color = image_to_array(got[f'{NODE}/color'])
    assert got[f'{NODE}/color'].encoding == 'bgr8'
    assert np.array_equal(color.rgb(), CAMVID.palette()[labels])
    assert np.array_equal(image_to_array(got[f'{NODE}/overlay']).rgb(), color.rgb())  # alpha 1

    timing = got[f'{NODE}/timing']
    stages = [timing.queueing_ms, timing.conversion_ms, timing.preprocessing_ms,
              timing.inference_ms, timing.postprocessing_ms, timing.publishing_ms]
    assert min(stages) >= 0 and timing.inference_ms > 0 and timing.age_on_arrival_ms > 0
    assert sum(stages) <= timing.total_ms * 1.001
    assert (timing.network_width, timing.network_height) == (64, 48)
    assert timing.engine == segmenter.engine.name
    assert timing.within_budget and timing.budget_ms == 0 and timing.drop_reason == ''
    assert timing.age_on_arrival_ms < timing.age_ms <= timing.age_on_arrival_ms + timing.total_ms
    info = got[f'{NODE}/camera_info']
    assert (info.width, info.height, info.k[0], info.k[2]) == (160, 90, 100.0, 80.0)

    label_map = probe.wait(lambda: probe.received[f'{NODE}/label_map'], 'the label map')[0]
    assert [entry.name for entry in label_map.classes] == CAMVID.names
    assert [entry.id for entry in label_map.classes] == list(range(11))
    assert [entry.name for entry in label_map.classes if entry.drivable] == ['Road']
    assert label_map.unlabelled_id == 255 and label_map.model == str(tiny_model)
    assert label_map.classes[3].color.r == pytest.approx(128 / 255)


def test_late_subscribers_get_the_label_map(start, probe):
    start()
    probe.bring_up(NODE)
    probe.subscribe(LabelMap, f'{NODE}/label_map', LATCHED)
    probe.wait(lambda: probe.received[f'{NODE}/label_map'], 'the label map')


def test_only_the_selected_masks_are_advertised(start, probe):
    start({'output.classes': '[Road, SignSymbol]'})
    probe.bring_up(NODE)
    topics = {name for name, _ in probe.node.get_topic_names_and_types()}
    assert {name for name in topics if '/mask/' in name} == {
        f'{NODE}/mask/road', f'{NODE}/mask/sign_symbol'}


def bad_images(header):
    """Yield (defect, message, words of the error)."""
    def image(**changes):
        good = array_to_image(np.zeros((8, 8, 3), np.uint8), 'bgr8', header)
        for name, value in changes.items():
            setattr(good, name, value)
        return good

    yield 'unknown encoding', image(encoding='hsv12'), "encoding 'hsv12'"
    yield 'step too small', image(step=10), 'step is 10'
    yield 'data too short', image(data=b'\0' * 100), 'data has 100 bytes'
    yield 'zero size', image(width=0), '0x8'
    yield 'absurd size', image(width=4_000_000_000), '4000000000x8'


def test_invalid_images_are_counted_and_the_next_valid_one_is_segmented(start, probe, camera):
    node = start()
    probe.subscribe(Image, f'{NODE}/label')
    probe.subscribe(FrameTiming, f'{NODE}/timing')
    probe.bring_up(NODE)
    camera.wait_for_node()
    camera.send_until(lambda m: result_of(probe, f'{NODE}/label', m))
    for what, message, words in bad_images(camera.header()):
        def reported(message=message, words=words):
            camera.send(message)
            return words in probe.status(NODE).message

        probe.wait(reported, f'the report of {what}')
        assert probe.status(NODE).level in (DiagnosticStatus.OK, DiagnosticStatus.WARN)
        good = camera.send_until(lambda m: result_of(probe, f'{NODE}/label', m))
        assert node.alive
    values = {entry.key: entry.value for entry in probe.status(NODE).values}
    assert int(values['images dropped: unusable']) >= 5
    timing = probe.wait(lambda: result_of(probe, f'{NODE}/timing', good), 'its timing')
    assert timing.dropped >= 5
    assert 'Traceback' not in node.output()


@pytest.mark.parametrize('parameters, words', [
    ({'model.path': '/nowhere/model.safetensors'}, 'model /nowhere/model.safetensors does not'),
    ({'model.path': __file__}, 'is not a complete safetensors file'),
    ({'model.path': 7}, 'model.path'),
    ({'model.engine': 'warp'}, 'engine'),
    pytest.param({'model.precision': 'bfloat16', 'model.engine': 'native'},
                 'engine native does not support bfloat16', marks=needs_native),
    ({'model.device': 'tpu'}, 'device'),
    ({'input.width': -5}, 'input.width'),
    ({'input.width': 7}, 'input.width'),
    ({'overlay.alpha': 2.5}, 'overlay.alpha'),
    ({'overlay.alpha': 'much'}, 'overlay.alpha'),
    ({'output.classes': '[Road, Dragon]'}, "no class 'Dragon'"),
    ({'output.classes': '[Road, Road]'}, 'leave one out'),
], ids=str)
def test_invalid_settings_fail_configure_with_a_reason(
        start, probe, tiny_model, parameters, words):
    node = start(parameters)
    assert not probe.change_state(NODE, Transition.TRANSITION_CONFIGURE)
    assert probe.state(NODE) == 'unconfigured'
    status = probe.status(NODE)
    assert status.level == DiagnosticStatus.ERROR and words in status.message
    assert words in node.output() and 'Traceback' not in node.output()
    # The node is still running, and works with a valid value.
    good = {'model.path': str(tiny_model), 'model.engine': 'auto', 'model.device': 'cpu',
            'model.precision': 'auto', 'input.width': 0, 'overlay.alpha': 0.5,
            'output.classes': ['Road']}
    name = next(iter(parameters))
    assert probe.set_parameter(NODE, name, good[name]).successful
    probe.bring_up(NODE)


def test_parameters_change_at_run_time(start, probe, camera):
    start()
    probe.subscribe(Image, f'{NODE}/overlay')
    probe.subscribe(Image, f'{NODE}/color')
    probe.bring_up(NODE)
    camera.wait_for_node()
    for name, value, words in [
            ('overlay.alpha', 1.5, 'overlay.alpha'),
            ('overlay.alpha', 'much', 'a number'),
            ('model.engine', 'torch', 'clean it up first'),
            ('input.width', 128, 'clean it up first')]:
        result = probe.set_parameter(NODE, name, value)
        assert not result.successful and words in result.reason
    assert probe.get_parameter(NODE, 'overlay.alpha').double_value == 0.5
    for alpha in (1, 0.0):  # an integer for a double
        assert probe.set_parameter(NODE, 'overlay.alpha', alpha).successful

    def plain(message):
        overlay = result_of(probe, f'{NODE}/overlay', message)
        return overlay is not None and np.array_equal(
            image_to_array(overlay).image, image_to_array(message).image)

    camera.send_until(plain)
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert probe.change_state(NODE, transition)
    assert probe.set_parameter(NODE, 'input.width', 128).successful


def test_parameters_describe_themselves(start, probe):
    start()
    names = ['model.path', 'model.engine', 'input.width', 'output.classes', 'overlay.alpha']
    descriptors = probe.call(DescribeParameters, f'{NODE}/describe_parameters',
                             DescribeParameters.Request(names=names)).descriptors
    assert all(descriptor.description for descriptor in descriptors)
    assert 'auto, torch' in descriptors[1].description
    assert descriptors[2].integer_range[0].to_value == 8192
    assert descriptors[4].floating_point_range[0].to_value == 1.0
    assert descriptors[0].type == ParameterType.PARAMETER_STRING


def test_repeated_life_cycles(start, probe, camera):
    node = start()
    probe.subscribe(Image, f'{NODE}/label')
    for _ in range(3):
        probe.bring_up(NODE)
        camera.wait_for_node()
        camera.send_until(lambda m: result_of(probe, f'{NODE}/label', m))
        for _ in range(3):  # frames in progress while it stops
            camera.send()
        assert probe.change_state(NODE, Transition.TRANSITION_DEACTIVATE)
        message = camera.send()
        probe.spin(0.5)  # in which labels of frames in progress may arrive
        assert not result_of(probe, f'{NODE}/label', message), 'an inactive node published'
        assert probe.change_state(NODE, Transition.TRANSITION_CLEANUP)
        assert probe.state(NODE) == 'unconfigured'
    assert node.stop() == 0
    assert 'Traceback' not in node.output()


def test_a_camera_that_was_never_received_is_reported(start, probe):
    start()
    probe.bring_up(NODE)
    status = probe.wait(lambda: next(
        (s for s in [probe.status(NODE)] if s.level == DiagnosticStatus.WARN), None), 'a warning')
    assert 'no image on /image' in status.message


@pytest.mark.parametrize('engine', ['auto', pytest.param('native', marks=needs_native)])
def test_ctrl_c_while_frames_are_processed(start, probe, camera, engine):
    node = start({'model.engine': engine})
    probe.subscribe(Image, f'{NODE}/label')
    probe.bring_up(NODE)
    camera.wait_for_node()
    camera.send_until(lambda m: result_of(probe, f'{NODE}/label', m))
    for _ in range(5):
        camera.send()
    assert node.stop() == 0
    assert 'Traceback' not in node.output() and 'Error' not in node.output()
