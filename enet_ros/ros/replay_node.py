"""A node that plays the frames of a source as a camera does."""

from collections.abc import Iterator

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from enet_ros.config import ReplayConfig
from enet_ros.errors import BadInput
from enet_ros.images.open_source import open_source
from enet_ros.images.source import Source, SourceFrame
from enet_ros.ros.convert import array_to_image, camera_info_from_pinhole
from enet_ros.ros.parameters import Parameters
from enet_ros.ros.process import run_nodes

# A reliable publisher serves subscribers of both kinds.
FRAME_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)


class ReplayNode(Node):
    """Publishes the frames of a source at a rate, or one by one on request.

    Topics: `~/image` (rgb8), `~/camera_info` if the camera is known, `~/truth` (mono8 class ids)
    if there are labels, `~/depth` (32FC1, meters; infinity for the sky) for the synthetic street,
    which is rendered only while somebody subscribes. All messages of one frame have one stamp; the
    image comes last.
    Services (Trigger): `~/next` publishes the next readable frame and responds with its stamp in
    seconds, or without success and with the reason if there is none; `~/restart` goes back to
    the first frame, and opens a source again that could not be opened.
    Options are those of rclpy's Node.
    """

    def __init__(self, cli_args: list[str] | None = None, context: Context | None = None) -> None:
        super().__init__('replay_node', cli_args=cli_args, context=context)
        self.parameters = Parameters(self, ReplayConfig)
        self.source: Source | None = None
        self.frames: Iterator[SourceFrame] = iter(())
        # Timers of the system's clock stop while it is set back. Simulated time sets the pace.
        simulated = self.get_parameter('use_sim_time').value
        self.timer_clock = (self.get_clock() if simulated else
                            Clock(clock_type=ClockType.STEADY_TIME))
        self.timer: Timer | None = None
        self.rate = 0.0
        self.outputs: dict[str, Publisher] = {}
        self.published = self.unreadable = self.published_before = 0
        self.reported: set[str] = set()
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.restart()
        self.create_service(Trigger, '~/next', self._on_next)
        self.create_service(Trigger, '~/restart', self._on_restart)
        self._every_second()
        self.create_timer(1.0, self._every_second, clock=self.timer_clock)

    def restart(self) -> None:
        """Go to the first frame; open the source if it is not open."""
        # (level, reason) once there are no more frames
        self.stopped: tuple[bytes, str] | None = None
        try:
            if self.source is None:
                self.source = self._open(self.parameters.read())
            self._begin(self.source)
        except BadInput as error:
            self._stop(DiagnosticStatus.ERROR, str(error))

    def close(self) -> None:
        """Close the source."""
        if self.source is not None:
            self.source.close()

    def _open(self, config: ReplayConfig) -> Source:
        source = open_source(config.source, width=config.width, height=config.height,
                                  seed=config.seed)
        topics = {'image': Image}
        if source.camera is not None:
            topics['camera_info'] = CameraInfo
        if source.labeled:
            topics['truth'] = Image
        if source.has_depth:
            topics['depth'] = Image
        for topic, kind in topics.items():
            self.outputs[topic] = self.create_publisher(kind, f'~/{topic}', FRAME_QOS)
        return source

    def _begin(self, source: Source) -> None:
        self.frames = iter(source)
        self.published_before = self.published

    def _stop(self, level: bytes, reason: str) -> None:
        self.stopped = level, reason
        # rclpy wants a line of its own for each severity.
        if level == DiagnosticStatus.OK:
            self.get_logger().info(reason)
        else:
            self.get_logger().error(reason)

    def _advance(self) -> Header | None:
        """Publish one frame; return its header, or None if it is unreadable or the end."""
        if self.source is not None and self.source.has_depth:
            self.source.with_depth = self.outputs['depth'].get_subscription_count() > 0
        try:
            return self._publish(next(self.frames))
        except BadInput as error:
            self._skip(str(error))
        except StopIteration:
            self._end(self.parameters.read())
        return None

    def _publish(self, frame: SourceFrame) -> Header:
        header = Header(stamp=self.get_clock().now().to_msg(),
                        frame_id=self.get_parameter('frame_id').value)
        if frame.truth is not None:
            self.outputs['truth'].publish(array_to_image(frame.truth, 'mono8', header))
        if frame.depth is not None:
            self.outputs['depth'].publish(array_to_image(frame.depth, '32FC1', header))
        if self.source is not None and self.source.camera is not None:
            info = camera_info_from_pinhole(self.source.camera, header)
            self.outputs['camera_info'].publish(info)
        self.outputs['image'].publish(array_to_image(frame.image, 'rgb8', header))
        self.published += 1
        return header

    def _skip(self, reason: str) -> None:
        self.unreadable += 1
        if reason not in self.reported:  # once, not in every loop
            self.reported.add(reason)
            self.get_logger().warning(f'frame skipped: {reason}')

    def _end(self, config: ReplayConfig) -> None:
        if self.published == self.published_before:
            self._stop(DiagnosticStatus.ERROR, f'source {config.source!r} has no readable frame; '
                       'see the warnings before, then call ~/restart')
        elif config.loop and self.source is not None:
            self._begin(self.source)
        else:
            self._stop(DiagnosticStatus.OK, f'source {config.source!r} has ended')

    def _tick(self) -> None:
        if self.stopped is None:
            self._advance()

    def _on_next(self, request: Trigger.Request,
                 response: Trigger.Response) -> Trigger.Response:
        header = None
        while header is None and self.stopped is None:
            header = self._advance()
        response.success = header is not None
        if header is None:
            response.message = self.stopped[1] if self.stopped else ''
        else:
            response.message = f'{header.stamp.sec}.{header.stamp.nanosec:09d}'
        return response

    def _on_restart(self, request: Trigger.Request,
                    response: Trigger.Response) -> Trigger.Response:
        self.restart()
        response.success = self.stopped is None
        response.message = '' if self.stopped is None else self.stopped[1]
        return response

    def _every_second(self) -> None:
        try:
            self._keep_rate(self.parameters.read().rate_hz)
        except BadInput as error:
            if self.stopped is None:
                self._stop(DiagnosticStatus.ERROR, str(error))
        level, message = self.stopped or (DiagnosticStatus.OK, 'playing')
        source = self.get_parameter('source').value
        values = {'source': source, 'frames published': self.published,
                  'frames unreadable': self.unreadable, 'rate in Hz': self.rate}
        status = DiagnosticStatus(
            level=level, name=f'{self.get_name()}: source', message=message, hardware_id=source,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self.diagnostics.publish(array)

    def _keep_rate(self, rate: float) -> None:
        """Follow the parameter rate_hz."""
        if rate == self.rate:
            return
        if self.timer is not None:
            self.destroy_timer(self.timer)
        self.timer = self.create_timer(
            1.0 / rate, self._tick, clock=self.timer_clock) if rate else None
        self.rate = rate


def main() -> int:
    return run_nodes(ReplayNode)
