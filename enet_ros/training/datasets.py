"""Labelled frames on disk and from the synthetic street, as training and evaluation read them."""

from pathlib import Path

from enet_ros.errors import BadInput
from enet_ros.image_files import image_files, label_folder, read_image, read_labels
from enet_ros.synthetic import SyntheticStreet


class FolderFrames:
    """Images of one folder with the label files of another, matched by file stem.

    Items are (image uint8 (H, W, 3) RGB, labels uint8 (H, W)). Missing label files are found at
    once, before any work is done.
    """

    def __init__(self, folder, label_set, annotations=None):
        self.files = image_files(folder)
        self.label_set = label_set
        annotations = annotations or label_folder(folder)
        if annotations is None:
            raise BadInput(f'{folder} has no labels: no folder {Path(folder).name}annot beside it')
        self.label_files = [Path(annotations) / f'{file.stem}.png' for file in self.files]
        for file in self.label_files:
            if not file.is_file():
                raise BadInput(f'label file {file} is missing; add it or remove its image')

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image = read_image(self.files[index])
        labels = read_labels(self.label_files[index], self.label_set)
        if image.shape[:2] != labels.shape:
            raise BadInput(f'{self.files[index]} is {image.shape[1]}x{image.shape[0]} but its '
                           f'labels are {labels.shape[1]}x{labels.shape[0]}')
        return image, labels


class SyntheticFrames:
    """Frames of synthetic streets: a few, far apart, of each seed.

    Items are (image uint8 (H, W, 3) RGB, labels uint8 (H, W)) with CamVid's ids.
    """

    FRAMES_PER_STREET = 8
    FRAMES_APART = 37

    def __init__(self, width, height, first_seed, count):
        self.size = width, height
        self.first_seed = first_seed
        self.count = count
        self.street = self.seed = None

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        street, frame = divmod(index, self.FRAMES_PER_STREET)
        seed = self.first_seed + street
        if seed != self.seed:
            self.street, self.seed = SyntheticStreet(*self.size, seed=seed), seed
        frame = self.street.render(frame * self.FRAMES_APART)
        return frame.image, frame.labels
