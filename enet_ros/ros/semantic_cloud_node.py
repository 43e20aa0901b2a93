"""The lifecycle node that turns label and depth images into labeled point clouds."""

from contextlib import ExitStack
from dataclasses import dataclass

from rclpy.context import Context

from enet_ros.pointcloud.config import SemanticCloudConfig
from enet_ros.ros.camera_pose import make_pose_source
from enet_ros.ros.cloud_processor import CloudProcessor
from enet_ros.ros.cloud_stream import CloudStream
from enet_ros.ros.diagnostics import DiagnosticTexts
from enet_ros.ros.frames import DepthFrame
from enet_ros.ros.lifecycle import ManagedNode
from enet_ros.ros.outputs import CloudFrame
from enet_ros.ros.pipeline import PipelineResources
from enet_ros.ros.process import run_nodes

TEXTS = DiagnosticTexts('semantic cloud', 'making labeled points', 'the segmentation node',
                        'smaller depth images')


@dataclass(kw_only=True)
class CloudResources(PipelineResources[CloudStream, DepthFrame, CloudFrame]):
    """The resources of a configured semantic cloud node, which has one stream."""

    processor: CloudProcessor


class SemanticCloudNode(ManagedNode[SemanticCloudConfig, CloudResources]):
    """Labels the points of the newest depth image and publishes what has subscribers.

    The executor's thread only groups messages; a worker thread does everything else.
    """

    def __init__(self, cli_args: list[str] | None = None, context: Context | None = None) -> None:
        super().__init__('semantic_cloud_node', SemanticCloudConfig, TEXTS, cli_args, context)
        self.diagnostics.current_values = self._current_values

    def _create(self, config: SemanticCloudConfig, cleanup: ExitStack) -> CloudResources:
        clock = self.age_clock()
        pose_source = make_pose_source(self, config)
        cleanup.callback(pose_source.close)
        stream = CloudStream(self, clock, self.parameters.read, self._receive)
        cleanup.callback(stream.destroy)
        limit = config.input.max_stamp_difference_ms
        self.diagnostics.settings = {
            'base frame': config.base_frame, 'pose from': config.camera.pose,
            'stamps': f'matched within {limit:g} ms' if limit else 'equal'}
        processor = CloudProcessor(pose_source, self.get_logger())
        return CloudResources(clock=clock, streams=[stream], processor=processor)

    def _start(self, config: SemanticCloudConfig, resources: CloudResources,
               deactivation: ExitStack) -> None:
        resources.start(self.get_logger(), deactivation)
        for stream in resources.streams:
            stream.start_receiving(config.input)
        self.diagnostics.streams = resources.streams

    def _receive(self, stream: CloudStream, frame: DepthFrame) -> None:
        if self.resources and self.resources.pipeline:  # not deactivated in the meantime
            self.resources.pipeline.put(stream, frame)

    def _current_values(self) -> dict[str, str]:
        """Return what the newest frame shows for the diagnostics."""
        if self.resources is None:
            return {}
        processor = self.resources.processor
        values = {'pixels with depth in %': f'{100 * processor.measured:.1f}'}
        if tables := processor.tables.newest:
            x, y, z = tables.inputs.pose.position
            values['camera at x, y, z in meters'] = f'{x:.3f}, {y:.3f}, {z:.3f}'
            values['pitch in rad'] = f'{tables.inputs.pose.pitch:.4f}'
        return values


def main() -> int:
    return run_nodes(SemanticCloudNode)


if __name__ == '__main__':
    main()
