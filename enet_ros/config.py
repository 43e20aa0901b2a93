"""Settings with their defaults and checks: the only place that has any.

A field's metadata describes it wherever it is shown, as a ROS parameter too: `description` with
the unit, `minimum` and `maximum` or `choices`, `live` where it may change while the program
works with it, `reloaded` where it may too but counts from the next reload on, and `read_only`
where it cannot change after the start.
"""

import math
import re
from dataclasses import dataclass, field, fields

from enet_ros.errors import BadInput

ENGINES = ('auto', 'torch', 'openvino', 'onnxruntime', 'tensorrt')
DEVICES = ('auto', 'cpu', 'cuda')
PRECISIONS = ('auto', 'float32', 'bfloat16', 'float16')
FILTERS = ('nearest', 'linear')
# Mean and deviation of RGB in [0, 1].
NORMALIZATIONS = {
    'imagenet': ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    'none': ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def setting(default, description, **rules):
    """Return a dataclass field with a default, a description and the rules for its values."""
    return field(default=default, metadata={'description': description, **rules})


def value(description, **rules):
    """Return a dataclass field that has no default: its values are in a file."""
    return field(metadata={'description': description, **rules})


def check(config):
    """Raise BadInput for the first field of a config whose value breaks the field's rules."""
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


def parse_size(text):
    """Return (width, height) in pixels of a size written as '640x360'."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    size = tuple(map(int, match.groups())) if match else (0, 0)
    if not all(32 <= side <= 8192 for side in size):
        raise BadInput(f'size {text!r} is not WIDTHxHEIGHT, each from 32 to 8192 pixels; write '
                       'for example 640x360')
    return size


def require(holds, name, value, rule):
    if not holds:
        raise BadInput(f'{name} is {value!r}; {rule}')


@dataclass(frozen=True)
class ModelConfig:
    """Which network runs, and on what."""

    path: str = setting('enet_camvid', 'name of a shipped model, or a .safetensors file',
                        reloaded=True)
    engine: str = setting('auto', 'runtime of the network; tensorrt is that of ONNX Runtime, '
                          'auto takes torch on a GPU, or ONNX Runtime where only that can use it, '
                          'else openvino, else torch', choices=ENGINES)
    device: str = setting('auto', 'where it runs; auto takes a GPU if there is one',
                          choices=DEVICES)
    precision: str = setting('auto', 'of the arithmetic; auto takes float16 on a GPU, bfloat16 '
                             'with openvino where the processor has it, else float32',
                             choices=PRECISIONS)
    threads: int = setting(0, 'threads of the network on a CPU; 0: one a core',
                           minimum=0, maximum=256)
    compile: bool = setting(False, 'let the engine torch compile the network: minutes at the '
                            'first start, needs a C++ compiler')
    cache_folder: str = setting('', 'folder that keeps what takes long to build, for later '
                                "starts; empty: enet_ros in the user's cache folder")

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class InputConfig:
    """How camera images reach the network."""

    width: int = setting(0, "width at which the network runs, pixels; 0 takes the model's own",
                         minimum=0, maximum=8192)
    height: int = setting(0, "height at which the network runs, pixels; 0 takes the model's own",
                          minimum=0, maximum=8192)
    transport: str = setting('raw', 'of the camera images: raw, or compressed as JPEG or PNG',
                             choices=('raw', 'compressed'))
    white_level: int = setting(65535, 'value of 16-bit images that counts as white',
                               minimum=1, maximum=65535, live=True)

    def __post_init__(self):
        check(self)
        for name in ('width', 'height'):
            value = getattr(self, name)
            require(value == 0 or value >= 32, name, value, 'it must be 0 or at least 32')


@dataclass(frozen=True)
class OutputConfig:
    """What is published."""

    classes: tuple = setting((), 'names of the classes that get a mask topic; empty: all')
    size: str = setting('input', "of all images published: input (the camera image's), network, "
                        "or a size such as '640x360'")
    filter: str = setting('nearest', 'how labels get that size; linear interpolates the scores '
                          'of the classes', choices=FILTERS)
    confidence_threshold: float = setting(
        0.0, "probability of a pixel's class below which its label is 255, none",
        minimum=0.0, maximum=1.0, live=True)

    def __post_init__(self):
        check(self)
        if self.size not in ('input', 'network'):
            try:
                parse_size(self.size)
            except BadInput as error:
                raise BadInput(f'size: {error}, input or network') from error
        require(self.filter == 'nearest' or self.size != 'input', 'filter', self.filter,
                 "with size input it must be nearest; give the camera's size in pixels as size")

    @property
    def fixed_size(self):
        """Return (width, height) where a size in pixels was asked for, else None."""
        return None if self.size in ('input', 'network') else parse_size(self.size)


@dataclass(frozen=True)
class OverlayConfig:
    """How the overlay looks."""

    alpha: float = setting(0.5, 'weight of the colours over the image, from 0 to 1',
                           minimum=0.0, maximum=1.0, live=True)
    jpeg_quality: int = setting(80, 'of the compressed overlay, from 1 to 100',
                                minimum=1, maximum=100, live=True)

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class AgeConfig:
    """How old results may be: time since the image's stamp."""

    budget_ms: float = setting(0.0, 'age in milliseconds above which no result leaves: late '
                               'frames are dropped; 0: no limit',
                               minimum=0.0, maximum=60000.0, live=True)
    max_age_ms: float = setting(0.0, 'age in milliseconds above which images are dropped when '
                                'they arrive; 0: no limit',
                                minimum=0.0, maximum=60000.0, live=True)

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class LatencyConfig(AgeConfig):
    """How old results may be, and what the node does about it."""

    adaptive: bool = setting(False, 'run the network at the largest of sizes whose frames leave '
                             'within budget_ms')
    sizes: tuple = setting((), "sizes that adaptive chooses among, such as '640x360'; empty: the "
                           "network's own, three quarters and half of it")

    def __post_init__(self):
        super().__post_init__()
        for text in self.sizes:
            try:
                parse_size(text)
            except BadInput as error:
                raise BadInput(f'sizes: {error}') from error
        require(len(set(self.sizes)) == len(self.sizes), 'sizes', self.sizes,
                 'each size may stand there once')
        require(self.budget_ms or not self.adaptive, 'budget_ms', self.budget_ms,
                 'adaptive needs a budget; set one, or switch adaptive off')


@dataclass(frozen=True)
class SegmentationConfig:
    """The settings of the segmentation node."""

    cameras: tuple = setting((), 'names of the cameras, which become part of their topics; '
                             'empty: one camera without a name')
    model: ModelConfig = field(default_factory=ModelConfig)
    input: InputConfig = field(default_factory=InputConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    overlay: OverlayConfig = field(default_factory=OverlayConfig)
    latency: LatencyConfig = field(default_factory=LatencyConfig)

    def __post_init__(self):
        for name in self.cameras:
            require(re.fullmatch('[a-z][a-z0-9]*(_[a-z0-9]+)*', name), 'cameras', name,
                     'a name has lower case letters, digits and single underscores, and begins '
                     'with a letter')
        require(len(set(self.cameras)) == len(self.cameras), 'cameras', self.cameras,
                 'each name may stand there once')


@dataclass(frozen=True)
class ReplayConfig:
    """The settings of the replay node."""

    source: str = setting('synthetic', 'synthetic, a folder of images, a video file, a rosbag2 '
                          'or the index of a camera', read_only=True)
    rate_hz: float = setting(10.0, 'frames a second; 0 sends only when the service next is called',
                             minimum=0.0, maximum=1000.0, live=True)
    loop: bool = setting(True, 'start again where the source ends', live=True)
    frame_id: str = setting('camera_optical_frame', 'frame_id of all messages', read_only=True)
    seed: int = setting(0, 'which synthetic street', minimum=0, read_only=True)
    width: int = setting(640, 'width of synthetic frames, pixels',
                         minimum=32, maximum=4096, read_only=True)
    height: int = setting(360, 'height of synthetic frames, pixels',
                          minimum=32, maximum=4096, read_only=True)

    def __post_init__(self):
        check(self)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. The values are in config/train/*.yaml."""

    architecture: str = value('network architecture, such as enet')
    normalization: str = value('of RGB in [0, 1] before the network',
                               choices=tuple(NORMALIZATIONS))
    encoder_epochs: int = value('passes over the real frames with the encoder alone', minimum=0)
    epochs: int = value('passes with the whole network', minimum=1)
    batch_size: int = value('frames a step, over all processes', minimum=2)
    crop: int = value('width and height of samples, pixels, a multiple of 8; 0: whole frames',
                      minimum=0)
    augment: bool = value('scale, flip, light and colour')
    largest_scale: float = value('samples are scaled by up to this, or down by as much',
                                 minimum=1.0, maximum=4.0)
    synthetic_share: float = value('share of synthetic streets in a batch',
                                   minimum=0.0, maximum=0.9)
    synthetic_frames: int = value('distinct synthetic frames', minimum=1)
    augment_synthetic: bool = value('augment these too')
    class_weight_offset: float = value('c of the class weights 1 / ln(c + p)', minimum=1.0001)
    iou_weight: float = value('weight of one minus the soft mean IoU', minimum=0.0)
    encoder_weight: float = value("weight of the encoder's answer in the second stage",
                                 minimum=0.0)
    dropout: bool = value("leave out channels at random, as the authors' network does")
    optimizer: str = value('method', choices=('adamw', 'adam'))
    learning_rate: float = value('at its peak', minimum=0.0, maximum=1.0)
    weight_decay: float = value('of adamw, or L2 of adam', minimum=0.0)
    schedule: str = value('of the learning rate', choices=('one_cycle', 'steps'))
    average_decay: float = value('of the moving average of the weights, a step; 0: none',
                                 minimum=0.0, maximum=0.99999)

    def __post_init__(self):
        check(self)
        require(self.crop % 8 == 0, 'crop', self.crop, 'it must be a multiple of 8')
        require(self.synthetic_per_batch < self.batch_size, 'synthetic_share',
                self.synthetic_share, f'it must leave a real frame in a batch of '
                f'{self.batch_size}; lower it, or raise batch_size')

    @property
    def synthetic_per_batch(self):
        """Return how many frames of a batch are synthetic: one at least where any should be."""
        return max(round(self.batch_size * self.synthetic_share), int(self.synthetic_share > 0))


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What a training run learns from, where it runs and what it writes."""

    data: str = setting('camvid', 'data set: camvid, cityscapes, sunrgbd-heldout or a .yaml file')
    root: str = setting('', "the data set's folder")
    out: str = setting('runs/enet', 'folder for checkpoints and logs; a run in it is continued')
    initial: str = setting('', 'checkpoint to start from, maybe of other classes; empty: random '
                           'weights')
    seed: int = setting(0, 'of initial weights, order and augmentation',
                        minimum=0, maximum=2**31 - 1)
    device: str = setting('auto', 'auto takes a GPU if there is one', choices=DEVICES)
    processes: int = setting(1, 'processes on this machine, one a GPU', minimum=1)
    machines: int = setting(1, 'machines that train together, started by torchrun', minimum=1)
    precision: str = setting('32-true', 'of the arithmetic; bf16-mixed is faster on GPUs, and on '
                             'CPUs with AMX', choices=('32-true', 'bf16-mixed'))
    compile: bool = setting(True, 'compile the step: minutes at the start, several times faster')
    workers: int = setting(0, 'processes that prepare samples beside the training', minimum=0)
    scored_streets: int = setting(64, 'frames of unseen synthetic streets scored beside val',
                                  minimum=1)
    checkpoint_every: int = setting(50, 'steps between states that a run can resume from',
                                    minimum=1)
    evaluate_every: int = setting(10, 'epochs between evaluations', minimum=1)

    def __post_init__(self):
        check(self)
