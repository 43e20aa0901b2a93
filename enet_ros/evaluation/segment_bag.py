"""Segment the images of a rosbag2 recording into another one: `enet segment BAG --out X.mcap`."""

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from enet_ros.errors import BadInput
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.evaluation.segment_files import OVERLAY_ALPHA, SegmentReport
from enet_ros.images.bag_source import BagFrame, BagMessage, BagSource
from enet_ros.images.bag_writer import BagWriter
from enet_ros.images.postprocess import Painter, scale_labels
from enet_ros.label_space.space import LabelSpace
from enet_ros.paths import user_path
from enet_ros.segmenter import Segmenter

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.typesys.stores.ros2_humble import sensor_msgs__msg__CameraInfo as CameraInfo
    from rosbags.typesys.stores.ros2_humble import std_msgs__msg__Header as Header

NODE = '/segmentation_node'
IMAGE, CAMERA_INFO, LABEL_MAP = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CameraInfo',
                                 'enet_ros/msg/LabelMap')


def segment_bag(segmenter: Segmenter, space: LabelSpace, source: BagSource,
                out: str | os.PathLike[str], model: str, frames: int | None = None,
                keep_topics: bool = False) -> SegmentReport:
    """Segment the images of a recording into an MCAP file and return a SegmentReport.

    The file has the topics of segmentation_node: label, color, overlay, label_map and, if the
    recording has it, camera_info. Headers and recorded times are those of the images. Report an
    unreadable image on stderr and skip it. Raise BadInput if `out` cannot be written.

    space: the values and colors of the label images. model: name for the label map. frames: stop
    after that many. keep_topics: also copy the recorded topics.
    """
    if frames is not None and frames < 1:
        raise BadInput(f'frames is {frames}; it must be at least 1')
    path = user_path(out).resolve()
    if source.path.resolve() in (path, path.parent):
        raise BadInput(f'{out} would replace the recording that is read; choose another --out')
    report = SegmentReport(user_path(out), segmenter.labels,
                           ConfusionMatrix(len(segmenter.labels)))
    with BagWriter(out) as bag:
        results = _Results(bag, space, model)
        copied = _copied_topics(bag, source) if keep_topics else {}
        info_topic = camera_info_topic(source)
        info = _first_camera_info(source, info_topic)
        count = source.length or 0
        total = min(frames or count, count)
        messages = source.messages(lambda each: source.is_image(each) or _key(each) in copied
                                   or each.topic == info_topic)
        number = 0  # of images read
        with tqdm(None, 'segment', total, unit='frame', disable=None) as bar:
            for message in messages:
                is_image = source.is_image(message.connection)
                if is_image and number == total:
                    break
                if copy := copied.get(_key(message.connection)):
                    bag.write_data(copy, message)
                if message.connection.topic == info_topic:
                    info = source.camera_info(message)
                if not is_image:
                    continue
                if frame := _decode(source, number, message, report):
                    results.write(frame, _labels(segmenter, frame), info)
                    report.written += 1
                number += 1
                bar.update()
        if not report.written:
            raise BadInput(f'{source.path}: no image on {source.topic} can be decoded; nothing '
                           'was written')
    report.contents = ', '.join(results.topics)
    return report


def camera_info_topic(source: BagSource) -> str:
    """Return the topic of the images' calibration, by its usual place beside them; '' if none."""
    image = source.topic.removesuffix('/compressed')
    topic = f'{image.rpartition("/")[0]}/camera_info'
    return topic if any(each.topic == topic and each.msgtype == CAMERA_INFO
                        for each in source.connections()) else ''


def _first_camera_info(source: BagSource, topic: str) -> 'CameraInfo | None':
    messages = source.messages(lambda each: each.topic == topic)
    first = next(messages, None) if topic else None
    return source.camera_info(first) if first else None


def _decode(source: BagSource, number: int, message: BagMessage,
            report: SegmentReport) -> BagFrame | None:
    """Return the frame of a message, or None if it cannot be read, which the report then has."""
    try:
        return source.frame(number, message)
    except BadInput as error:
        report.broken.append(str(error))
        tqdm.write(f'skipped: {error}', file=sys.stderr)
        return None


def _labels(segmenter: Segmenter, frame: BagFrame) -> NDArray[np.uint8]:
    """Return the class ids of a frame at the size of its image."""
    height, width = frame.image.shape[:2]
    return scale_labels(segmenter(frame.image, confidence=False).labels, width, height)


def _key(connection: 'Connection') -> tuple[str, str]:
    return connection.topic, connection.msgtype


def _copied_topics(bag: BagWriter, source: BagSource) -> dict[tuple[str, str], 'Connection']:
    """Add the recorded topics to a recording; print those that are left out, with the reason."""
    copied: dict[tuple[str, str], Connection] = {}
    for connection in source.connections():
        if _key(connection) in copied:  # of another publisher
            continue
        if connection.topic.startswith(f'{NODE}/'):
            reason = 'the new results have this name'
        elif added := bag.copy_topic(connection):
            copied[_key(connection)] = added
            continue
        else:
            reason = f'the recording lacks the definition of {connection.msgtype}'
        print(f'{connection.topic} is not copied: {reason}', file=sys.stderr)
    return copied


class _Results:
    """The topics of segmentation_node in a recording.

    Attributes: `topics`, by name.
    """

    def __init__(self, bag: BagWriter, space: LabelSpace, model: str) -> None:
        self.topics: dict[str, Connection] = {}
        self._bag, self._space, self._model = bag, space, model
        self._painter = Painter(space.palette()[:, ::-1], space.table())

    def write(self, frame: BagFrame, labels: NDArray[np.uint8], info: 'CameraInfo | None') -> None:
        """Write the results of a frame; labels (H, W) are class ids at the image's size."""
        if not self.topics:
            self._write('label_map', LABEL_MAP, frame.time, self._label_map(frame.header))
        image, color = frame.image, self._painter.color(labels)
        overlay = self._painter.overlay(image, 'rgb', color, OVERLAY_ALPHA)
        for topic, pixels, encoding in (
                ('label', self._painter.label(labels), self._space.encoding),
                ('color', color, 'bgr8'), ('overlay', overlay, 'bgr8')):
            self._write(topic, IMAGE, frame.time, self._image(pixels, encoding, frame.header))
        if info and (info.width, info.height) == image.shape[1::-1]:
            self._write('camera_info', CAMERA_INFO, frame.time,
                        replace(info, header=frame.header))

    def _write(self, topic: str, message_type: str, time: int, message: object) -> None:
        if topic not in self.topics:
            self.topics[topic] = self._bag.add_topic(f'{NODE}/{topic}', message_type,
                                                     latched=topic == 'label_map')
        self._bag.write(self.topics[topic], time, message)

    def _image(self, pixels: NDArray[np.integer], encoding: str, header: 'Header') -> object:
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels).view(np.uint8).reshape(-1)
        return self._bag.types[IMAGE](
            header=header, height=height, width=width, encoding=encoding,
            is_bigendian=int(sys.byteorder == 'big'), step=data.size // height, data=data)

    def _label_map(self, header: 'Header') -> object:
        types, space = self._bag.types, self._space
        classes = []
        for value in space.values:
            red, green, blue = (channel / 255 for channel in value.color)
            color = types['std_msgs/msg/ColorRGBA'](r=red, g=green, b=blue, a=1.0)
            classes.append(types['enet_ros/msg/ClassInfo'](
                id=value.id, name=value.name, color=color, drivable=value.drivable))
        return types[LABEL_MAP](header=replace(header, frame_id=''), model=self._model,
                                classes=classes, unlabelled_id=space.void)
