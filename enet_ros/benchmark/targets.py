"""What the engines are to reach, held against what was measured."""

from dataclasses import dataclass

SIZE = 640, 360


@dataclass(frozen=True)
class Target:
    """A target and the figure measured for it, None where there is none.

    reached is None where the figure is missing, or the target cannot be judged on this machine;
    `note` says why, or what the figure is of.
    """

    text: str
    figure: float | None
    reached: bool | None
    note: str = ''


def targets(results):
    """Return the Targets of a comparison's results, for its default engine on the CPU."""
    rows = next((size['rows'] for size in results['sizes']
                 if (size['width'], size['height']) == SIZE), [])
    enet = {row['name']: row for row in rows if row['architecture'] == 'enet'}
    default = results['default_engine']
    mine = enet.get(default, {})
    alone = next((row for row in results['alone'] if row['architecture'] == 'enet'
                  and row['name'] == default), {})
    by_hand = [row for row in enet.values() if 'speed_of_by_hand' in row]
    worst = min(by_hand, key=lambda row: row['speed_of_by_hand'], default={})
    ratios = [row for row in enet.values()
              if row['engine'] and 'times_segnet' in row and 'float32' in row['name']]
    best = max(ratios, key=lambda row: row['times_segnet'], default={})

    camera = results['camera'] or {}
    speed = _at_least('at least 4.5 times as fast as the plain network', 4.5,
                      mine.get('times_plain'), default)
    if not results['machine']['amx_bf16']:
        speed = Target(speed.text, speed.figure, None, 'not measurable: no AMX')
    return [
        speed,
        _at_least('at least 0.97 of the speed of OpenVINO used by hand', 0.97,
                  worst.get('speed_of_by_hand'), worst.get('name', '')),
        _at_least('ENet at least 18 times as fast as SegNet in float32 on an engine', 18,
                  best.get('times_segnet'), best.get('name', '')),
        _at_most("a camera's 1280x720 frame to labels, overlay and all masks: at most 10 ms "
                 'beside the network', 10.0, camera.get('beside_network_ms'), default),
        _at_least('the same at least 5 times as fast as plain PyTorch and NumPy', 5,
                  camera.get('times_plain'), default),
        _at_most('first labels at most 4 s after the first import, caches filled', 4.0,
                 alone.get('warm_start_s'), default),
        _at_most('at most 600 MB resident', 600.0, _megabytes(alone.get('peak_mib')), default),
    ]


def _at_least(text, bar, figure, note):
    return Target(text, figure, None if figure is None else figure >= bar, note)


def _at_most(text, bar, figure, note):
    return Target(text, figure, None if figure is None else figure <= bar, note)


def _megabytes(mebibytes):
    return None if mebibytes is None else mebibytes * 2 ** 20 / 1e6
