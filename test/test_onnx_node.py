"""The segmentation node with an ONNX network of another program, observed over DDS."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('onnx')
pytest.importorskip('openvino')

from camera import result_of
from enet_ros.msg import FrameTiming, LabelMap
from nodes import LATCHED
from onnx_networks import NAMES, SmallNetwork, describe, export
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from enet_ros.images.postprocess import scale_labels
from enet_ros.ros.convert import array_to_image, image_to_array
from enet_ros.segmenter import Segmenter

NODE = '/segmentation_node'
LABEL, PERSON = f'{NODE}/label', f'{NODE}/mask/person'


class FailingOnBrightImages(SmallNetwork):
    """Predicts NaN unless the image is dark."""

    def forward(self, image):
        return super().forward(image) + 0 * (0.1 - image.mean()).log()


def test_frames_are_segmented_and_the_network_is_replaced(start, probe, camera, tmp_path):
    file = export(SmallNetwork(stride=4), tmp_path / 'net.onnx', free=True)
    describe(file, stride=4, mean=[0, 0, 0], std=[1, 1, 1])
    node = start({'model.path': file, 'model.engine': 'openvino', 'model.precision': 'float32',
                  'latency.budget_ms': 60000, 'latency.adaptive': True})
    for topic in (LABEL, PERSON):
        probe.subscribe(Image, topic)
    probe.subscribe(FrameTiming, f'{NODE}/timing')
    probe.subscribe(LabelMap, f'{NODE}/label_map', LATCHED)
    probe.bring_up(NODE)
    camera.wait_for_node()
    topics = [LABEL, PERSON, f'{NODE}/timing']

    def shows_two_classes(message):  # not all images of the camera do
        results = [result_of(probe, topic, message) for topic in topics]
        return all(results) and len(set(results[0].data)) > 1

    message = camera.send_until(shows_two_classes)
    label, person, timing = (result_of(probe, topic, message) for topic in topics)
    frame = image_to_array(message)
    segmenter = Segmenter.load(file, engine='openvino', precision='float32', device='cpu')
    expected = scale_labels(segmenter(frame.image, frame.order).labels, 160, 90)
    labels = np.array(label.data, np.uint8).reshape(90, 160)
    assert (labels == expected).mean() > 0.99
    assert np.array_equal(np.array(person.data, np.uint8).reshape(90, 160),
                          np.where(labels == NAMES.index('person'), 255, 0))
    assert timing.engine == 'openvino cpu float32'
    assert (timing.network_width, timing.network_height) == (64, 48)
    label_map = probe.wait(lambda: probe.received[f'{NODE}/label_map'], 'the label map')[0]
    assert [entry.name for entry in label_map.classes] == NAMES
    assert [entry.drivable for entry in label_map.classes] == [name == 'floor' for name in NAMES]

    def reload():
        return probe.call(Trigger, f'{NODE}/reload', Trigger.Request())

    describe(file, stride=4, output='labels')
    response = reload()
    assert not response.success and 'describes labels of 5 classes' in response.message
    assert '\n' not in response.message
    camera.send_until(lambda m: result_of(probe, LABEL, m))  # with the network in use
    export(FailingOnBrightImages(stride=4), file, free=True)
    describe(file, stride=4, mean=[0, 0, 0], std=[1, 1, 1])
    response = reload()
    assert response.success, response.message

    def shows_error():
        camera.send()
        return 'net.onnx predicts values that are not finite' in str(probe.status(NODE))

    probe.wait(shows_error, 'error in the diagnostics')
    dark = np.zeros((90, 160, 3), np.uint8)
    camera.send_until(lambda m: result_of(probe, LABEL, m),
                      make=lambda: array_to_image(dark, 'bgr8', camera.header()))
    assert node.alive and 'Traceback' not in node.output()
