"""Frames of image files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from enet_ros.errors import BadInput
from enet_ros.images.files import label_folder, read_image, read_labels
from enet_ros.images.source import Source, SourceFrame
from enet_ros.labels import LabelSet


class FolderSource(Source):
    """Image files of one folder, with the label files beside it, if there are any.

    An image without a label file has no ground truth. An image whose label file does not fit
    cannot be read.

    files: at least one image file, all of one folder.
    """

    def __init__(self, files: Sequence[Path], label_set: LabelSet) -> None:
        self.files, self.label_set = files, label_set
        self.length = len(files)
        self.label_files = _label_files(files)
        self.labeled = bool(self.label_files)

    def __iter__(self) -> Iterator[SourceFrame]:
        return map(self._read, self.files)

    def _read(self, file: Path) -> SourceFrame:
        image, truth = read_image(file), None
        if file in self.label_files:
            truth = read_labels(self.label_files[file], self.label_set)
            if truth.shape != image.shape[:2]:
                raise BadInput(f'{file} is {image.shape[1]}x{image.shape[0]} but its labels '
                               f'{self.label_files[file]} are {truth.shape[1]}x{truth.shape[0]}; '
                               'resize one of them')
        return SourceFrame(file.stem, image, truth)


def _label_files(files: Sequence[Path]) -> dict[Path, Path]:
    """Return the label file of each image that has one; raise BadInput for equal stems."""
    by_stem: dict[str, Path] = {}
    for file in files:
        if (other := by_stem.setdefault(file.stem, file)) is not file:
            raise BadInput(f'{other} and {file.name} differ only in their suffix, so their '
                           'labels and results would have the same name; rename one')
    folder = label_folder(files[0].parent)
    if folder is None:
        return {}
    labels = {file: folder / f'{file.stem}.png' for file in files}
    return {file: label for file, label in labels.items() if label.is_file()}
