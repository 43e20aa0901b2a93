"""The lifecycle node that segments the images of cameras."""

from contextlib import ExitStack
from dataclasses import dataclass

import cv2
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_srvs.srv import SetBool, Trigger

from enet_ros.config import SegmentationConfig
from enet_ros.errors import BadInput
from enet_ros.label_space.files import LabelSpaceFiles, read_files
from enet_ros.label_space.space import LabelSpace, label_space
from enet_ros.latency.model_pool import ModelPool
from enet_ros.ros.background_task import BackgroundTask
from enet_ros.ros.camera_stream import CameraStream
from enet_ros.ros.diagnostics import DiagnosticTexts
from enet_ros.ros.frames import CameraFrame
from enet_ros.ros.label_map_publisher import LabelMapPublisher
from enet_ros.ros.lifecycle import ManagedNode
from enet_ros.ros.log_forwarder import LogForwarder
from enet_ros.ros.outputs import SegmentedFrame, mask_topics, segmentation_outputs
from enet_ros.ros.pipeline import PipelineResources
from enet_ros.ros.process import run_nodes
from enet_ros.ros.segmentation_processor import SegmentationProcessor

TEXTS = DiagnosticTexts('segmentation', 'segmenting', 'the camera',
                        'a smaller network size, latency.adaptive')


@dataclass(kw_only=True)
class SegmentationResources(PipelineResources[CameraStream, CameraFrame, SegmentedFrame]):
    """The resources of a configured segmentation node."""

    pool: ModelPool
    label_files: LabelSpaceFiles
    space: LabelSpace
    label_map: LabelMapPublisher


class SegmentationNode(ManagedNode[SegmentationConfig, SegmentationResources]):
    """Segments the newest images of its cameras and publishes what has subscribers.

    The executor's thread only stores images; a worker thread does everything else, one camera
    after another.
    """

    def __init__(self) -> None:
        super().__init__('segmentation_node', SegmentationConfig, TEXTS)
        self.diagnostics.current_values = self._network_size
        self.create_service(SetBool, '~/enable', self._enable)
        # In a callback group of its own, so that images are received while it waits.
        self.create_service(Trigger, '~/reload', self._reload,
                            callback_group=MutuallyExclusiveCallbackGroup())

    def _create(self, config: SegmentationConfig, cleanup: ExitStack) -> SegmentationResources:
        log_forwarder = LogForwarder(self.get_logger())
        log_forwarder.open()
        cleanup.callback(log_forwarder.close)
        clock = self.age_clock()
        label_files = read_files(config.output)
        pool = BackgroundTask(self, lambda: ModelPool(config, clock)).wait()
        space = label_space(pool.labels, label_files)
        masks = mask_topics(pool.labels, config.output.classes, label_files.groups)
        outputs = segmentation_outputs(masks, space.encoding)
        label_map = LabelMapPublisher(self)
        cleanup.callback(label_map.destroy)
        streams = []
        for name in config.cameras or ['']:
            streams.append(CameraStream(self, name, outputs, clock, self.parameters.read,
                                        self._receive))
            cleanup.callback(streams[-1].destroy)
        processor = SegmentationProcessor(pool, space, streams, self.get_logger())
        self._show_settings(pool, space)
        return SegmentationResources(clock=clock, streams=streams, processor=processor, pool=pool,
                                     label_files=label_files, space=space, label_map=label_map)

    def _start(self, config: SegmentationConfig, resources: SegmentationResources,
               deactivation: ExitStack) -> None:
        self._publish_label_map(config, resources)
        resources.start(self.get_logger(), deactivation)
        for stream in resources.streams:
            stream.start_receiving(config.input.transport)
        self.diagnostics.streams = resources.streams

    def _receive(self, stream: CameraStream, frame: CameraFrame) -> None:
        resources = self.resources
        if resources is None or resources.pipeline is None:  # deactivated in the meantime
            return
        self._publish_label_map(frame.config, resources)
        if self.diagnostics.enabled:
            resources.pipeline.put(stream, frame)
        else:
            stream.statistics.dropped('switched off')

    def _publish_label_map(self, config: SegmentationConfig,
                           resources: SegmentationResources) -> None:
        resources.label_map.publish(resources.space, resources.pool.path,
                                    config.output.confidence_threshold)

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.diagnostics.enabled = request.data
        response.success = True
        response.message = 'segmenting' if request.data else 'images are dropped'
        return response

    async def _reload(self, request: Trigger.Request,
                      response: Trigger.Response) -> Trigger.Response:
        resources = self.resources
        try:
            if resources is None:
                raise BadInput('there is no model to replace; configure the node')
            await self._replace_model(resources)
        except Exception as error:  # the model in use stays in use
            if resources is not None and self.resources is resources:
                self.report_error(error, 'cannot reload: ')
            response.success, response.message = False, str(error)
        else:
            response.success, response.message = True, f'{resources.pool.path} is in use'
        return response

    async def _replace_model(self, resources: SegmentationResources) -> None:
        """Load the model of the current parameters and use it from the next frame on."""
        config, old = self.parameters.read(), resources.pool
        pool = await BackgroundTask(self, lambda: ModelPool(config, resources.clock)).future
        if self.resources is not resources:
            raise BadInput('the node was cleaned up meanwhile; configure it')
        if pool.labels.names != old.labels.names:
            raise BadInput(f'the classes of {pool.path} are not those in use, which determine '
                           'the topics; clean the node up and configure it')
        space = label_space(pool.labels, resources.label_files)
        resources.pool, resources.space = pool, space
        resources.processor = SegmentationProcessor(pool, space, resources.streams,
                                                    self.get_logger())
        self.diagnostics.error = ''
        self._show_settings(pool, space)
        if resources.pipeline is not None:  # an inactive node cannot publish
            resources.pipeline.processor = resources.processor
            self._publish_label_map(config, resources)

    def _show_settings(self, pool: ModelPool, space: LabelSpace) -> None:
        """Log what was requested and what runs, and show it in the diagnostics."""
        settings = {**pool.summary(), 'label ids': space.summary()}
        self.diagnostics.settings = settings
        self.get_logger().info(', '.join(f'{name}: {value}' for name, value in settings.items()))
        if warning := space.warning():
            self.get_logger().warning(warning)

    def _network_size(self) -> dict[str, str]:
        if self.resources is None:
            return {}
        width, height = self.resources.pool.segmenter.size
        return {'network size': f'{width}x{height}'}


def main() -> int:
    cv2.setNumThreads(1)  # OpenCV shares the cores with the network
    return run_nodes(SegmentationNode)


if __name__ == '__main__':
    main()
