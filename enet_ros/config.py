"""The settings of nodes and commands, with their defaults and checks.

Defaults exist only here and in the other configuration classes. The metadata of a field describes
it in ROS parameters, command-line help and documentation:

description: meaning and unit.
minimum, maximum, choices: allowed values.
live: a running node applies a new value to the next frame.
reloaded: a running node accepts a new value and applies it at the next reload.
read_only: the value cannot change after the node has started.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from enet_ros.errors import BadInput

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar('T')

ENGINES = ('auto', 'torch', 'native', 'openvino', 'onnxruntime', 'tensorrt')
DEVICES = ('auto', 'cpu', 'cuda')
PRECISIONS = ('auto', 'float32', 'bfloat16', 'float16')
FILTERS = ('nearest', 'linear')
# What the input and output of an ONNX network can be; range is the value of white.
LAYOUTS = ('NCHW', 'NHWC')
CHANNELS = ('rgb', 'bgr')
DTYPES = ('float32', 'uint8')
RANGES = (1, 255)
NETWORK_OUTPUTS = ('logits', 'probabilities', 'labels')
# Mean and standard deviation of RGB in [0, 1].
NORMALIZATIONS = {
    'imagenet': ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    'none': ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def setting(default: T, description: str, **rules: object) -> T:
    """Return a dataclass field with a default, a description and rules for its values."""
    return field(default=default, metadata={'description': description, **rules})


def value(description: str, **rules: object) -> Any:
    """Return a dataclass field without a default: a file provides its value."""
    return field(metadata={'description': description, **rules})


def check(config: 'DataclassInstance') -> None:
    """Raise BadInput for the first field of a configuration that breaks its rules."""
    for item in fields(config):
        name, value, rules = item.name, getattr(config, item.name), item.metadata
        if 'choices' in rules:
            require(value in rules['choices'], name, value,
                    f'choose one of {", ".join(rules["choices"])}')
        if isinstance(value, float):
            require(math.isfinite(value), name, value, 'it must be a finite number')
        if 'minimum' in rules:
            require(value >= rules['minimum'], name, value,
                    f'it must be at least {rules["minimum"]}')
        if 'maximum' in rules:
            require(value <= rules['maximum'], name, value,
                    f'it must be at most {rules["maximum"]}')


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) in pixels of a size such as '640x360'; raise BadInput if invalid."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if match:
        width, height = int(match[1]), int(match[2])
        if 32 <= width <= 8192 and 32 <= height <= 8192:
            return width, height
    raise BadInput(f'size {text!r} is not WIDTHxHEIGHT, each from 32 to 8192 pixels; write '
                   'for example 640x360')


def require(condition: object, name: str, value: object, rule: str) -> None:
    """Raise BadInput, which states a rule for the setting `name`, unless the condition holds."""
    if not condition:
        raise BadInput(f'{name} is {value!r}; {rule}')


@dataclass(frozen=True)
class ModelConfig:
    """The network and its runtime."""

    path: str = setting('enet_camvid', 'name of a shipped model, or a .safetensors or .onnx file',
                        reloaded=True)
    engine: str = setting('auto', 'runtime of the network; auto selects torch on a GPU, or '
                          'ONNX Runtime if only that supports the GPU, and on a CPU the fastest '
                          'one, which it measures; tensorrt runs in ONNX Runtime',
                          choices=ENGINES)
    device: str = setting('auto', 'device of the network; auto selects a GPU if there is one',
                          choices=DEVICES)
    precision: str = setting('auto', 'numeric precision of the network; auto selects float16 on '
                             'a GPU, and on a CPU the fastest one whose labels are those of '
                             'float32, which it measures',
                             choices=PRECISIONS)
    threads: int = setting(0, 'CPU threads of the network; 0: one per core',
                           minimum=0, maximum=256)
    compile: bool = setting(False, 'compile the network with the engine torch; this needs a C++ '
                            'compiler, and minutes at the first start')
    cache_folder: str = setting('', 'folder that keeps exported and compiled networks for later '
                                "starts; empty: enet_ros in the user's cache folder")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class InputConfig:
    """The conversion of camera images to network input."""

    width: int = setting(0, "width of the network input in pixels; 0: the model's own",
                         minimum=0, maximum=8192)
    height: int = setting(0, "height of the network input in pixels; 0: the model's own",
                          minimum=0, maximum=8192)
    transport: str = setting('raw', 'transport of the camera images; compressed subscribes to '
                             'JPEG or PNG on image/compressed', choices=('raw', 'compressed'))
    white_level: int = setting(65535, 'value of 16-bit images that is white, such as 4095 for '
                               '12-bit cameras', minimum=1, maximum=65535, live=True)

    def __post_init__(self) -> None:
        check(self)
        for name in ('width', 'height'):
            value = getattr(self, name)
            require(value == 0 or value >= 32, name, value, 'it must be 0 or at least 32')


@dataclass(frozen=True)
class LabelSpaceConfig:
    """The values and colors of the label images, and the groups of classes."""

    groups: str = setting('', 'YAML file of groups of classes, each with a mask topic: lines such '
                          "as 'vehicle: [Car, Bicyclist]'; empty: none")
    label_ids: str = setting('classes', 'what the label images hold: classes (ids of the model), '
                             'groups (positions in the file groups) or mapped (ids of the file '
                             'label_table)', choices=('classes', 'groups', 'mapped'))
    label_table: str = setting('', 'YAML file for label_ids mapped: ids (class: id), void (id '
                               'without a class, 255 by default) and encoding (mono8 or 16SC1)')
    palette: str = setting('', 'CSV file of colors with the columns name,r,g,b,a,id, as Hydra has '
                           'them; empty: the colors of the model')

    def __post_init__(self) -> None:
        check(self)
        for ids, name in (('groups', 'groups'), ('mapped', 'label_table')):
            require(self.label_ids != ids or getattr(self, name), 'label_ids', ids,
                    f'it needs a file; name it in {name}')


@dataclass(frozen=True)
class OutputConfig(LabelSpaceConfig):
    """The published images."""

    classes: tuple[str, ...] = setting((), 'names of the classes with a mask topic; empty: all')
    size: str = setting('input', 'size of the published images: input (that of the camera '
                        'image), network, or WIDTHxHEIGHT in pixels such as 640x360')
    filter: str = setting('nearest', 'interpolation of the labels to that size; linear '
                          'interpolates class scores and needs a size other than input',
                          choices=FILTERS)
    confidence_threshold: float = setting(
        0.0, 'probability of the predicted class below which the label is 255 (no class), or void '
        'in label_table; enet calibrate prints how many pixels values of it keep',
        minimum=0.0, maximum=1.0, live=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size not in ('input', 'network'):
            try:
                parse_size(self.size)
            except BadInput as error:
                raise BadInput(f'size: {error}, input or network') from error
        require(self.filter == 'nearest' or self.size != 'input', 'filter', self.filter,
                "with size input it must be nearest; set size to the camera's size in pixels")

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Return (width, height) if `size` is a size in pixels, else None."""
        return None if self.size in ('input', 'network') else parse_size(self.size)


@dataclass(frozen=True)
class OverlayConfig:
    """The overlay of class colors over the camera image."""

    alpha: float = setting(0.5, 'weight of the class colors over the camera image',
                           minimum=0.0, maximum=1.0, live=True)
    jpeg_quality: int = setting(80, 'JPEG quality of the compressed overlay',
                                minimum=1, maximum=100, live=True)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class AgeConfig:
    """Limits on the age of images and results: the time since the image was stamped."""

    budget_ms: float = setting(0.0, 'latency budget in milliseconds: results whose image is '
                               'older are dropped instead of published; 0: no limit',
                               minimum=0.0, maximum=60000.0, live=True)
    reserve_ms: float = setting(0.0, 'part of budget_ms in milliseconds that is reserved for the '
                                'transport of results to their subscribers',
                                minimum=0.0, maximum=60000.0, live=True)
    max_age_ms: float = setting(0.0, 'age in milliseconds above which images are dropped when '
                                'they arrive; 0: no limit',
                                minimum=0.0, maximum=60000.0, live=True)

    def __post_init__(self) -> None:
        check(self)
        require(not self.reserve_ms or self.reserve_ms < self.budget_ms, 'reserve_ms',
                self.reserve_ms, f'it must be less than budget_ms, which is {self.budget_ms:g}')

    @property
    def publishing_limit_ms(self) -> float:
        """Return the age up to which results are published, milliseconds; 0 means no limit."""
        return self.budget_ms - self.reserve_ms


@dataclass(frozen=True)
class LatencyConfig(AgeConfig):
    """Limits on age, and the choice of a network size that meets them."""

    adaptive: bool = setting(False, 'run the network at the largest of sizes that meets '
                             'budget_ms')
    sizes: tuple[str, ...] = setting((), 'network sizes among which adaptive selects, such as '
                                     "640x360; empty: the model's own, three quarters and half "
                                     'of it')

    def __post_init__(self) -> None:
        super().__post_init__()
        for text in self.sizes:
            try:
                parse_size(text)
            except BadInput as error:
                raise BadInput(f'sizes: {error}') from error
        require(len(set(self.sizes)) == len(self.sizes), 'sizes', self.sizes,
                'each size may appear once')
        require(self.budget_ms or not self.adaptive, 'budget_ms', self.budget_ms,
                'adaptive needs a latency budget; set one, or set adaptive to false')


@dataclass(frozen=True)
class SegmentationConfig:
    """The settings of segmentation_node."""

    cameras: tuple[str, ...] = setting((), 'names of the cameras, which become part of their '
                                       'topics; empty: one camera without a name')
    model: ModelConfig = field(default_factory=ModelConfig)
    input: InputConfig = field(default_factory=InputConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    overlay: OverlayConfig = field(default_factory=OverlayConfig)
    latency: LatencyConfig = field(default_factory=LatencyConfig)

    def __post_init__(self) -> None:
        for name in self.cameras:
            require(re.fullmatch('[a-z][a-z0-9]*(_[a-z0-9]+)*', name), 'cameras', name,
                    'a name consists of lower-case letters, digits and single underscores, and '
                    'starts with a letter')
        require(len(set(self.cameras)) == len(self.cameras), 'cameras', self.cameras,
                'each name may appear once')


@dataclass(frozen=True)
class ReplayConfig:
    """The settings of replay_node."""

    source: str = setting('synthetic', 'what to play: synthetic, an image, a folder of images, a '
                          'video, a rosbag2 or the index of a camera', read_only=True)
    rate_hz: float = setting(10.0, 'frames per second; 0: a frame for each call of the service '
                             '~/next', minimum=0.0, maximum=1000.0, live=True)
    loop: bool = setting(True, 'start again at the end of the source', live=True)
    frame_id: str = setting('camera_optical_frame', 'frame_id of all messages', read_only=True)
    seed: int = setting(0, 'random seed of the synthetic street', minimum=0, read_only=True)
    width: int = setting(640, 'width of synthetic frames in pixels',
                         minimum=32, maximum=4096, read_only=True)
    height: int = setting(360, 'height of synthetic frames in pixels',
                          minimum=32, maximum=4096, read_only=True)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. The values are in `config/train/`."""

    architecture: str = value('network architecture, such as enet')
    normalization: str = value('mean and standard deviation of RGB by which images are '
                               'normalized', choices=tuple(NORMALIZATIONS))
    encoder_epochs: int = value('epochs of the first stage, which trains only the encoder',
                                minimum=0)
    epochs: int = value('epochs of the second stage, which trains the whole network', minimum=1)
    batch_size: int = value('frames per step, over all processes', minimum=2)
    crop: int = value('width and height of the crops in pixels, a multiple of 8; 0: whole frames',
                      minimum=0)
    augment: bool = value('augment frames: random scale, flip, light and color')
    degraded_share: float = value('share of the augmented frames that look like those of a poor '
                                  'camera: blur, noise, JPEG artifacts',
                                  minimum=0.0, maximum=1.0)
    largest_scale: float = value('largest random scale; the smallest is its inverse',
                                 minimum=1.0, maximum=4.0)
    synthetic_share: float = value('share of synthetic streets in a batch',
                                   minimum=0.0, maximum=0.9)
    unlabeled_share: float = value('share of unlabeled frames in a batch, for runs with '
                                   '--unlabeled', minimum=0.0, maximum=0.9)
    synthetic_frames: int = value('number of distinct synthetic frames', minimum=1)
    augment_synthetic: bool = value('augment synthetic frames too')
    class_weight_offset: float = value('c of the class weights 1 / ln(c + p), where p is the '
                                       "class's share of pixels", minimum=1.0001)
    iou_weight: float = value('weight of the soft IoU loss beside the cross-entropy', minimum=0.0)
    encoder_weight: float = value("weight of the loss of the encoder's prediction in the second "
                                  'stage', minimum=0.0)
    teacher_weight: float = value("weight of the divergence from the teacher's predictions, for "
                                  'runs with --teacher', minimum=0.0)
    teacher_temperature: float = value('temperature that softens the predictions of teacher and '
                                       'network for their comparison', minimum=1.0, maximum=20.0)
    teach_labeled: bool = value('learn the predictions of the teacher for labeled frames, too; '
                                'false: only those for unlabeled frames')
    dropout: bool = value('use dropout')
    optimizer: str = value('optimizer', choices=('adamw', 'adam'))
    learning_rate: float = value('maximum learning rate', minimum=0.0, maximum=1.0)
    weight_decay: float = value('weight decay of adamw, or L2 penalty of adam', minimum=0.0)
    schedule: str = value('learning rate schedule', choices=('one_cycle', 'steps'))
    average_decay: float = value('decay per step of the moving average of the weights; 0: no '
                                 'averaging', minimum=0.0, maximum=0.99999)

    def __post_init__(self) -> None:
        check(self)
        require(self.crop % 8 == 0, 'crop', self.crop, 'it must be a multiple of 8')
        require(self.synthetic_per_batch < self.batch_size, 'synthetic_share',
                self.synthetic_share, f'it must leave a real frame in a batch of '
                f'{self.batch_size}; lower it, or raise batch_size')

    @property
    def synthetic_per_batch(self) -> int:
        """Return the number of synthetic frames in a batch, at least 1 unless the share is 0."""
        return self._per_batch(self.synthetic_share)

    @property
    def unlabeled_per_batch(self) -> int:
        """Return the number of unlabeled frames in a batch, at least 1 unless the share is 0."""
        return self._per_batch(self.unlabeled_share)

    def _per_batch(self, share: float) -> int:
        return max(round(self.batch_size * share), int(share > 0))


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The data, output folder and hardware of a training run."""

    data: str = setting('camvid', 'data set: camvid, cityscapes, sunrgbd-heldout or a .yaml file')
    root: str = setting('', 'folder of the data set')
    out: str = setting('runs/enet', 'folder for checkpoints and logs; an interrupted run in it '
                       'is resumed')
    initial: str = setting('', 'checkpoint to start from, also one of other classes; empty: '
                           'random weights')
    teacher: str = setting('', 'network whose predictions are learned in addition to the '
                           'labels: an .onnx file, or a checkpoint of this package; empty: none')
    teacher_mapping: str = setting('', "YAML file of the teacher's input and classes; empty: the "
                                   '.yaml file beside an .onnx file')
    teacher_cache: str = setting('', "folder that keeps the teacher's predictions; empty: "
                                 "enet_ros in the user's cache folder")
    unlabeled: Sequence[str] = setting((), 'folders of images without labels, for which only '
                                       "the teacher's predictions are learned")
    seed: int = setting(0, 'random seed of initial weights, order and augmentation',
                        minimum=0, maximum=2**31 - 1)
    device: str = setting('auto', 'device; auto uses a GPU if there is one', choices=DEVICES)
    processes: int = setting(1, 'processes on this machine, one per GPU', minimum=1)
    machines: int = setting(1, 'machines that train together, started by torchrun', minimum=1)
    precision: str = setting('32-true', 'numeric precision; bf16-mixed is faster on GPUs, and on '
                             'CPUs with AMX', choices=('32-true', 'bf16-mixed'))
    compile: bool = setting(True, 'compile the training step: takes minutes at the start and '
                            'makes steps several times faster')
    workers: int = setting(0, 'additional processes that prepare samples', minimum=0)
    scored_streets: int = setting(64, 'frames of unseen synthetic streets to evaluate besides '
                                  'val', minimum=1)
    checkpoint_every: int = setting(50, 'steps between saved states from which a run can resume',
                                    minimum=1)
    evaluate_every: int = setting(10, 'epochs between evaluations', minimum=1)

    def __post_init__(self) -> None:
        check(self)
        for name in ('teacher_mapping', 'unlabeled'):
            require(self.teacher or not getattr(self, name), name, getattr(self, name),
                    'it needs a teacher; name one with --teacher')
