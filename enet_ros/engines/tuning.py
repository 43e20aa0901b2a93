"""Measurement of engines on this machine, and the choice of the fastest accurate one."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enet_ros.engines.engine import Engine
from enet_ros.errors import BadInput

TIMED_RUNS = 5
SLOW_FACTOR = 2.0
MIN_AGREEMENT = 0.999  # share of the labels of a frame that must equal those of float32


class Setting(NamedTuple):
    """An engine and a precision, as in ModelConfig."""

    engine: str
    precision: str

    def __str__(self) -> str:
        return f'{self.engine} {self.precision}'


@dataclass(frozen=True)
class Measurement:
    """The figures of one setting.

    milliseconds: median of the frames.
    agreement: share of the labels of a frame that equal those of float32.
    """

    setting: Setting
    milliseconds: float
    agreement: float

    @property
    def is_accurate(self) -> bool:
        return self.agreement >= MIN_AGREEMENT


@dataclass(frozen=True)
class Tuning:
    """What was measured, and the settings that do not run, each with the reason."""

    measurements: tuple[Measurement, ...]
    failures: Mapping[Setting, str]

    @property
    def chosen(self) -> Measurement | None:
        """Return the fastest accurate measurement, or the most accurate one if none is.

        None if no setting runs.
        """
        if accurate := [each for each in self.measurements if each.is_accurate]:
            return min(accurate, key=lambda each: each.milliseconds)
        return max(self.measurements, key=lambda each: each.agreement, default=None)

    def reason(self) -> str:
        """Return why `chosen` was chosen, with all figures, for logs and diagnostics."""
        if self.chosen is None:
            return 'no other engine runs'
        rank = 'fastest' if self.chosen.is_accurate else 'most accurate'
        figures = (f'{each.setting} {each.milliseconds:.1f} ms with {percent(each.agreement)} of '
                   'labels' for each in self.measurements)
        return (f'{rank} on a test frame ({", ".join(figures)} equal to float32; at least '
                f'{percent(MIN_AGREEMENT)} are required)')


def measure(builders: Mapping[Setting, Callable[[], Engine]], image: NDArray[np.uint8],
            expected: NDArray[np.uint8], clock: Callable[[], float] = time.perf_counter,
            runs: int = TIMED_RUNS, slow_factor: float = SLOW_FACTOR
            ) -> tuple[Tuning, dict[Setting, Engine]]:
    """Build engines, run them in turns, and return the figures and the engines.

    A setting whose engine raises BadInput is a failure. Engines without confidence are measured.

    builders: functions that build the engine of each setting.
    image: RGB, uint8 (H, W, 3) of the engines' input size.
    expected: labels of the image in float32, uint8 (h, w).
    clock: returns seconds.
    runs: timed runs of each engine; an untimed one precedes each.
    slow_factor: an engine that takes this many times as long as the fastest one is not run again.
    """
    engines: dict[Setting, Engine] = {}
    agreement: dict[Setting, float] = {}
    failures: dict[Setting, str] = {}
    for setting, build in builders.items():
        try:
            engine = build()
            labels, _ = engine.infer(image, confidence=False)
        except BadInput as error:
            failures[setting] = str(error)
        else:
            engines[setting] = engine
            agreement[setting] = float((labels == expected).mean())
    seconds: dict[Setting, list[float]] = {setting: [] for setting in engines}
    running = list(engines)
    for _ in range(runs):
        for setting in running:
            # The first frame brings weights and threads back that another engine has displaced.
            engines[setting].infer(image, confidence=False)
            start = clock()
            engines[setting].infer(image, confidence=False)
            seconds[setting].append(clock() - start)
        running = _without_slow(running, seconds, agreement, slow_factor)
    measurements = tuple(Measurement(setting, 1e3 * median(seconds[setting]), agreement[setting])
                         for setting in engines)
    return Tuning(measurements, failures), engines


def _without_slow(running: list[Setting], seconds: Mapping[Setting, list[float]],
                  agreement: Mapping[Setting, float], slow_factor: float) -> list[Setting]:
    """Return the settings that can still be chosen: those close to the fastest accurate one."""
    accurate = [setting for setting in running if agreement[setting] >= MIN_AGREEMENT] or running
    limit = slow_factor * min((min(seconds[setting]) for setting in accurate), default=0.0)
    return [setting for setting in running if min(seconds[setting]) < limit]


def table(tuning: Tuning) -> Iterable[str]:
    """Return the lines of a Markdown table of the figures, and of the failures below it."""
    rows = [('engine', 'precision', 'ms', 'labels equal to float32', ''), ('---',) * 5]
    for each in sorted(tuning.measurements, key=lambda each: each.milliseconds):
        remark = '' if each.is_accurate else f'below {percent(MIN_AGREEMENT)}'
        if each is tuning.chosen:
            remark = 'chosen'
        rows.append((*each.setting, f'{each.milliseconds:.1f}', percent(each.agreement), remark))
    yield from (f'| {" | ".join(row)} |' for row in rows)
    if tuning.failures:
        yield ''
    yield from (f'- {setting}: {reason}' for setting, reason in tuning.failures.items())


def percent(share: float) -> str:
    """Return a share as a percentage that is 100 only if the share is 1."""
    return f'{np.floor(1e4 * share) / 100:.2f} %'
