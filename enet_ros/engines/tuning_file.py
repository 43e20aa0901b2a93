"""Measurements of engines in the cache folder, valid for one machine and its versions."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from enet_ros import __version__
from enet_ros.engines.device import processor, usable_cores
from enet_ros.engines.native_library import variants
from enet_ros.engines.tuning import Measurement, Setting, Tuning
from enet_ros.errors import BadInput
from enet_ros.json_data import json_text, parse_json
from enet_ros.logger import logger
from enet_ros.packages import package_version
from enet_ros.paths import write_atomically


def environment(settings: Sequence[Setting]) -> dict[str, Any]:
    """Return what measurements of these settings depend on besides the network and its sizes."""
    cpu = processor()
    return {'settings': [str(setting) for setting in settings], 'processor': cpu.name,
            'processor features': ' '.join(cpu.features),
            'cores': usable_cores(), 'enet_ros': __version__,
            'torch': package_version('torch'), 'openvino': package_version('openvino'),
            'onnxruntime': (package_version('onnxruntime')
                            or package_version('onnxruntime-gpu')),
            'native instruction sets': _native_variants()}


def load_tuning(file: Path, current: dict[str, Any]) -> Tuning | None:
    """Return stored measurements, or None, with a line in the log, if they cannot be used.

    current: the environment; measurements from another one are not used.
    """
    try:
        text = file.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        logger.warning('cannot read %s (%s); the engines are measured again', file, error)
        return None
    try:
        data: Any = parse_json(text)
        stored = dict(data['environment'])
        tuning = Tuning(
            tuple(Measurement(_setting(item), float(item['milliseconds']),
                              float(item['agreement'])) for item in data['measurements']),
            {_setting(item): str(item['reason']) for item in data['failures']})
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        logger.warning('%s is damaged (%r); the engines are measured again', file, error)
        return None
    if changed := [name for name in current if stored.get(name) != current[name]]:
        logger.info('%s is of a machine that differs in %s; the engines are measured again', file,
                    ', '.join(changed))
        return None
    if problem := _problem(tuning, current):
        logger.warning('%s is damaged (%s); the engines are measured again', file, problem)
        return None
    return tuning


def _problem(tuning: Tuning, current: dict[str, Any]) -> str:
    """Return which setting or figure no measurement in this environment has, or ''."""
    for setting in (*(each.setting for each in tuning.measurements), *tuning.failures):
        if str(setting) not in current['settings']:
            return f'it has {str(setting)!r}'
    for each in tuning.measurements:
        if not (0 <= each.milliseconds < math.inf and 0 <= each.agreement <= 1):
            return f'it has {each.milliseconds} ms and a share of {each.agreement}'
    return ''


def store_tuning(file: Path, tuning: Tuning, current: dict[str, Any]) -> None:
    """Store measurements; a failure to write is logged as a warning."""
    text = json_text({
        'environment': current,
        'measurements': [{**each.setting._asdict(), 'milliseconds': each.milliseconds,
                          'agreement': each.agreement} for each in tuning.measurements],
        'failures': [{**setting._asdict(), 'reason': reason}
                     for setting, reason in tuning.failures.items()]}, indent=1)
    try:
        write_atomically(file, text.encode())
    except OSError as error:
        logger.warning('cannot store %s (%s)', file, error.strerror)


def _setting(item: dict[str, Any]) -> Setting:
    return Setting(str(item['engine']), str(item['precision']))


def _native_variants() -> list[str] | None:
    """Return the instruction sets of the engine native, or None if it cannot be loaded."""
    try:
        return variants()
    except BadInput:
        return None
