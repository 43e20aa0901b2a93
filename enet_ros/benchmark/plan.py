"""What a benchmark measures, and for how long."""

import re
from dataclasses import dataclass, replace

from enet_ros.benchmark.results import Size
from enet_ros.errors import BadInput
from enet_ros.models.onnx_spec import OnnxSpec


@dataclass(frozen=True)
class Plan:
    """What is measured, and for how long.

    sizes: (width, height) of the frames, pixels.
    rounds, turn_s, candidate_s: as in `measure`, for each size.
    deadline_s: seconds after the start; measurements that are expected to end later are skipped.
    other_precisions: precisions in which the architectures other than ENet are measured.
    """

    sizes: tuple[Size, ...]
    rounds: int
    turn_s: float
    candidate_s: float
    deadline_s: float
    other_precisions: tuple[str, ...] = ('float32', 'bfloat16', 'float16')


FULL = Plan(((480, 320), (640, 360), (1280, 720), (1920, 1080)), rounds=8, turn_s=0.25,
            candidate_s=2, deadline_s=float('inf'))
ONNX_CANDIDATE_S = 6  # there are few candidates, and networks may be slow
QUICK = Plan(((640, 360),), rounds=3, turn_s=0.25, candidate_s=2, deadline_s=105,
             other_precisions=('float32',))


def make_plan(quick: bool, sizes: str = '') -> Plan:
    """Return the Plan of `enet benchmark`.

    sizes: such as '640x360,1280x720'; empty means the plan's own. Raise BadInput for other texts.
    """
    plan = QUICK if quick else FULL
    return replace(plan, sizes=tuple(map(_parse_size, sizes.split(',')))) if sizes else plan


def onnx_plan(spec: OnnxSpec, quick: bool, sizes: str = '') -> Plan:
    """Return the Plan of an ONNX network: its own size, or those of a text as for `make_plan`.

    Raise BadInput for sizes that the network does not take.
    """
    plan = make_plan(quick, sizes or f'{spec.width}x{spec.height}')
    for width, height in plan.sizes:
        spec.check_size(width, height)
    return replace(plan, candidate_s=ONNX_CANDIDATE_S)


def _parse_size(text: str) -> Size:
    match = re.fullmatch(r'(\d{2,4})x(\d{2,4})', text.strip())
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if min(width, height) < 32:
        raise BadInput(f'{text!r} is not a size; write sizes of at least 32x32 pixels, separated '
                       'by commas, such as 640x360,1280x720')
    return width, height
