"""The work of the segmentation node on a frame."""

from collections.abc import Sequence

from rclpy.impl.rcutils_logger import RcutilsLogger

from enet_ros.images.postprocess import Painter, hide_uncertain
from enet_ros.label_space.space import LabelSpace
from enet_ros.latency.admission import NO_TIME, TOO_OLD
from enet_ros.latency.model_pool import ModelPool
from enet_ros.ros.camera_stream import CameraStream
from enet_ros.ros.frames import CameraFrame, FrameReport
from enet_ros.ros.outputs import REPORTS, SegmentedFrame, TimedFrame
from enet_ros.ros.pipeline import FrameProcessor
from enet_ros.timing import StageTimer


class SegmentationProcessor(FrameProcessor[CameraStream, CameraFrame, SegmentedFrame]):
    """Segments camera images, and chooses the size at which the network runs.

    space: the values of the published label images.
    streams: all cameras whose frames will be processed.
    """

    def __init__(self, pool: ModelPool, space: LabelSpace, streams: Sequence[CameraStream],
                 logger: RcutilsLogger) -> None:
        self._pool, self._streams, self._logger = pool, streams, logger
        self._inference = 0.0  # milliseconds of the newest frame
        palette, values = space.palette()[:, ::-1], space.table()  # BGR
        self._painters = {stream: Painter(palette, values) for stream in streams}
        for stream in streams:
            stream.admission.reset()

    @property
    def on_cpu(self) -> bool:
        return 'cpu' in self._pool.engine.name.split()

    def prepare(self, frame: CameraFrame) -> None:
        """Choose the network's size for the frame."""
        latency, before = frame.config.latency, self._pool.policy.size
        size = self._pool.policy.choose(latency.publishing_limit_ms)
        if size != before:
            for stream in self._streams:
                stream.admission.reset()
            self._logger.info(f'network size is now {size[0]}x{size[1]} instead of '
                              f'{before[0]}x{before[1]}, to meet the latency budget of '
                              f'{latency.budget_ms:g} ms')

    def process(self, stream: CameraStream, frame: CameraFrame, topics: set[str],
                timer: StageTimer) -> SegmentedFrame:
        config = frame.config
        threshold = config.output.confidence_threshold
        with timer.stage('conversion'):
            image = stream.decode(frame.message, config.input.white_level)
        segmentation = self._pool.segmenter(
            image.image, image.order,
            confidence=threshold > 0 or stream.needs_confidence(topics))
        timer.milliseconds.update(segmentation.timings)
        with timer.stage('postprocessing'):
            labels, painter = segmentation.labels, self._painters[stream]
            if threshold > 0 and segmentation.confidence is not None:
                labels = hide_uncertain(labels, segmentation.confidence, threshold)
            height, width = image.image.shape[:2]
            camera_info = stream.camera_info_for(width, height)
            if config.output.size == 'input':
                labels = painter.scaled(labels, width, height)
        return SegmentedFrame(frame.message.header, image, labels, segmentation.confidence,
                              camera_info, config.overlay, painter, timer)

    def finished(self, stream: CameraStream, report: FrameReport) -> None:
        self._publish_reports(stream, report)
        if report.age_at_start is not None and report.drop_reason != TOO_OLD:
            self._observe(stream, report, report.age_at_start)

    def _publish_reports(self, stream: CameraStream, report: FrameReport) -> None:
        topics = REPORTS.keys() & stream.subscribed_topics()
        if topics:
            segmenter = self._pool.segmenter
            timed = TimedFrame(report, stream.statistics.all_dropped, segmenter.engine.name,
                               segmenter.size)
            stream.publish({topic: REPORTS[topic].make(timed) for topic in topics})

    def _observe(self, stream: CameraStream, report: FrameReport, age_at_start: float) -> None:
        """Tell the size policy how long the frame took, or would have taken."""
        if report.drop_reason == NO_TIME:
            work = stream.admission.median_work()
        else:
            work = report.work
            # Stages are in real time; ages are in the node's time, which a simulation may scale.
            self._inference = report.stages['inference'] * report.clock_rate
        self._pool.policy.observe(age_at_start, work, self._inference)
