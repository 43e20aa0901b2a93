"""The targets of the engines, compared with the measured figures."""

from dataclasses import dataclass

from enet_ros.benchmark.paper import BASELINE, SUBJECT
from enet_ros.benchmark.results import Results

SIZE = 640, 360


@dataclass(frozen=True)
class Target:
    """A target and its measured figure.

    text: the target in words.
    figure: the measured figure; None if it was not measured.
    reached: None if there is no figure, or this machine cannot reach the target.
    note: the candidate of the figure, or why there is no verdict.
    """

    text: str
    figure: float | None
    reached: bool | None
    note: str = ''


def targets(results: Results) -> list[Target]:
    """Return the Targets of the default engine on the CPU."""
    rows = [row for size in results['sizes'] if (size['width'], size['height']) == SIZE
            for row in size['rows'] if row['architecture'] == SUBJECT]
    default = results['default_engine']
    default_row = next((row for row in rows if row['name'] == default), None)
    startup = next((row for row in results['startup']
                    if row['architecture'] == SUBJECT and row['name'] == default), None)
    over_direct = [(row['speedup_over_direct_openvino'], row['name']) for row in rows
                   if row['speedup_over_direct_openvino'] is not None]
    slowest, slowest_name = min(over_direct, default=(None, ''))
    over_segnet = [(row['speedup_over'][BASELINE], row['name']) for row in rows
                   if BASELINE in row['speedup_over'] and row['is_engine']
                   and 'float32' in row['name']]
    fastest, fastest_name = max(over_segnet, default=(None, ''))

    pipeline = results['pipeline']
    speedup = _at_least('4.5 times the speed of the plain network', 4.5,
                        default_row and default_row['speedup_over_plain'], default)
    if not results['machine']['amx_bf16']:
        speedup = Target(speedup.text, speedup.figure, None, 'no verdict: no AMX')
    return [
        speedup,
        _at_least('0.97 times the speed of direct calls of OpenVINO', 0.97, slowest, slowest_name),
        _at_least('18 times the speed of SegNet in float32 on the same engine', 18, fastest,
                  fastest_name),
        _at_most('10 ms for a 1280x720 image to labels, overlay and all masks, in addition to the '
                 'network', 10.0, pipeline and pipeline['overhead_ms'], default),
        _at_least('5 times the speed of plain PyTorch and NumPy for the same pipeline', 5,
                  pipeline and pipeline['speedup_over_plain'], default),
        _at_most('4 s from the first import to the first labels, with a filled cache', 4.0,
                 startup and startup['warm_start_s'], default),
        _at_most('600 MB of memory', 600.0, _megabytes(startup and startup['peak_mib']), default),
    ]


def _at_least(text: str, limit: float, figure: float | None, note: str) -> Target:
    return Target(f'at least {text}', figure, None if figure is None else figure >= limit, note)


def _at_most(text: str, limit: float, figure: float | None, note: str) -> Target:
    return Target(f'at most {text}', figure, None if figure is None else figure <= limit, note)


def _megabytes(mebibytes: float | None) -> float | None:
    return None if mebibytes is None else mebibytes * 2 ** 20 / 1e6
