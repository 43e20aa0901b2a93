"""Recordings in MCAP, written without ROS."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from enet_ros.errors import BadInput
from enet_ros.images.bag_source import BagMessage
from enet_ros.paths import OutputFolder, share_folder, user_path

if TYPE_CHECKING:
    from rosbags.interfaces import Connection, Qos
    from rosbags.typesys.store import Typestore

OWN_MESSAGES = 'ClassInfo', 'LabelMap'


def make_typestore() -> 'Typestore':
    """Return the message types of ROS 2 and those of this package."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    for name in OWN_MESSAGES:
        text = (share_folder() / 'msg' / f'{name}.msg').read_text()
        store.register(get_types_from_msg(text, f'enet_ros/msg/{name}'))
    return store


class BagWriter:
    """Writes an MCAP file; it appears under its name when it is complete, else not at all.

    Use it in a with statement. The data goes into a folder beside the file, which is removed at
    the end and after errors.

    out: path as the user wrote it, with the suffix .mcap; an existing file is replaced.
    Raise BadInput if it cannot be written.

    Attributes: `types` (the message classes by name).
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self.path = user_path(out)
        if self.path.is_dir():
            raise BadInput(f'{self.path} is a folder; name a file with --out')
        OutputFolder(self.path.parent)
        self._store = make_typestore()
        self.types = self._store.types
        self._part = self.path.with_name(f'{self.path.stem}.{os.getpid()}.part')

    def __enter__(self) -> 'BagWriter':
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

        with self._write_errors():
            self._writer = Writer(self._part, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        try:
            with self._write_errors():
                if kind is None:
                    self._writer.close()
                    os.replace(next(self._part.glob('*.mcap')), self.path)
                else:
                    self._writer.abort()
        finally:
            shutil.rmtree(self._part, ignore_errors=True)

    def add_topic(self, topic: str, message_type: str, latched: bool = False) -> 'Connection':
        """Add a topic of a type in `types`.

        latched: late subscribers receive the last message.
        """
        return self._writer.add_connection(
            topic, message_type, typestore=self._store,
            offered_qos_profiles=[_latched_qos()] if latched else [])

    def copy_topic(self, connection: 'Connection') -> 'Connection | None':
        """Add the topic of another recording; return None if its type is not known."""
        from rosbags.interfaces import ConnectionExtRosbag2

        assert isinstance(connection.ext, ConnectionExtRosbag2)
        definition = connection.msgdef.data or None
        if not (definition and connection.digest) and connection.msgtype not in self.types:
            return None
        return self._writer.add_connection(
            connection.topic, connection.msgtype, typestore=self._store, msgdef=definition,
            rihs01=connection.digest or None,
            serialization_format=connection.ext.serialization_format,
            offered_qos_profiles=connection.ext.offered_qos_profiles)

    def write(self, connection: 'Connection', time: int, message: object) -> None:
        """Write a message of a class in `types`, recorded at `time` in nanoseconds."""
        data = self._store.serialize_cdr(message, connection.msgtype)
        self.write_data(connection, BagMessage(connection, time, bytes(data)))

    def write_data(self, connection: 'Connection', message: BagMessage) -> None:
        """Write the data of a message, recorded at its time."""
        with self._write_errors():
            self._writer.write(connection, message.time, message.data)

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        """Raise BadInput for an OSError in the with statement."""
        try:
            yield
        except OSError as error:
            raise BadInput(f'cannot write {self.path}: {error.strerror}; free disk space, or '
                           'choose another --out') from error


def _latched_qos() -> 'Qos':
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    unspecified = QosTime(0, 0)
    return Qos(QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL,
               unspecified, unspecified, QosLiveliness.AUTOMATIC, unspecified, False)


def is_recording(out: str | os.PathLike[str]) -> bool:
    """Return whether results are to be written as a recording: the name ends in .mcap."""
    return Path(out).suffix == '.mcap'
