"""The targets of the engines, compared with the measured figures."""

from dataclasses import dataclass

from enet_ros.benchmark.paper import BASELINE, SUBJECT
from enet_ros.benchmark.results import Results

SIZE = 640, 360
NATIVE, OPENVINO = 'native cpu float32', 'openvino cpu float32'


@dataclass(frozen=True)
class Target:
    """A target and its measured figure.

    text: the target in words.
    figure: the measured figure; None if it was not measured.
    reached: None if there is no figure.
    note: the candidate of the figure.
    """

    text: str
    figure: float | None
    reached: bool | None
    note: str


def targets(results: Results) -> list[Target]:
    """Return the Targets of the default engine and of the native one on the CPU."""
    rows = {row['name']: row for size in results['sizes']
            if (size['width'], size['height']) == SIZE
            for row in size['rows'] if row['architecture'] == SUBJECT}
    startup = {row['name']: row for row in results['startup'] if row['architecture'] == SUBJECT}
    default = results['default_engine']
    over_plain = {name: row['speedup_over_plain'] for name, row in rows.items()}
    over_direct = [(row['speedup_over_direct_openvino'], name) for name, row in rows.items()
                   if row['speedup_over_direct_openvino'] is not None]
    slowest, slowest_name = min(over_direct, default=(None, ''))
    over_segnet = [(row['speedup_over'][BASELINE], name) for name, row in rows.items()
                   if BASELINE in row['speedup_over'] and row['is_engine'] and 'float32' in name]
    fastest, fastest_name = max(over_segnet, default=(None, ''))
    warm_start = startup[default]['warm_start_s'] if default in startup else None
    peaks = {name: row['peak_mib'] for name, row in startup.items()}
    pipeline = results['pipeline']
    return [
        _at_least('6.5 times the speed of the plain network', 6.5, over_plain.get(default),
                  default),
        _at_least('1.9 times the speed of OpenVINO, both in float32', 1.9,
                  _ratio(over_plain.get(NATIVE), over_plain.get(OPENVINO)), NATIVE),
        _at_least('0.97 times the speed of direct calls of OpenVINO', 0.97, slowest, slowest_name),
        _at_least('18 times the speed of SegNet in float32 on the same engine', 18, fastest,
                  fastest_name),
        _at_most('10 ms for a 1280x720 image to labels, overlay and all masks, in addition to the '
                 'network', 10.0, pipeline and pipeline['overhead_ms'], default),
        _at_least('7 times the speed of plain PyTorch and NumPy for the same pipeline', 7,
                  pipeline and pipeline['speedup_over_plain'], default),
        _at_most('1.5 s from the first import to the first labels, with a filled cache', 1.5,
                 warm_start, default),
        _at_most('1 times the memory of OpenVINO, both in float32', 1.0,
                 _ratio(peaks.get(NATIVE), peaks.get(OPENVINO)), NATIVE),
    ]


def _at_least(text: str, limit: float, figure: float | None, note: str) -> Target:
    return Target(f'at least {text}', figure, None if figure is None else figure >= limit, note)


def _at_most(text: str, limit: float, figure: float | None, note: str) -> Target:
    return Target(f'at most {text}', figure, None if figure is None else figure <= limit, note)


def _ratio(figure: float | None, other: float | None) -> float | None:
    return None if figure is None or other is None else figure / other
