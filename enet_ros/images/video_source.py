"""Frames of video files and cameras."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import cv2

from enet_ros.errors import BadInput
from enet_ros.images.source import Source, SourceFrame, frame_name


class VideoSource(Source):
    """The frames of a video file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        video = open_capture(str(path))
        self.length = max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT))) or None
        if not video.read()[0]:
            raise BadInput(f'{path} is not a video that can be decoded; use another file, or '
                           'convert it (ffmpeg -i VIDEO out.mp4)')

    def __iter__(self) -> Iterator[SourceFrame]:
        return _frames(open_capture(str(self.path)))


class CameraSource(Source):
    """The current frames of a camera until it is disconnected."""

    endless = live = True

    def __init__(self, index: int) -> None:
        self.index = index
        self.device = open_capture(index)
        if not self.device.isOpened():
            raise BadInput(f'camera {index} cannot be opened; check that it is connected, not in '
                           'use, and that you may read it (ls -l /dev/video*)')
        self.device.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # a longer buffer would delay the frames

    def __iter__(self) -> Iterator[SourceFrame]:
        yield from _frames(self.device)
        raise BadInput(f'camera {self.index} sends no more frames; check its connection and '
                       'start again')

    def close(self) -> None:
        self.device.release()


def open_capture(source: str | int) -> cv2.VideoCapture:
    """Open a video file or the camera of an index without the log output of OpenCV and FFmpeg."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # quiet; OpenCV reads it once
    logging = cv2 if hasattr(cv2, 'setLogLevel') else cv2.utils.logging
    level = logging.setLogLevel(0)
    try:
        return cv2.VideoCapture(source)
    finally:
        logging.setLogLevel(level)


def _frames(video: cv2.VideoCapture) -> Iterator[SourceFrame]:
    for number in count():
        success, image = video.read()
        if not success:
            return
        yield SourceFrame(frame_name(number), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
