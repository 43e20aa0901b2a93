"""Frames of rosbag2 recordings, read without ROS."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.images.encodings import DecodedImage, RawImage, decode_compressed, decode_raw
from enet_ros.images.source import Source, SourceFrame, frame_name

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.typesys.stores.ros2_humble import sensor_msgs__msg__CameraInfo as CameraInfo
    from rosbags.typesys.stores.ros2_humble import std_msgs__msg__Header as Header

BAG_SUFFIXES = ('.db3', '.mcap')
RAW = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'


@dataclass(frozen=True)
class BagMessage:
    """A recorded message.

    connection: its topic and type. time: when it was recorded, nanoseconds. data: in CDR.
    """

    connection: 'Connection'
    time: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class BagFrame(SourceFrame):
    """A frame of a recording. header: of its message. time: as in BagMessage."""

    header: 'Header'
    time: int


def is_bag(path: Path) -> bool:
    """Return whether a path is a rosbag2 recording: its folder or one of its files."""
    if path.is_dir():  # even without metadata.yaml, as after a crash of the recorder
        return any(set(file.suffixes) & set(BAG_SUFFIXES) for file in path.iterdir())
    return path.suffix in BAG_SUFFIXES and path.is_file()


class BagSource(Source):
    """The images of one topic of a rosbag2 recording.

    topic: name of the topic; None selects the first one with images.
    white_level: value of 16-bit images that becomes 255.
    """

    def __init__(self, path: Path, topic: str | None = None, white_level: int = 65535) -> None:
        try:
            from rosbags.rosbag2 import Reader
            from rosbags.typesys import Stores, get_typestore
        except ImportError as error:
            raise BadInput(f'reading {path} needs the package rosbags; '
                           'pip install rosbags') from error
        self.path, self.white_level = path, white_level
        self._reader = Reader
        # Both message types are the same in all releases; older recordings do not store them.
        self._deserialize = get_typestore(Stores.ROS2_HUMBLE).deserialize_cdr
        counts = self._message_counts()
        topics = f'its image topics are {", ".join(counts) or "none"}'
        self.topic = topic or next(iter(counts), '')
        if self.topic not in counts:
            raise BadInput(f'{path} has no {topic or "images"}; {topics}; name a recording with '
                           'images')
        self.length = counts[self.topic]
        if not self.length:
            raise BadInput(f'{path} has no messages on {self.topic}; {topics}')

    def __iter__(self) -> Iterator[SourceFrame]:
        return map(self.frame, count(), self.messages())

    def _message_counts(self) -> dict[str, int]:
        """Return the number of messages on each image topic."""
        counts: dict[str, int] = {}
        with self._read_errors(), self._reader(self.path) as bag:
            for connection in bag.connections:
                if connection.msgtype in (RAW, COMPRESSED):
                    topic = connection.topic
                    counts[topic] = counts.get(topic, 0) + connection.msgcount
        return counts

    def is_image(self, connection: 'Connection') -> bool:
        """Return whether a connection has the images of this source."""
        return connection.topic == self.topic and connection.msgtype in (RAW, COMPRESSED)

    def connections(self) -> list['Connection']:
        """Return all topics of the recording with their types."""
        with self._read_errors(), self._reader(self.path) as bag:
            return list(bag.connections)

    def messages(self, wanted: Callable[['Connection'], bool] | None = None
                 ) -> Iterator[BagMessage]:
        """Yield the messages of wanted connections, by default the images, in recorded order."""
        with self._read_errors(), self._reader(self.path) as bag:
            connections = list(filter(wanted or self.is_image, bag.connections))
            if connections:  # the reader takes an empty list for all
                for connection, time, data in bag.messages(connections):
                    yield BagMessage(connection, time, data)

    def camera_info(self, message: BagMessage) -> 'CameraInfo':
        """Return the content of a sensor_msgs/CameraInfo; raise BadInput if it is damaged."""
        from rosbags.typesys.stores.ros2_humble import sensor_msgs__msg__CameraInfo

        info = self._content(message, f'{self.path}, a message of {message.connection.topic}')
        assert isinstance(info, sensor_msgs__msg__CameraInfo)
        return info

    def frame(self, number: int, message: BagMessage) -> BagFrame:
        """Return the frame of an image message; raise BadInput if it cannot be decoded.

        number: of the message, from 0.
        """
        where = f'{self.path}, message {number} of {self.topic}'
        content = self._content(message, where)
        try:
            image, header = _decode(content, self.white_level)
            return BagFrame(frame_name(number), np.ascontiguousarray(image.rgb()), header=header,
                            time=message.time)
        except BadInput as error:
            raise BadInput(f'{where}: {error}') from error
        except Exception as error:  # decoders raise many types if bytes are missing
            raise _damaged(where, error) from error

    def _content(self, message: BagMessage, where: str) -> object:
        try:
            return self._deserialize(message.data, message.connection.msgtype)
        except Exception as error:  # rosbags raises many types if bytes are missing
            raise _damaged(where, error) from error

    @contextmanager
    def _read_errors(self) -> Iterator[None]:
        """Raise BadInput for any error of the storage that is read in the with statement."""
        try:
            yield
        except Exception as error:  # each storage raises its own types
            raise BadInput(f'{self.path} cannot be read as rosbag2 ({_one_line(error)}); '
                           'try ros2 bag reindex, or record it again') from error


def _decode(message: object, white_level: int) -> tuple[DecodedImage, 'Header']:
    """Return the decoded image and the header of a message of one of the two types."""
    from rosbags.typesys.stores.ros2_humble import (
        sensor_msgs__msg__CompressedImage,
        sensor_msgs__msg__Image,
    )

    if isinstance(message, sensor_msgs__msg__Image):
        raw = RawImage(message.encoding, message.width, message.height, message.step,
                       bool(message.is_bigendian), message.data)
        return decode_raw(raw, white_level), message.header
    assert isinstance(message, sensor_msgs__msg__CompressedImage)
    return decode_compressed(message.data, message.format, white_level), message.header


def _damaged(where: str, error: Exception) -> BadInput:
    return BadInput(f'{where} is damaged ({_one_line(error)}); record it again')


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split()) or type(error).__name__
