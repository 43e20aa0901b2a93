"""The work of the semantic cloud node on a frame."""

import numpy as np
from numpy.typing import NDArray
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.labels import LabelSet
from enet_ros.pointcloud.cloud import CloudProjection
from enet_ros.pointcloud.semantic_cloud import SemanticCloud
from enet_ros.ros.camera_pose import PoseSource
from enet_ros.ros.cloud_stream import CloudStream
from enet_ros.ros.cloud_tables import CloudTables, ObstacleInputs, ObstacleTables, ProjectionInputs
from enet_ros.ros.convert import image_to_depth, image_to_plane
from enet_ros.ros.frames import DepthFrame
from enet_ros.ros.label_set_cache import LabelSetCache
from enet_ros.ros.messages import calibration, seconds
from enet_ros.ros.outputs import CloudFrame
from enet_ros.ros.pipeline import FrameProcessor
from enet_ros.timing import StageTimer

MAX_STEP_BACK = 1.0  # seconds between stamps; more is a bag or a simulation that starts again
IN_BASE_FRAME = {'obstacles', 'scan'}  # outputs that need the pose of the camera


class CloudProcessor(FrameProcessor[CloudStream, DepthFrame, CloudFrame]):
    """Makes labeled points, obstacles and scans of label and depth images.

    Attributes:
        measured: share of the pixels of the newest frame that have a depth, or NaN.
    """

    def __init__(self, pose_source: PoseSource, logger: RcutilsLogger) -> None:
        self.tables = CloudTables()
        self.measured = float('nan')
        self._pose_source, self._logger = pose_source, logger
        self._label_set = LabelSetCache()
        self._newest_stamp = 0.0

    def idle(self, frame: DepthFrame) -> None:
        """Check the inputs, so that the diagnostics show errors before anybody subscribes."""
        self._follow_stamp(frame)
        self._label_set(frame.label_map)
        self._projection(frame, self._depth(frame))

    def process(self, stream: CloudStream, frame: DepthFrame, topics: set[str],
                timer: StageTimer) -> CloudFrame:
        self._follow_stamp(frame)
        with timer.stage('conversion'):
            labels = self._label_set(frame.label_map)
            label_image = image_to_plane(frame.message)
            confidence = image_to_plane(frame.confidence) if frame.confidence else None
            depth = self._depth(frame)
        with timer.stage('geometry'):
            projection = self._projection(frame, depth)
            tables = self._obstacle_tables(stream, frame, topics, projection, labels)
        with timer.stage('cloud'):
            cloud = SemanticCloud(projection, self.tables.point_labels(labels), depth,
                                  label_image, confidence)
            self._note_depth(stream, cloud)
            return self._frame(frame, topics, cloud, tables)

    def _frame(self, frame: DepthFrame, topics: set[str], cloud: SemanticCloud,
               tables: ObstacleTables | None) -> CloudFrame:
        """Return what is subscribed to."""
        header = frame.depth.header
        obstacles = scan = None
        if tables:
            obstacles = tables.filter(cloud.z, cloud.labels, cloud.confidence)
            if 'scan' in topics:
                unknown = tables.filter.unknown_columns(cloud.without_depth, cloud.labels)
                scan = tables.scan, tables.scan.measure(obstacles['x'], obstacles['y'], cloud.z,
                                                        unknown)
        return CloudFrame(header, Header(stamp=header.stamp, frame_id=frame.config.base_frame),
                          cloud.confidence is not None,
                          cloud.points if 'points' in topics else None, obstacles, scan)

    def _depth(self, frame: DepthFrame) -> NDArray[np.uint16] | NDArray[np.float32]:
        """Return the depth image; raise BadInput if it is not one of the camera's."""
        assert isinstance(frame.message, Image)
        own, other = frame.depth.header.frame_id, frame.message.header.frame_id
        if own != other:
            raise BadInput(f'the depth is in frame {own!r}, but the labels are in {other!r}; '
                           "register the depth to the camera's image, as the register node of "
                           'depth_image_proc does')
        return image_to_depth(frame.depth)

    def _projection(self, frame: DepthFrame, depth: NDArray[np.generic]) -> CloudProjection:
        return self.tables.projection(ProjectionInputs(
            calibration(frame.camera_info), (depth.shape[1], depth.shape[0]),
            frame.config.camera.rectified))

    def _obstacle_tables(self, stream: CloudStream, frame: DepthFrame, topics: set[str],
                         projection: CloudProjection, labels: LabelSet) -> ObstacleTables | None:
        """Return the tables of obstacles and scan, or None if nobody subscribes to either.

        Return None too if they are impossible, unless there is nothing else to publish.
        """
        if not topics & IN_BASE_FRAME:
            return None
        config = frame.config
        try:
            pose = self._pose_source(frame.depth.header, config)
            return self.tables.obstacles(ObstacleInputs(projection, pose, labels,
                                                        config.obstacles, config.scan))
        except BadInput as error:
            if topics <= IN_BASE_FRAME:
                raise
            text = f'no obstacles and no scan: {error}'
            stream.statistics.failed(text)
            self._logger.warning(text, throttle_duration_sec=1.0)
            return None

    def _note_depth(self, stream: CloudStream, cloud: SemanticCloud) -> None:
        self.measured = float(np.isfinite(cloud.z).mean())
        stream.statistics.warn('depth', '' if self.measured else (
            'the depth image has no measured pixel (all are 0, negative, NaN or infinite); check '
            'the depth camera'))

    def _follow_stamp(self, frame: DepthFrame) -> None:
        """Forget earlier camera poses if the stamps go back."""
        stamp = seconds(frame.depth.header.stamp)
        if stamp < self._newest_stamp - MAX_STEP_BACK:
            self._pose_source.forget()
        self._newest_stamp = stamp
