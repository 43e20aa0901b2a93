"""All the work on one label image, in the order in which it is done."""

import time

from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.freespace.config import FreeSpaceConfig
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.fusion import GridFusion
from enet_ros.freespace.pitch_check import PitchMonitor
from enet_ros.ros.convert import image_to_plane
from enet_ros.ros.ground_messages import (
    calibration,
    contact_cloud,
    ground_cloud,
    laser_scan,
    occupancy_grid,
)
from enet_ros.ros.label_messages import label_set
from enet_ros.ros.stream_handler import StreamHandler
from enet_ros.timing import StageTimer

KERBS_EVERY = 5  # frames whose kerbs are compared with the pitch


class FreeSpaceHandler(StreamHandler):
    """Finds and publishes the free space of label images, in the worker's thread.

    pose_of is a pose source, odometry an OdometryTrack, or None where frames stand alone. What
    nobody subscribes to is not made.
    """

    def __init__(self, pose_of, odometry, clock, logger):
        super().__init__(logger)
        self.pose_of, self.odometry, self.clock = pose_of, odometry, clock
        self._labels = LabelMaps()
        self.tables = self.memory = None  # the newest

    def forget(self):
        """Forget what frames showed; the next one may be of another place."""
        self.memory = None

    def handle(self, stream, arrival, wanted):
        if not wanted:
            return self.forget()
        started = self.clock()
        limit = arrival.config.latency.budget_ms
        timer = StageTimer(time.monotonic)
        timer.milliseconds['queueing'] = 1e3 * (started - arrival.at)
        if reason := stream.admission.before_work(arrival.age(started), limit):
            return stream.statistics.dropped(reason)
        messages = self._answer(stream, arrival, wanted, timer)
        ready = self.clock()
        stream.admission.record_work(1e3 * (ready - started))
        age = arrival.age(ready)
        if reason := stream.admission.before_publishing(age, limit):
            return stream.statistics.dropped(reason)
        with timer.stage('publishing'):
            stream.publish(messages)
        left = self.clock()
        stream.admission.record_publishing(1e3 * (left - ready))
        stream.statistics.timed({**timer.milliseconds, 'total': 1e3 * (left - arrival.at),
                                 'age': age})
        stream.statistics.published()

    def _answer(self, stream, arrival, wanted, timer):
        """Return the wanted messages by topic."""
        with timer.stage('conversion'):
            label = image_to_plane(arrival.message)
            confidence = arrival.confidence and image_to_plane(arrival.confidence)
        with timer.stage('geometry'):
            tables = self._tables(arrival, label.shape[::-1])
            key = tables.space.config, arrival.config.fusion
            if self.memory is None or self.memory.key != key:
                self.memory = Memory(key)
        header = Header(stamp=arrival.message.header.stamp, frame_id=arrival.config.base_frame)
        with timer.stage('free space'):
            view = tables.space(label, confidence)
            self.memory.look_at_kerbs(view)
            stream.statistics.warn(
                'pitch', self.memory.kerbs.warning(tables.space.ground.pose.pitch))
            grid = view.grid if 'grid' in wanted else None
            if self.odometry is not None:
                grid = self._fused(stream, arrival, tables, view, wanted)
                wanted = wanted if grid is not None else wanted - {'grid'}
        with timer.stage('publishing'):
            make = {'grid': lambda: occupancy_grid(grid, tables.space.grid, header),
                    'scan': lambda: laser_scan(view.scan, tables.space.scan, header),
                    'points': lambda: contact_cloud(view.points, header),
                    'ground_points': lambda: tables.ground_points(header)}
            return {topic: make[topic]() for topic in make if topic in wanted}

    def _fused(self, stream, arrival, tables, view, wanted):
        """Return the grid with what was seen before, or None without usable odometry.

        Raise BadInput where nothing else is wanted.
        """
        gap = 1e-3 * arrival.config.fusion.max_gap_ms
        try:
            pose = self.odometry.at(arrival.message.header.stamp, gap)
            grid, jump = self.memory.fuse(view, tables.space.grid, pose)
        except BadInput as error:
            if wanted == {'grid'}:
                raise
            return self._tell(stream, f'no grid: {error}')
        if jump:
            self._tell(stream, jump)
        return grid

    def _tell(self, stream, text):
        stream.statistics.failed(text)
        self.logger.warning(text, throttle_duration_sec=1.0)

    def _tables(self, arrival, size):
        """Return the Tables for a frame; they last as long as nothing that they hold changes."""
        config = arrival.config
        key = (calibration(arrival.camera_info), self.pose_of(arrival.message.header, config),
               size, self._labels.of(arrival.label_map),
               FreeSpaceConfig(config.camera, config.classes, config.ground, config.grid,
                               config.scan))
        if self.tables is None or self.tables.key != key:
            self.tables = None
            self.tables = Tables(key)
        return self.tables


class Tables:
    """All that is worked out once for a camera, its pose and the settings."""

    def __init__(self, key):
        self.key = key
        self.space = FreeSpaceEstimator(*key)
        self._ground_points = None

    def ground_points(self, header):
        """Return the PointCloud2 of the ground points, under a header."""
        if self._ground_points is None:
            self._ground_points = ground_cloud(self.space.ground.points)
        self._ground_points.header = header
        return self._ground_points


class Memory:
    """What frames showed, as long as the settings are the same, wherever the camera turns.

    key is a FreeSpaceConfig and a FusionConfig.
    """

    def __init__(self, key):
        self.key = key
        self.kerbs = PitchMonitor()
        self._fusion = None
        self._frames = 0

    def look_at_kerbs(self, view):
        """Compare the pitch with the kerbs of some frames."""
        if self._frames % KERBS_EVERY == 0:
            self.kerbs.add(view.pitch_error)
        self._frames += 1

    def fuse(self, view, grid, pose):
        """Add a view's grid to those before, at the base's x, y and yaw.

        Return the sum, and how the pose jumps.
        """
        if self._fusion is None:
            self._fusion = GridFusion(grid, self.key[1])
        return self._fusion.add(view.grid, *pose), self._fusion.jump


class LabelMaps:
    """Turns LabelMap messages into LabelSets, each message once."""

    def __init__(self):
        self._message = self._labels = None

    def of(self, message):
        """Return the LabelSet of a LabelMap; raise BadInput where it is none."""
        if message is not self._message:
            self._message, self._labels = None, label_set(message)
            self._message = message
        return self._labels
