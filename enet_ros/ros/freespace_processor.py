"""The work of the free space node on a frame."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rclpy.impl.rcutils_logger import RcutilsLogger
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.freespace.config import FreeSpaceConfig, FusionConfig
from enet_ros.freespace.estimator import FreeSpaceEstimate
from enet_ros.freespace.fusion import GridFusion
from enet_ros.freespace.grid import Grid
from enet_ros.freespace.pitch_check import PitchMonitor
from enet_ros.ros.camera_pose import PoseSource
from enet_ros.ros.convert import image_to_plane
from enet_ros.ros.frames import LabelFrame
from enet_ros.ros.geometry import Geometry, GeometryCache
from enet_ros.ros.label_stream import LabelStream
from enet_ros.ros.messages import seconds
from enet_ros.ros.odometry import OdometryTrack
from enet_ros.ros.outputs import FreeSpaceFrame
from enet_ros.ros.pipeline import FrameProcessor
from enet_ros.timing import StageTimer

CURB_INTERVAL = 5  # frames; the curbs of one of them are compared with the pitch
MAX_STEP_BACK = 1.0  # seconds between stamps; more is a bag or a simulation that starts again


class FreeSpaceProcessor(FrameProcessor[LabelStream, LabelFrame, FreeSpaceFrame]):
    """Finds the free space in label images.

    odometry: None if grids of different frames are not fused.
    """

    def __init__(self, pose_source: PoseSource, odometry: OdometryTrack | None,
                 logger: RcutilsLogger) -> None:
        self.geometry = GeometryCache(pose_source)
        self.history: History | None = None
        self._pose_source, self._odometry, self._logger = pose_source, odometry, logger
        self._newest_stamp = 0.0

    def forget(self) -> None:
        """Forget earlier frames; the next one may be from another place."""
        self.history = None

    def idle(self, frame: LabelFrame) -> None:
        """Build the geometry, which the diagnostics show before anybody subscribes."""
        self.forget()
        self._follow_stamp(frame)
        label = self._label_image(frame)
        self.geometry.get(frame, (label.shape[1], label.shape[0]))

    def process(self, stream: LabelStream, frame: LabelFrame, topics: set[str],
                timer: StageTimer) -> FreeSpaceFrame:
        self._follow_stamp(frame)
        with timer.stage('conversion'):
            label = self._label_image(frame)
            confidence = image_to_plane(frame.confidence) if frame.confidence else None
        with timer.stage('geometry'):
            geometry = self.geometry.get(frame, (label.shape[1], label.shape[0]))
            history = self._history_for(geometry, frame.config.fusion)
        with timer.stage('free space'):
            view = geometry.space(label, confidence)
            history.compare_curbs(view)
            pitch = geometry.space.ground.pose.pitch
            stream.statistics.warn('pitch', history.pitch_monitor.warning(pitch))
            fused_grid = self._fuse(stream, frame, topics, geometry, history, view)
        header = Header(stamp=frame.message.header.stamp, frame_id=frame.config.base_frame)
        return FreeSpaceFrame(header, geometry, view, self._odometry is not None, fused_grid)

    def _label_image(self, frame: LabelFrame) -> NDArray[np.uint8]:
        """Return the class ids, (H, W); raise BadInput if the image holds other values."""
        self.geometry.label_set(frame.label_map)  # names the remedy, before the encoding does
        return image_to_plane(frame.message)

    def _follow_stamp(self, frame: LabelFrame) -> None:
        """Forget earlier frames and camera poses if the stamps go back."""
        stamp = seconds(frame.message.header.stamp)
        if stamp < self._newest_stamp - MAX_STEP_BACK:
            self.forget()
            self._pose_source.forget()
        self._newest_stamp = stamp

    def _history_for(self, geometry: Geometry, fusion: FusionConfig) -> 'History':
        settings = HistorySettings(geometry.space.config, fusion)
        if self.history is None or self.history.settings != settings:
            self.history = History(settings)
        return self.history

    def _fuse(self, stream: LabelStream, frame: LabelFrame, topics: set[str],
              geometry: Geometry, history: 'History',
              view: FreeSpaceEstimate) -> NDArray[np.int8] | None:
        """Return the grid fused with those of earlier frames, or None without usable odometry.

        Raise BadInput instead if there is nothing else to publish.
        """
        if self._odometry is None:
            return None
        max_gap = 1e-3 * frame.config.fusion.max_gap_ms
        try:
            pose = self._odometry.at(frame.message.header.stamp, max_gap)
            fused_grid, jump = history.fuse(view, geometry.space.grid, pose)
        except BadInput as error:
            if topics == {'grid'}:
                raise
            self._warn(stream, f'no grid: {error}')
            return None
        if jump:
            self._warn(stream, jump)
        return fused_grid

    def _warn(self, stream: LabelStream, text: str) -> None:
        stream.statistics.failed(text)
        self._logger.warning(text, throttle_duration_sec=1.0)


class HistorySettings(NamedTuple):
    """The settings that earlier frames are kept for; another pose does not matter."""

    free_space: FreeSpaceConfig
    fusion: FusionConfig


class History:
    """What earlier frames showed, for as long as the settings stay the same."""

    def __init__(self, settings: HistorySettings) -> None:
        self.settings = settings
        self.pitch_monitor = PitchMonitor()
        self._fusion: GridFusion | None = None
        self._frames = 0

    def compare_curbs(self, view: FreeSpaceEstimate) -> None:
        """Compare the pitch with the curbs in one of CURB_INTERVAL frames."""
        if self._frames % CURB_INTERVAL == 0:
            self.pitch_monitor.add(view.pitch_error)
        self._frames += 1

    def fuse(self, view: FreeSpaceEstimate, grid: Grid,
             pose: tuple[float, float, float]) -> tuple[NDArray[np.int8], str]:
        """Fuse the grid of a view into those before, at the base's x, y (m) and yaw (rad).

        Return the fused grid, and how the pose jumped, or ''.
        """
        if self._fusion is None:
            self._fusion = GridFusion(grid, self.settings.fusion)
        return self._fusion.add(view.grid, *pose), self._fusion.jump
