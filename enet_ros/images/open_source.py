"""Selection of an image source by its name or path."""

import os
import re

from enet_ros.errors import BadInput
from enet_ros.images.bag_source import BagSource, is_bag
from enet_ros.images.files import IMAGE_SUFFIXES, image_files
from enet_ros.images.folder_source import FolderSource
from enet_ros.images.source import Source
from enet_ros.images.street_source import StreetSource
from enet_ros.images.video_source import CameraSource, VideoSource
from enet_ros.labels import CAMVID, LabelSet
from enet_ros.paths import user_path


def open_source(source: str | os.PathLike[str], label_set: LabelSet = CAMVID, width: int = 640,
                height: int = 360, seed: int = 0, white_level: int = 65535) -> Source:
    """Open `synthetic`, an image, a folder, a video, a rosbag2 recording or a camera.

    source: `synthetic`, a path, `BAG:/topic` for one topic of a recording, or the index of a
        camera.
    label_set: classes of the label files. The synthetic street has ground truth only for
        CamVid's classes.
    width, height, seed: size in pixels and random seed of the synthetic street; other sources
        have their own size.
    white_level: value of 16-bit images in recordings that becomes 255.

    Raise BadInput if the source does not exist or holds no images.
    """
    source = str(source)
    if source == 'synthetic':
        return StreetSource(label_set, width, height, seed)
    if camera := re.fullmatch(r'(?:/dev/video)?(\d{1,3})', source):
        return CameraSource(int(camera[1]))
    bag, colon, topic = source.partition(':/')
    if colon and is_bag(user_path(bag)):
        return BagSource(user_path(bag), f'/{topic}', white_level)
    path = user_path(source)
    if not source or not path.exists():
        raise BadInput(f'source {source!r} does not exist; use synthetic, an image, a folder of '
                       'images, a video, a rosbag2 or the index of a camera')
    if is_bag(path):
        return BagSource(path, white_level=white_level)
    if path.is_dir():
        return FolderSource(image_files(path), label_set)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return FolderSource([path], label_set)
    return VideoSource(path)
