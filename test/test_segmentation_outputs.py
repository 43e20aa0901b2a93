"""Output sizes, compressed images and lazy outputs of the segmentation node."""

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import Camera, result_of
from nodes import LATCHED
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from enet_ros.labels import CAMVID
from enet_ros.ros.convert import image_to_array
from enet_ros.segmenter import Segmenter

NODE = '/segmentation_node'
ENGINE = {'engine': 'torch', 'device': 'cpu', 'precision': 'float32'}
PARAMETERS = {f'model.{name}': value for name, value in ENGINE.items()}


def plane(message):
    assert message.encoding == 'mono8' and message.step == message.width
    return np.array(message.data, np.uint8).reshape(message.height, message.width)


def outputs_of(probe, camera, types):
    """Return an image and the outputs for it, by topic."""
    for topic, kind in types.items():
        probe.subscribe(kind, f'{NODE}/{topic}')
    probe.bring_up(NODE)
    camera.wait_for_node()

    def make():
        camera.send_info(2 * camera.size[0], 2 * camera.size[1])
        return camera.image()

    message = camera.send_until(make=make, is_done=lambda m: all(
        result_of(probe, f'{NODE}/{topic}', m) for topic in types))
    return message, {topic: result_of(probe, f'{NODE}/{topic}', message) for topic in types}


@pytest.mark.parametrize('settings, size', [
    ({'output.size': 'network'}, (64, 48)),
    ({'output.size': '100x80'}, (100, 80)),
    ({'output.size': '100x80', 'output.filter': 'linear'}, (100, 80))], ids=str)
def test_the_size_of_outputs(start, probe, camera, tiny_model, settings, size):
    start({**PARAMETERS, **settings})
    types = {'label': Image, 'confidence': Image, 'mask/road': Image, 'color': Image,
             'overlay': Image, 'camera_info': CameraInfo}
    message, got = outputs_of(probe, camera, types)
    assert {(output.width, output.height) for output in got.values()} == {size}
    fixed = None if settings['output.size'] == 'network' else size
    segmenter = Segmenter.load(tiny_model, **ENGINE, output_size=fixed,
                               filter=settings.get('output.filter', 'nearest'))
    frame = image_to_array(message)
    right = segmenter(frame.image, frame.order)
    labels = plane(got['label'])
    assert (labels == right.labels).mean() > 0.99
    assert np.abs(plane(got['confidence']) - right.confidence.astype(int)).mean() < 1
    assert np.array_equal(plane(got['mask/road']) == 255, labels == CAMVID.id_of('Road'))
    assert np.array_equal(image_to_array(got['color']).rgb(), CAMVID.palette()[labels])
    sx, sy = size[0] / 320, size[1] / 180
    assert got['camera_info'].k == pytest.approx(
        [200 * sx, 0, 160 * sx, 0, 200 * sy, 90 * sy, 0, 0, 1])


def test_uncertain_pixels_have_no_class(start, probe, camera):
    start(PARAMETERS)
    _, got = outputs_of(probe, camera, {'label': Image, 'confidence': Image})
    assert (plane(got['label']) < 255).all()
    level = int(np.median(plane(got['confidence'])))
    assert probe.set_parameter(NODE, 'output.confidence_threshold', level / 255).successful

    def hidden(message):
        label, confidence = (result_of(probe, f'{NODE}/{topic}', message)
                             for topic in ('label', 'confidence'))
        if label is None or confidence is None or (plane(label) < 255).all():
            return False
        uncertain = plane(confidence) < level
        assert 0 < uncertain.mean() < 1, 'nothing is tested'
        return np.array_equal(plane(label) == 255, uncertain)

    camera.send_until(hidden)


@pytest.mark.parametrize('form', ['jpeg', 'png'])
def test_compressed_images(start, probe, tiny_model, form):
    node = start({**PARAMETERS, 'input.transport': 'compressed'})
    camera = Camera(probe, compressed=form)
    message, got = outputs_of(probe, camera,
                              {'label': Image, 'overlay/compressed': CompressedImage})
    picture = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
    labels = plane(got['label'])
    right = Segmenter.load(tiny_model, **ENGINE, output_size=(160, 90))(picture, 'bgr').labels
    assert (labels == right).mean() > 0.99
    overlay = got['overlay/compressed']
    assert overlay.format == 'bgr8; jpeg compressed bgr8'
    pixels = cv2.imdecode(np.frombuffer(overlay.data, np.uint8), cv2.IMREAD_COLOR)
    blend = cv2.addWeighted(picture, 0.5, CAMVID.palette()[labels][..., ::-1], 0.5, 0)
    _, right = cv2.imencode('.jpg', blend, [cv2.IMWRITE_JPEG_QUALITY, 80])
    right = cv2.imdecode(right, cv2.IMREAD_COLOR)
    assert pixels.shape == picture.shape and np.abs(pixels - right.astype(int)).mean() < 2
    # A truncated image, and data that is no image.
    whole = bytes(message.data)
    for data, words in [(whole[:len(whole) // 2], ('is truncated', 'cannot be decoded')),
                        (b'', ('cannot be decoded',)), (b'no image', ('cannot be decoded',))]:
        bad = CompressedImage(header=camera.header(), format=message.format, data=data)

        def reported(bad=bad, words=words):
            camera.send(bad)
            return any(word in probe.status(NODE).message for word in words)

        probe.wait(reported, f'a report of {len(data)} bytes')
        camera.send_until(lambda m: result_of(probe, f'{NODE}/label', m))
    assert 'Traceback' not in node.output()


def test_only_outputs_with_subscribers_are_made(start, probe, camera):
    start(PARAMETERS)
    probe.bring_up(NODE)
    camera.wait_for_node()

    def published():
        values = {entry.key: entry.value for entry in probe.status(NODE).values}
        return int(values.get('images published', 0))

    camera.stream(seconds=2, rate=5)
    assert published() == 0
    for topic in ('label', 'mask/car', 'overlay', 'confidence'):
        subscription = probe.subscribe(Image, f'{NODE}/{topic}')
        camera.send_until(lambda m, topic=topic: result_of(probe, f'{NODE}/{topic}', m))
        probe.node.destroy_subscription(subscription)

        def idle():
            before = published()
            camera.stream(seconds=1, rate=5)
            return published() == before

        probe.wait(idle, 'the end of the work')


def test_label_info(start, probe):
    vision_msgs = pytest.importorskip('vision_msgs.msg', reason='needs vision_msgs')
    start({**PARAMETERS, 'output.confidence_threshold': 0.25})
    probe.bring_up(NODE)
    topic = f'{NODE}/label_info'
    probe.subscribe(vision_msgs.LabelInfo, topic, LATCHED)
    info = probe.wait(lambda: probe.received[topic], 'the label info')[0]
    assert [(entry.class_id, entry.class_name) for entry in info.class_map] == list(
        enumerate(CAMVID.names))
    assert info.threshold == pytest.approx(0.25)


def test_the_transport_selects_the_image_topic(start, probe):
    start({**PARAMETERS, 'cameras': '[front]', 'input.transport': 'compressed'})
    probe.subscribe(Image, f'{NODE}/front/label')
    probe.bring_up(NODE)
    raw, compressed = Camera(probe, '/front'), Camera(probe, '/front', compressed='jpeg')
    probe.wait(compressed.publisher.get_subscription_count, 'the node to subscribe')
    assert raw.publisher.get_subscription_count() == 0
    compressed.send_until(lambda m: result_of(probe, f'{NODE}/front/label', m))
