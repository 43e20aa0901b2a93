"""The managed node that turns a camera's images into labels, masks and pictures."""

import logging
import time
import traceback
from dataclasses import asdict
from typing import NamedTuple

import cv2
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import ColorRGBA

from enet_ros.budget import StageTimer
from enet_ros.config import SegmentationConfig
from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELLED
from enet_ros.msg import ClassInfo, FrameTiming, LabelMap
from enet_ros.postprocess import Painter
from enet_ros.ros.convert import array_to_image, image_to_array, scale_camera_info
from enet_ros.ros.node_diagnostics import NodeDiagnostics
from enet_ros.ros.parameters import Parameters
from enet_ros.ros.spin import spin
from enet_ros.ros.worker import NewestWorker
from enet_ros.segmenter import Segmenter

CAMERA_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
RESULT_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LATCHED_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.TRANSIENT_LOCAL)
CORE = logging.getLogger('enet_ros')  # engines tell it of builds and caches
CORE.setLevel(logging.INFO)
DONE, FAILED = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class Arrival(NamedTuple):
    """An image message and when it came: seconds of the monotonic clock, age in milliseconds."""

    message: Image
    at: float
    age_ms: float


class SegmentationNode(LifecycleNode):
    """Segments the newest image of a camera and publishes what somebody subscribes to."""

    def __init__(self):
        super().__init__('segmentation_node')
        self.parameters = Parameters(self, SegmentationConfig)
        self.diagnostics = NodeDiagnostics(self)
        self.segmenter = self.painter = self.worker = None
        self.inputs = []
        self.outputs = {}
        self.core_log = RosLog(self.get_logger())

    # Life cycle. Each teardown undoes exactly what its set-up did.

    def on_configure(self, state):
        try:
            self._configure(self.parameters.read())
        except Exception as error:  # rclpy would swallow it
            self._release()
            self._report(error, 'cannot configure: ')
            return FAILED
        return super().on_configure(state)

    def on_activate(self, state):
        self.camera_info = None
        self.diagnostics.activated(self.resolve_topic_name('image'))
        result = super().on_activate(state)
        self.outputs['label_map'].publish(self.label_map)
        self.worker = NewestWorker(self._handle)
        self.inputs = [
            self.create_subscription(CameraInfo, 'camera_info', self._keep_info, CAMERA_QOS),
            self.create_subscription(Image, 'image', self._keep_image, CAMERA_QOS),
        ]
        return result

    def on_deactivate(self, state):
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state):
        self._release()
        return DONE

    def on_shutdown(self, state):
        self.close()
        return DONE

    def on_error(self, state):
        self.close()
        return DONE

    def close(self):
        """Stop and free everything, from whatever state."""
        self._stop()
        self._release()

    def _configure(self, config):
        CORE.addHandler(self.core_log)
        asked = config.model
        self.segmenter = Segmenter.load(**asdict(asked), width=config.input.width,
                                        height=config.input.height)
        warm_up = self.segmenter.warm_up()
        labels = self.segmenter.labels
        self.masks = masks_of(labels, config.output.classes)
        self.painter = Painter(labels.palette()[:, ::-1], self.masks)
        self.label_map = describe_labels(asked.path, labels, self.get_clock().now().to_msg())
        self._create_outputs()
        self.parameters.locked = 'the node is configured; clean it up first'
        engine, size = self.segmenter.engine, self.segmenter.size
        wish = f'{asked.engine} {asked.device} {asked.precision}'
        self.diagnostics.configured({
            'model': asked.path, 'engine asked': wish, 'engine': engine.name,
            'engine reason': engine.reason, 'network size': f'{size[0]}x{size[1]}',
            'warm-up ms': f'{warm_up:.0f}'})
        self.get_logger().info(
            f'model {asked.path}: {len(labels)} classes of {labels.name}, network size '
            f'{size[0]}x{size[1]}; engine asked for: {wish}, got: {engine.name}, since '
            f'{engine.reason}; warm-up took {warm_up:.0f} ms')

    def _create_outputs(self):
        types = {'label': Image, 'color': Image, 'overlay': Image, 'camera_info': CameraInfo,
                 'timing': FrameTiming, **{f'mask/{topic}': Image for topic in self.masks}}
        for topic, kind in types.items():
            self.outputs[topic] = self.create_lifecycle_publisher(kind, f'~/{topic}', RESULT_QOS)
        self.outputs['label_map'] = self.create_lifecycle_publisher(
            LabelMap, '~/label_map', LATCHED_QOS)

    def _stop(self):
        for subscription in self.inputs:
            self.destroy_subscription(subscription)
        self.inputs = []
        if self.worker is not None:
            self.worker.stop()
            self.worker = None
        self.diagnostics.deactivated()

    def _release(self):
        for publisher in self.outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self.outputs = {}
        self.segmenter = self.painter = None
        CORE.removeHandler(self.core_log)
        self.parameters.locked = ''
        self.diagnostics.released()

    # Frames. The executor's thread only stores; the worker's does all else.

    def _keep_info(self, message):
        self.camera_info = message

    def _keep_image(self, message):
        age = self.get_clock().now() - Time.from_msg(message.header.stamp)
        self.diagnostics.received()
        if self.worker.put(Arrival(message, time.monotonic(), age.nanoseconds / 1e6)):
            self.diagnostics.dropped('superseded')

    def _handle(self, arrival):
        try:
            self._segment(arrival)
        except BadInput as error:
            self.diagnostics.dropped('unusable')
            self._report(error, 'image dropped: ')
        except Exception as error:  # the next frame may be fine
            if not self.context.ok():
                return
            self.diagnostics.dropped('failed')
            self._report(error, 'image dropped: ')

    def _segment(self, arrival):
        wanted = {topic for topic, publisher in self.outputs.items()
                  if publisher.get_subscription_count()} - {'label_map'}
        if not wanted:
            return
        config = self.parameters.read()
        header = arrival.message.header
        timer = StageTimer(time.monotonic)
        started = timer.clock()
        with timer.stage('conversion'):
            frame = image_to_array(arrival.message, config.input.white_level)
        result = self.segmenter(frame.image, frame.order, confidence=False)
        with timer.stage('postprocessing'):
            images = self._draw(wanted, frame, result.labels, config.overlay.alpha)
        with timer.stage('publishing'):
            for topic, (encoding, image) in images.items():
                self.outputs[topic].publish(array_to_image(image, encoding, header))
            if 'camera_info' in wanted and self.camera_info is not None:
                info = scale_camera_info(self.camera_info, *frame.image.shape[1::-1])
                info.header = header
                self.outputs['camera_info'].publish(info)
        stages = {'queueing': 1e3 * (started - arrival.at), **timer.milliseconds,
                  **result.timings}
        total = 1e3 * (timer.clock() - arrival.at)
        self.diagnostics.segmented(stages, total)
        self.outputs['timing'].publish(FrameTiming(
            header=header, age_on_arrival_ms=arrival.age_ms, total_ms=total, within_budget=True,
            dropped=self.diagnostics.all_dropped, engine=self.segmenter.engine.name,
            network_width=self.segmenter.size[0], network_height=self.segmenter.size[1],
            **{f'{stage}_ms': value for stage, value in stages.items()}))

    def _draw(self, wanted, frame, labels, alpha):
        """Return {topic: (encoding, image)} at the camera image's size for the topics wanted."""
        pictures = self.painter.paint(wanted, labels, frame.image, frame.order, alpha)
        return {topic: ('mono8' if picture.ndim == 2 else 'bgr8', picture)
                for topic, picture in pictures.items()}

    def _report(self, error, prefix):
        """Log what went wrong, once a second at most, and keep it for the diagnostics."""
        self.diagnostics.failed(error)
        text = str(error) if isinstance(error, BadInput) else traceback.format_exc()
        self.get_logger().error(prefix + text, throttle_duration_sec=1.0)


class RosLog(logging.Handler):
    """Hands warnings and notices of the core to a node's logger."""

    def __init__(self, logger):
        super().__init__(logging.INFO)
        self.logger = logger

    def emit(self, record):
        say = self.logger.warning if record.levelno >= logging.WARNING else self.logger.info
        say(record.getMessage())


def masks_of(labels, names):
    """Return {topic name: class id} of the classes that get a mask; all where `names` is empty."""
    masks = {}
    for name in names or labels.names:
        class_id = labels.id_of(name)
        topic = labels.classes[class_id].topic_name
        if topic in masks:
            raise BadInput(f'output.classes: {name!r} and {labels.names[masks[topic]]!r} would '
                           f'both be published as mask/{topic}; leave one out')
        masks[topic] = class_id
    return masks


def describe_labels(model, labels, stamp):
    """Return the LabelMap message of a model's label set."""
    message = LabelMap(model=model, unlabelled_id=UNLABELLED)
    message.header.stamp = stamp
    for class_id, label in enumerate(labels.classes):
        red, green, blue = (channel / 255 for channel in label.color)
        message.classes.append(ClassInfo(
            id=class_id, name=label.name, drivable=label.drivable,
            color=ColorRGBA(r=red, g=green, b=blue, a=1.0)))
    return message


def main():
    # One thread fewer than OpenCV would take: it shares the cores with the network.
    cv2.setNumThreads(1)
    return spin(SegmentationNode)


if __name__ == '__main__':
    main()
