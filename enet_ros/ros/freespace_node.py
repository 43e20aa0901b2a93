"""The lifecycle node that turns label images into free space for planners."""

from contextlib import ExitStack
from dataclasses import dataclass

from rclpy.context import Context

from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.ros.camera_pose import make_pose_source
from enet_ros.ros.diagnostics import DiagnosticTexts
from enet_ros.ros.frames import LabelFrame
from enet_ros.ros.freespace_processor import FreeSpaceProcessor
from enet_ros.ros.label_stream import LabelStream
from enet_ros.ros.lifecycle import ManagedNode
from enet_ros.ros.odometry import OdometryTrack
from enet_ros.ros.outputs import FreeSpaceFrame
from enet_ros.ros.pipeline import PipelineResources
from enet_ros.ros.process import run_nodes

TEXTS = DiagnosticTexts('free space', 'finding free space', 'the segmentation node',
                        'a coarser grid')


@dataclass(kw_only=True)
class FreeSpaceResources(PipelineResources[LabelStream, LabelFrame, FreeSpaceFrame]):
    """The resources of a configured free space node, which has one stream."""

    processor: FreeSpaceProcessor


class FreeSpaceNode(ManagedNode[FreeSpaceNodeConfig, FreeSpaceResources]):
    """Finds the free space in the newest label image and publishes what has subscribers.

    The executor's thread only groups messages; a worker thread does everything else.
    """

    def __init__(self, cli_args: list[str] | None = None, context: Context | None = None) -> None:
        super().__init__('freespace_node', FreeSpaceNodeConfig, TEXTS, cli_args, context)
        self.diagnostics.current_values = self._geometry_values

    def _create(self, config: FreeSpaceNodeConfig, cleanup: ExitStack) -> FreeSpaceResources:
        clock = self.age_clock()
        pose_source = make_pose_source(self, config)
        cleanup.callback(pose_source.close)
        odometry = None
        if config.fusion.enabled:
            odometry = OdometryTrack(self, config.base_frame)
            cleanup.callback(odometry.close)
        stream = LabelStream(self, clock, self.parameters.read, self._receive)
        cleanup.callback(stream.destroy)
        self.diagnostics.settings = {
            'base frame': config.base_frame, 'pose from': config.camera.pose,
            'frames fused': 'by odometry' if odometry else 'no'}
        processor = FreeSpaceProcessor(pose_source, odometry, self.get_logger())
        return FreeSpaceResources(clock=clock, streams=[stream], processor=processor)

    def _start(self, config: FreeSpaceNodeConfig, resources: FreeSpaceResources,
               deactivation: ExitStack) -> None:
        resources.processor.forget()
        resources.start(self.get_logger(), deactivation)
        for stream in resources.streams:
            stream.start_receiving(config.input.confidence)
        self.diagnostics.streams = resources.streams

    def _receive(self, stream: LabelStream, frame: LabelFrame) -> None:
        if self.resources and self.resources.pipeline:  # not deactivated in the meantime
            self.resources.pipeline.put(stream, frame)

    def _geometry_values(self) -> dict[str, str]:
        """Return the geometry of the newest frame for the diagnostics."""
        if self.resources is None:
            return {}
        processor = self.resources.processor
        geometry, history = processor.geometry.newest, processor.history
        if geometry is None:
            return {}
        ground, scan = geometry.space.ground, geometry.space.scan
        x, y, z = ground.pose.position
        pitch_error = history.pitch_monitor.error if history else float('nan')
        return {'camera at x, y, z in meters': f'{x:.3f}, {y:.3f}, {z:.3f}',
                'pitch in rad': f'{ground.pose.pitch:.4f}',
                'pitch error by the curbs in rad': f'{pitch_error:.4f}',
                'ground is read up to meters': f'{ground.reach:.1f}',
                'scan range_min, range_max in meters':
                    f'{scan.range_min:.2f}, {scan.range_max:.2f}'}


def main() -> int:
    return run_nodes(FreeSpaceNode)


if __name__ == '__main__':
    main()
