"""The figures of ENet and SegNet in the ENet paper (arXiv:1606.02147)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperCost:
    """A row of the paper's hardware table, at 640x360.

    gflops: billions of operations of one frame.
    million_parameters: millions of parameters.
    fp16_mb: size of the weights in half precision, MB.
    """

    gflops: float
    million_parameters: float
    fp16_mb: float


SUBJECT, BASELINE = 'enet', 'segnet'  # names in the registry of architectures

COSTS = {
    'enet': PaperCost(3.83, 0.37, 0.7),
    'segnet': PaperCost(286.03, 29.46, 56.2),
}

# Milliseconds of a frame by (board, width, height) and architecture. Copied by hand and not
# checked against the paper's tables, but they agree with the abstract's factor of 18.
TIMES = {
    ('Jetson TX1', 480, 320): {'enet': 47, 'segnet': 757},
    ('Jetson TX1', 640, 360): {'enet': 69, 'segnet': 1251},
    ('Jetson TX1', 1280, 720): {'enet': 262},
    ('Titan X', 640, 360): {'enet': 7, 'segnet': 69},
    ('Titan X', 1280, 720): {'enet': 21, 'segnet': 289},
    ('Titan X', 1920, 1080): {'enet': 46, 'segnet': 637},
}
TIMES_NOTE = ("The paper's times are an unverified transcription of its tables, consistent with "
              'its abstract: up to 18 times faster than SegNet.')

# SegNet relative to ENet, from the abstract.
ABSTRACT_SPEED_RATIO, ABSTRACT_GFLOPS_RATIO, ABSTRACT_PARAMETER_RATIO = 18, 75, 79

# Time of a frame relative to ENet, if it is not about the ratio of the operations: SegNet's large
# convolutions run faster than their number suggests.
SLOWDOWNS = {BASELINE: ABSTRACT_SPEED_RATIO}

GFLOPS_NOTE = (
    'The convolutions are counted, two operations per multiply-add. ENet then has 3.40 GFLOPs at '
    '640x360 with 12 classes and 3.46 with 20, not the 3.83 of the paper: no plain rule gives '
    "that figure, because the authors' counter overestimates dilated convolutions. SegNet's "
    '286.03 is exactly 20 classes, floor pooling, and one more operation for each bias and each '
    'ReLU.')
