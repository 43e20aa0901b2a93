"""Frames from the synthetic street, image files, videos, rosbag2 recordings and cameras."""

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np

from enet_ros.errors import BadInput
from enet_ros.images.encodings import RawImage, decode_compressed, decode_raw
from enet_ros.images.files import (
    IMAGE_SUFFIXES,
    image_files,
    label_folder,
    read_image,
    read_labels,
)
from enet_ros.labels import CAMVID
from enet_ros.paths import user_path
from enet_ros.synthetic.street import SyntheticStreet

BAG_SUFFIXES = ('.db3', '.mcap')


@dataclass(frozen=True)
class SourceFrame:
    """One picture of a source.

    name is the file's stem, or the frame's number with leading zeros; image is uint8 (H, W, 3)
    RGB; truth is uint8 (H, W) class ids, UNLABELLED for void, or None without labels.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray | None = None


class Source:
    """Frames in order; each iteration starts anew.

    A frame that cannot be read raises BadInput from next(); the same iterator then goes on with
    the frame after it. length is None where it is unknown; containers of videos may state it
    wrongly. labelled says that at least one frame has truth. camera is a PinholeCamera or None.
    files are those that are read one by one.
    """

    length = None
    endless = False
    live = False
    labelled = False
    camera = None
    files = ()

    def __iter__(self):
        raise NotImplementedError

    def close(self):
        """Let go of what the source holds open."""


def open_source(source, label_set=CAMVID, width=640, height=360, seed=0):
    """Return the Source that `source` names.

    That is `synthetic`, an image file, a folder of images, a video file, a rosbag2 recording
    (`BAG` or `BAG:/topic`) or a camera's index. width, height (pixels) and seed are those of the
    synthetic street; all else keeps its own size. Labels are read as ids of `label_set`; those of
    the street are CamVid's, so it has none for other classes. Raise BadInput where there is
    nothing to read.
    """
    source = str(source)
    if source == 'synthetic':
        return SyntheticSource(label_set, width, height, seed)
    if camera := re.fullmatch(r'(?:/dev/video)?(\d{1,3})', source):
        return CameraSource(int(camera[1]))
    path, colon, topic = source.partition(':/')
    if colon and _is_bag(bag := user_path(path)):
        return BagSource(bag, '/' + topic)
    path = user_path(source)
    if not source or not path.exists():
        raise BadInput(f'source {source!r} does not exist; give synthetic, an image, a folder of '
                       'images, a video, a rosbag2 or the index of a camera')
    if _is_bag(path):
        return BagSource(path)
    if path.is_dir():
        return FilesSource(image_files(path), label_set)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return FilesSource([path], label_set)
    return VideoSource(path)


class SyntheticSource(Source):
    """A drive through a synthetic street without end."""

    endless = True

    def __init__(self, label_set, width, height, seed):
        self.street = SyntheticStreet(width, height, seed=seed)
        self.camera = self.street.camera
        self.labelled = label_set.names == CAMVID.names

    def __iter__(self):
        return map(self._render, count())

    def _render(self, number):
        frame = self.street.render(number)
        return SourceFrame(_numbered(number), frame.image,
                           frame.labels if self.labelled else None)


class FilesSource(Source):
    """Image files of one folder, with the labels beside it where there are any.

    An image without a label file has no truth; one whose label file does not fit is not read.
    """

    def __init__(self, files, label_set):
        self.files, self.label_set = files, label_set
        self.length = len(files)
        by_stem = {}
        for file in files:
            if (other := by_stem.setdefault(file.stem, file)) is not file:
                raise BadInput(f'{other} and {file.name} have one name but for their endings, '
                               'and labels and results go by that name; rename one')
        beside = label_folder(files[0].parent)
        self.label_files = {} if beside is None else {
            file: beside / f'{file.stem}.png' for file in files
            if (beside / f'{file.stem}.png').is_file()}
        self.labelled = bool(self.label_files)

    def __iter__(self):
        return map(self._read, self.files)

    def _read(self, file):
        image, truth = read_image(file), None
        if file in self.label_files:
            truth = read_labels(self.label_files[file], self.label_set)
            if truth.shape != image.shape[:2]:
                raise BadInput(f'{file} is {image.shape[1]}x{image.shape[0]} but its labels '
                               f'{self.label_files[file]} are {truth.shape[1]}x{truth.shape[0]}; '
                               'make them one size')
        return SourceFrame(file.stem, image, truth)


class VideoSource(Source):
    """The frames of a video file."""

    def __init__(self, path):
        self.path = path
        video = _capture(str(path))
        self.length = max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT))) or None
        if not video.read()[0]:
            raise BadInput(f'{path} is no video that can be decoded; give another file, or '
                           'convert it (ffmpeg -i VIDEO out.mp4)')

    def __iter__(self):
        return _frames(_capture(str(self.path)))


class CameraSource(Source):
    """What a camera sees now, until it is unplugged."""

    endless = live = True

    def __init__(self, index):
        self.index = index
        self.device = _capture(index)
        if not self.device.isOpened():
            raise BadInput(f'camera {index} cannot be opened; see that it is plugged in, free and '
                           'yours to read (ls -l /dev/video*)')
        self.device.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # else frames wait in line and are old

    def __iter__(self):
        yield from _frames(self.device)
        raise BadInput(f'camera {self.index} gives no more frames; see that it is plugged in '
                       'and start again')

    def close(self):
        self.device.release()


class BagSource(Source):
    """The images of one topic of a rosbag2 recording; by default of its first image topic."""

    TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')

    def __init__(self, path, topic=None):
        try:
            from rosbags.rosbag2 import Reader
            from rosbags.typesys import Stores, get_typestore
        except ImportError as error:
            raise BadInput(f'reading {path} needs the package rosbags; '
                           'pip install rosbags') from error
        self.path, self.reader = path, Reader
        with self._reading(), Reader(path) as bag:
            counts = {}
            for link in bag.connections:
                if link.msgtype in self.TYPES:
                    counts[link.topic] = counts.get(link.topic, 0) + link.msgcount
        self.topic = topic or next(iter(counts), None)
        if self.topic not in counts:
            raise BadInput(f'{path} has no {topic or "images"}; its image topics are '
                           f'{", ".join(counts) or "none"}')
        self.length = counts[self.topic]
        if not self.length:
            raise BadInput(f'{path} has no messages on {self.topic}; '
                           f'its image topics are {", ".join(counts)}')
        # Both messages are the same in all releases; older recordings do not hold their types.
        self.decode = get_typestore(Stores.ROS2_HUMBLE).deserialize_cdr

    def __iter__(self):
        return map(self._frame, count(), self._messages())

    def _messages(self):
        with self._reading(), self.reader(self.path) as bag:
            links = [link for link in bag.connections
                     if link.topic == self.topic and link.msgtype in self.TYPES]
            for link, _, data in bag.messages(links):
                yield data, link.msgtype

    def _frame(self, number, message):
        where = f'{self.path}, message {number} of {self.topic}'
        try:
            msg = self.decode(*message)
            if message[1] == self.TYPES[0]:
                decoded = decode_raw(RawImage(msg.encoding, msg.width, msg.height, msg.step,
                                              bool(msg.is_bigendian), msg.data))
            else:
                decoded = decode_compressed(msg.data, msg.format)
        except BadInput as error:
            raise BadInput(f'{where}: {error}') from error
        except Exception as error:  # of many kinds, where bytes are missing
            raise BadInput(f'{where} is damaged ({_line(error)}); record it again') from error
        return SourceFrame(_numbered(number), np.ascontiguousarray(decoded.rgb()))

    @contextmanager
    def _reading(self):
        try:
            yield
        except Exception as error:  # the storages raise kinds of their own
            raise BadInput(f'{self.path} cannot be read as rosbag2 ({_line(error)}); '
                           'try ros2 bag reindex, or record it again') from error


def _is_bag(path):
    if path.is_dir():  # also one that was not closed and lacks its metadata.yaml
        return any(set(file.suffixes) & set(BAG_SUFFIXES) for file in path.iterdir())
    return path.suffix in BAG_SUFFIXES and path.is_file()


def _capture(what):
    """Open a video or camera without OpenCV's and FFmpeg's own words about failures."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # quiet; read at its first use
    logging = cv2 if hasattr(cv2, 'setLogLevel') else cv2.utils.logging
    level = logging.setLogLevel(0)
    try:
        return cv2.VideoCapture(what)
    finally:
        logging.setLogLevel(level)


def _frames(video):
    for number in count():
        there, image = video.read()
        if not there:
            return
        yield SourceFrame(_numbered(number), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _numbered(number):
    return f'{number:06d}'


def _line(error):
    return ' '.join(str(error).split()) or type(error).__name__
