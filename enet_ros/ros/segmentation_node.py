"""The managed node that turns images of cameras into labels, masks and pictures."""

import cv2
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_srvs.srv import SetBool, Trigger

from enet_ros.config import SegmentationConfig
from enet_ros.errors import BadInput
from enet_ros.latency.model_pool import ModelPool
from enet_ros.ros.background_task import Background
from enet_ros.ros.camera_stream import CameraStream
from enet_ros.ros.core_log import CoreLog
from enet_ros.ros.frame_handler import FrameHandler
from enet_ros.ros.label_messages import masks_of
from enet_ros.ros.label_topics import LabelTopics
from enet_ros.ros.managed_node import ManagedNode
from enet_ros.ros.node_diagnostics import Words
from enet_ros.ros.spin import spin
from enet_ros.ros.worker import FairWorker

WORDS = Words('segmentation', 'segmenting', 'the camera',
              'a smaller network size, latency.adaptive')


class SegmentationNode(ManagedNode):
    """Segments the newest images of its cameras and publishes what somebody subscribes to.

    The executor's thread only stores images; a worker's does all else, camera after camera.
    """

    def __init__(self):
        super().__init__('segmentation_node', SegmentationConfig, WORDS)
        self.diagnostics.present = self._network_size
        self.core_log = CoreLog(self.get_logger())
        self.pool = self.labels = self.handler = self.worker = None
        self.streams = []
        self.background = Background(self)
        self.create_service(SetBool, '~/enable', self._enable)
        # A group of its own: images come while it waits.
        self.create_service(Trigger, '~/reload', self._reload,
                            callback_group=MutuallyExclusiveCallbackGroup())

    # Life cycle. Each teardown undoes exactly what its set-up did.

    def close(self):
        super().close()
        self.background.join()

    def _configure(self, config):
        self.core_log.open()
        self.clock = self.age_clock()
        pool = ModelPool(config, self.clock)
        masks = masks_of(pool.labels, config.output.classes)
        self.labels = LabelTopics(self)
        for name in config.cameras or ['']:
            self.streams.append(CameraStream(self, name, masks, self.clock, self._arrived))
        self._use(pool, config)

    def _start(self, config):
        self._announce(config)
        self.worker = FairWorker(self.handler)
        for stream in self.streams:
            stream.open(config.input.transport)
        self.diagnostics.streams = self.streams

    def _use(self, pool, config):
        """Segment with a model from the next frame on."""
        self.handler = FrameHandler(pool, masks_of(pool.labels, config.output.classes),
                                    self.streams, self.clock, self.get_logger())
        if self.worker is not None:
            self.worker.handle = self.handler
        self.pool = pool
        self.diagnostics.facts = facts = pool.summary()
        self.diagnostics.error = ''
        self.get_logger().info(', '.join(f'{name}: {fact}' for name, fact in facts.items()))

    def _stop(self):
        for stream in self.streams:
            stream.shut()
        if self.worker is not None:
            self.worker.stop()
            self.worker = None

    def _release(self):
        for stream in self.streams:
            stream.destroy()
        self.streams = []
        if self.labels is not None:
            self.labels.destroy()
        self.pool = self.labels = self.handler = None
        self.core_log.close()

    # What comes in.

    def _arrived(self, stream, arrival):
        if self.worker is None:  # it was on its way when the node stopped
            return
        self._announce(arrival.config)
        age = arrival.age(arrival.at)
        if not self.diagnostics.enabled:
            stream.statistics.dropped('switched off')
        elif reason := stream.admission.on_arrival(age, arrival.config.latency.max_age_ms):
            self.handler.drop(stream, arrival, reason)
        elif self.worker.put(stream, arrival):
            stream.statistics.dropped('superseded')

    def _announce(self, config):
        self.labels.announce(self.pool.labels, self.pool.path,
                             config.output.confidence_threshold)

    def _enable(self, request, response):
        self.diagnostics.enabled = request.data
        response.success = True
        response.message = 'segmenting' if request.data else 'images are dropped'
        return response

    async def _reload(self, request, response):
        old = self.pool
        try:
            await self._load_beside(old)
        except Exception as error:  # the model in use stays in use
            if old is not None and self.pool is old:  # else the node is in no fault
                self.tell(error, 'cannot reload: ')
            response.success, response.message = False, str(error)
        else:
            response.success, response.message = True, f'{self.pool.path} is in use'
        return response

    async def _load_beside(self, old):
        """Make the model of the present parameters ready, and use it if all goes well."""
        if old is None:
            raise BadInput('there is no model to exchange; configure the node')
        config = self.parameters.read()
        pool = await self.background.do(lambda: ModelPool(config, self.clock))
        if self.pool is not old:
            raise BadInput('the node was cleaned up meanwhile; configure it')
        if pool.labels.names != old.labels.names:
            raise BadInput(f'the classes of {pool.path} are not those in use, on which topics '
                           'depend; clean the node up and configure it')
        self._use(pool, config)
        if self.worker is not None:  # else nothing can be published before the node starts
            self._announce(config)

    def _network_size(self):
        width, height = self.pool.segmenter.size
        return {'network size': f'{width}x{height}'}


def main():
    # One thread fewer than OpenCV would take: it shares the cores with the network.
    cv2.setNumThreads(1)
    return spin(SegmentationNode)


if __name__ == '__main__':
    main()
