"""The path of a frame through a node, from the callback that received it to its publication."""

import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, TypeVar

from rclpy.impl.rcutils_logger import RcutilsLogger

from enet_ros.errors import BadInput
from enet_ros.ros.frames import FrameReport, ReceivedFrame
from enet_ros.ros.stream import Stream
from enet_ros.ros.worker import FairWorker
from enet_ros.timing import StageTimer

StreamT = TypeVar('StreamT', bound=Stream)
FrameT = TypeVar('FrameT', bound=ReceivedFrame)
ResultT = TypeVar('ResultT')


class FrameProcessor(Generic[StreamT, FrameT, ResultT]):
    """Turns the frames of a node into results, of which the outputs of a stream make messages.

    All methods are called in the worker's thread, except `finished` for a frame that is dropped
    on arrival.
    """

    @property
    def on_cpu(self) -> bool:
        """Whether processors of the machine do the work, and not another device."""
        return True

    def prepare(self, frame: FrameT) -> None:
        """Apply the parameters of a frame before its admission is decided."""

    def process(self, stream: StreamT, frame: FrameT, topics: set[str],
                timer: StageTimer) -> ResultT:
        """Return the result of a frame; raise BadInput if the frame is unusable.

        topics: those that have subscribers.
        """
        raise NotImplementedError

    def idle(self, frame: FrameT) -> None:
        """Take note of a frame when no output has a subscriber."""

    def finished(self, stream: StreamT, report: FrameReport) -> None:
        """Take note of a frame that was published or dropped."""


class FramePipeline(Generic[StreamT, FrameT, ResultT]):
    """Processes the newest frames of all streams, one after another, in a worker thread.

    A frame that is too late is dropped and counted. Outputs for machines are published first;
    those for people are made afterwards. Nothing is made that has no subscriber.

    clock: seconds that never go back, in which ages are measured.
    """

    def __init__(self, processor: FrameProcessor[StreamT, FrameT, ResultT],
                 clock: Callable[[], float], logger: RcutilsLogger) -> None:
        self.processor, self.clock, self.logger = processor, clock, logger
        self._worker: FairWorker[StreamT, FrameT] = FairWorker(self._handle)

    def put(self, stream: StreamT, frame: FrameT) -> None:
        """Leave a frame for the worker; it replaces the stream's waiting frame."""
        age = frame.age_at(frame.received_at)
        if reason := stream.admission.on_arrival(age, frame.config.latency.max_age_ms):
            self._drop(stream, FrameReport(frame), reason)
        elif self._worker.put(stream, frame):
            stream.statistics.dropped('superseded')

    def stop(self) -> None:
        """Finish the current frame, discard waiting ones and end the worker thread."""
        self._worker.stop()

    def _handle(self, stream: StreamT, frame: FrameT) -> None:
        """Process one frame and report errors; the next frame may be fine."""
        try:
            self._process(stream, frame)
        except BadInput as error:
            self._fail(stream, 'unusable', error, str(error))
        except Exception as error:
            if stream.node.context.ok():  # otherwise the context was shut down meanwhile
                self._fail(stream, 'failed', error, traceback.format_exc())

    def _process(self, stream: StreamT, frame: FrameT) -> None:
        processor, admission = self.processor, stream.admission
        topics = stream.subscribed_topics()
        if not topics:
            return processor.idle(frame)
        processor.prepare(frame)
        limit = frame.config.latency.publishing_limit_ms
        timer = StageTimer(time.monotonic)
        report = FrameReport(frame, stages=timer.milliseconds)
        start, real_start = self.clock(), time.monotonic()
        report.age_at_start = frame.age_at(start)
        report.stages['queueing'] = 1e3 * (start - frame.received_at)
        if reason := admission.before_work(report.age_at_start, limit, frame.age_ms):
            return self._drop(stream, report, reason)
        cpu_start = time.process_time()
        result = processor.process(stream, frame, topics, timer)
        if processor.on_cpu:
            stream.statistics.used_processors((time.process_time() - cpu_start)
                                              / (time.monotonic() - real_start))
        with timer.stage('publishing'):
            messages = stream.make_messages(result, topics, for_people=False)
        ready = self.clock()
        report.work = 1e3 * (ready - start)
        report.clock_rate = (ready - start) / (time.monotonic() - real_start)
        report.age = frame.age_at(ready)
        admission.record_work(report.work)
        if reason := admission.before_publishing(report.age, limit):
            return self._drop(stream, report, reason)
        with timer.stage('publishing'):
            stream.publish(messages)
        admission.record_publishing(1e3 * (self.clock() - ready))
        with timer.stage('publishing'):
            stream.publish(stream.make_messages(result, topics, for_people=True))
        report.total = 1e3 * (self.clock() - frame.received_at)
        stream.statistics.timed({**report.stages, 'total': report.total, 'age': report.age})
        stream.statistics.published()
        processor.finished(stream, report)

    def _drop(self, stream: StreamT, report: FrameReport, reason: str) -> None:
        now = self.clock()
        report.drop_reason = reason
        report.age = report.frame.age_at(now)
        report.total = 1e3 * (now - report.frame.received_at)
        stream.statistics.dropped(reason)
        self.processor.finished(stream, report)

    def _fail(self, stream: StreamT, reason: str, error: Exception, text: str) -> None:
        stream.statistics.dropped(reason)
        stream.statistics.failed(error)
        self.logger.error(f'{stream.item} dropped: {text}', throttle_duration_sec=1.0)


@dataclass(kw_only=True)
class PipelineResources(Generic[StreamT, FrameT, ResultT]):
    """What a configured node needs to process frames.

    pipeline: None while the node is inactive.
    """

    clock: Callable[[], float]
    streams: list[StreamT]
    processor: FrameProcessor[StreamT, FrameT, ResultT]
    pipeline: FramePipeline[StreamT, FrameT, ResultT] | None = None

    def start(self, logger: RcutilsLogger, deactivation: ExitStack) -> None:
        """Start the pipeline; deactivation takes the callbacks that undo each step."""
        self.pipeline = FramePipeline(self.processor, self.clock, logger)
        deactivation.callback(self._stop, self.pipeline)
        for stream in self.streams:
            deactivation.callback(stream.stop_receiving)

    def _stop(self, pipeline: FramePipeline[StreamT, FrameT, ResultT]) -> None:
        self.pipeline = None
        pipeline.stop()
