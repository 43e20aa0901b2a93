"""Settings with their defaults and checks: the only place that has any.

A field's metadata describes it wherever it is shown, as a ROS parameter too: `description` with
the unit, `minimum` and `maximum` or `choices`, `live` where it may change while the program
works with it, and `read_only` where it cannot change after the start.
"""

from dataclasses import dataclass, field, fields

from enet_ros.errors import BadInput

ENGINES = ('auto', 'torch')
DEVICES = ('auto', 'cpu', 'cuda')


def setting(default, description, **rules):
    """Return a dataclass field with a default, a description and the rules for its values."""
    return field(default=default, metadata={'description': description, **rules})


def check(config):
    """Raise BadInput for the first field of a config whose value breaks the field's rules."""
    for item in fields(config):
        name, value, rules = item.name, getattr(config, item.name), item.metadata
        if 'choices' in rules:
            _require(value in rules['choices'], name, value,
                     f'choose one of {", ".join(rules["choices"])}')
        if 'minimum' in rules:
            _require(value >= rules['minimum'], name, value,
                     f'it must be at least {rules["minimum"]}')
        if 'maximum' in rules:
            _require(value <= rules['maximum'], name, value,
                     f'it must be at most {rules["maximum"]}')


def _require(holds, name, value, rule):
    if not holds:
        raise BadInput(f'{name} is {value!r}; {rule}')


@dataclass(frozen=True)
class ModelConfig:
    """Which network runs, and on what."""

    path: str = setting('enet_camvid', 'name of a shipped model, or a .safetensors file')
    engine: str = setting('auto', 'runtime of the network', choices=ENGINES)
    device: str = setting('auto', 'where it runs; auto takes a GPU if there is one',
                          choices=DEVICES)

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class InputConfig:
    """How camera images reach the network."""

    width: int = setting(0, "width at which the network runs, pixels; 0 takes the model's own",
                         minimum=0, maximum=8192)
    height: int = setting(0, "height at which the network runs, pixels; 0 takes the model's own",
                          minimum=0, maximum=8192)
    white_level: int = setting(65535, 'value of 16-bit images that counts as white',
                               minimum=1, maximum=65535, live=True)

    def __post_init__(self):
        check(self)
        for name in ('width', 'height'):
            value = getattr(self, name)
            _require(value == 0 or value >= 32, name, value, 'it must be 0 or at least 32')


@dataclass(frozen=True)
class OutputConfig:
    """What is published."""

    classes: tuple = setting((), 'names of the classes that get a mask topic; empty: all')


@dataclass(frozen=True)
class OverlayConfig:
    """How the overlay looks."""

    alpha: float = setting(0.5, 'weight of the colours over the image, from 0 to 1',
                           minimum=0.0, maximum=1.0, live=True)

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class SegmentationConfig:
    """The settings of the segmentation node."""

    model: ModelConfig = field(default_factory=ModelConfig)
    input: InputConfig = field(default_factory=InputConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    overlay: OverlayConfig = field(default_factory=OverlayConfig)


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


@dataclass(frozen=True)
class TrainConfig:
    """How `enet train` trains."""

    camvid: str = setting('camvid', 'folder with train/, trainannot/, val/ and valannot/')
    out: str = setting('runs/enet_camvid', 'folder for checkpoints; a run in it is continued')
    initial: str = setting('', 'checkpoint to start from; empty: random weights')
    encoder_epochs: int = setting(50, 'passes over the CamVid frames with the encoder alone',
                                  minimum=0)
    epochs: int = setting(80, 'passes with the whole network', minimum=1)
    batch_size: int = setting(8, 'frames a step', minimum=2)
    synthetic_share: float = setting(0.25, 'share of synthetic frames in each batch',
                                     minimum=0.0, maximum=0.9)
    synthetic_frames: int = setting(800, 'distinct synthetic frames', minimum=1)
    crop: int = setting(288, 'width and height of training crops, pixels, a multiple of 8',
                        minimum=32)
    learning_rate: float = setting(2e-3, 'peak of the one-cycle schedule', minimum=0.0)
    weight_decay: float = setting(1e-2, 'of AdamW', minimum=0.0)
    class_weight_offset: float = setting(
        1.05, 'c of the class weights 1 / ln(c + p); the paper has 1.02', minimum=1.0001)
    average_decay: float = setting(0.995, 'of the moving average of the weights, a step',
                                   minimum=0.0, maximum=0.99999)
    checkpoint_every: int = setting(50, 'steps between states that a run can resume from',
                                    minimum=1)
    evaluate_every: int = setting(10, 'epochs between evaluations', minimum=1)
    seed: int = setting(0, 'of initial weights, order and augmentation', minimum=0)
    compile: bool = setting(True, 'compile the step: minutes at the start, several times faster')
    bfloat16: bool = setting(False, 'mixed precision, faster on CPUs with AMX')

    def __post_init__(self):
        check(self)
        _require(self.crop % 8 == 0, 'crop', self.crop, 'it must be a multiple of 8')

    @property
    def synthetic_per_batch(self):
        """Return how many frames of a batch are synthetic."""
        return round(self.batch_size * self.synthetic_share)
