"""The managed node that turns label images into what planners drive by."""

from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.ros.camera_pose import make_pose_source
from enet_ros.ros.freespace_handler import FreeSpaceHandler
from enet_ros.ros.label_stream import LabelStream
from enet_ros.ros.managed_node import ManagedNode
from enet_ros.ros.node_diagnostics import Words
from enet_ros.ros.odometry import OdometryTrack
from enet_ros.ros.spin import spin
from enet_ros.ros.worker import FairWorker

WORDS = Words('free space', 'finding free space', 'the segmentation node', 'a coarser grid')


class FreeSpaceNode(ManagedNode):
    """Finds free space in the newest label image and publishes what somebody subscribes to.

    The executor's thread only pairs messages; a worker's does all else.
    """

    def __init__(self, **options):
        super().__init__('freespace_node', FreeSpaceNodeConfig, WORDS, **options)
        self.diagnostics.present = self._geometry
        self.stream = self.handler = self.worker = self.pose_of = self.odometry = None

    # Life cycle. Each teardown undoes exactly what its set-up did.

    def _configure(self, config):
        clock = self.age_clock()
        self.pose_of = make_pose_source(self, config)
        if config.fusion.enabled:
            self.odometry = OdometryTrack(self, config.base_frame)
        self.stream = LabelStream(self, clock, self._arrived)
        self.handler = FreeSpaceHandler(self.pose_of, self.odometry, clock, self.get_logger())
        self.diagnostics.facts = {
            'base frame': config.base_frame, 'pose from': config.camera.pose,
            'frames fused': 'by odometry' if self.odometry else 'no'}

    def _start(self, config):
        self.handler.forget()
        self.worker = FairWorker(self.handler)
        self.stream.open(config.input.confidence)
        self.diagnostics.streams = [self.stream]

    def _stop(self):
        if self.worker is not None:
            self.stream.shut()
            self.worker.stop()
            self.worker = None

    def _release(self):
        for part in (self.pose_of, self.odometry):
            if part is not None:
                part.close()
        if self.stream is not None:
            self.stream.destroy()
        self.stream = self.handler = self.pose_of = self.odometry = None

    def _arrived(self, arrival):
        if self.worker is None:  # it was on its way when the node stopped
            return
        limit = arrival.config.latency.max_age_ms
        if reason := self.stream.admission.on_arrival(arrival.age(arrival.at), limit):
            self.stream.statistics.dropped(reason)
        elif self.worker.put(self.stream, arrival):
            self.stream.statistics.dropped('superseded')

    def _geometry(self):
        """Return what the newest frame was worked on with, for the diagnostics."""
        tables, memory = self.handler.tables, self.handler.memory
        if tables is None or memory is None:
            return {}
        ground, scan = tables.space.ground, tables.space.scan
        x, y, z = ground.pose.position
        return {'camera at x, y, z in metres': f'{x:.3f}, {y:.3f}, {z:.3f}',
                'pitch in rad': f'{ground.pose.pitch:.4f}',
                'pitch too large by the kerbs, rad': f'{memory.kerbs.error:.4f}',
                'ground is read up to metres': f'{ground.reach:.1f}',
                'scan range_min, range_max in metres':
                    f'{scan.range_min:.2f}, {scan.range_max:.2f}'}


def main():
    return spin(FreeSpaceNode)


if __name__ == '__main__':
    main()
