"""The comparison of all architectures on all engines and baselines, in one run."""

import gc
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import cv2

from enet_ros.benchmark.candidates import (
    Candidate,
    default_engine,
    direct_openvino,
    engine_candidates,
    other_baselines,
    plain_pytorch,
    slow_precisions,
    unavailable_engines,
)
from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import (
    MIN_ROUNDS,
    Clock,
    Image,
    Measurement,
    Name,
    Run,
    measure,
    warm_up,
)
from enet_ros.benchmark.networks import load_networks, street_frames
from enet_ros.benchmark.paper import SLOWDOWNS, SUBJECT
from enet_ros.benchmark.pipeline import (
    CAMERA_SIZE,
    ENET_ROS,
    NETWORK_ONLY,
    NETWORK_SIZE,
    PLAIN,
    pipeline_candidates,
)
from enet_ros.benchmark.plan import Plan
from enet_ros.benchmark.results import (
    NetworkCost,
    PipelineResult,
    Results,
    Row,
    Size,
    SizeResult,
    StartupRow,
    engine_of,
)
from enet_ros.benchmark.startup import StartupFailed, measure_startup
from enet_ros.benchmark.status_line import StatusLine
from enet_ros.config import ModelConfig
from enet_ros.errors import BadInput
from enet_ros.models.cost import Cost, cost_of

FRAMES = 4
STARTUP_SIZE: Size = 640, 360
PIPELINE_S = 5  # about what the measurement of the pipeline takes
SLOW_S = 3  # expected seconds per frame above which only an engine's fastest precision is measured

Key = tuple[str, str]  # architecture, candidate's name


@dataclass(frozen=True)
class LoadedCandidate:
    """A candidate that is warmed up, and the seconds of its last frame."""

    candidate: Candidate
    run: Run
    frame_s: float


class Comparison:
    """Carry out a Plan. `results` is plain data for the report.

    Progress is printed to stderr. Raise BadInput if a requested engine does not run on this
    machine.

    model: checkpoint file or name of a shipped model.
    plan: what is measured.
    names: engines; empty means all that are installed.
    threads: threads on a CPU; 0 means one per core.
    compiled: also measure the compiled variants of PyTorch.
    clock: returns seconds.
    """

    def __init__(self, model: str | PathLike[str], plan: Plan, names: Sequence[str] = (),
                 threads: int = 0, compiled: bool = False, clock: Clock = time.perf_counter
                 ) -> None:
        self._model, self._plan, self._threads, self._clock = model, plan, threads, clock
        ModelConfig(threads=threads)  # checks the value
        if 'auto' in names:
            raise BadInput('auto stands for one of the engines; name the engines to compare, or '
                           'none to compare all that are installed')
        for name in names:
            ModelConfig(engine=name)  # checks the value
        self._start = clock()
        self._status = StatusLine()
        self._networks = load_networks(model)
        self._others = [name for name in self._networks if name != SUBJECT]
        # A folder of its own, because the graphs of all these sizes would fill the user's.
        self._cache = tempfile.TemporaryDirectory(prefix='enet_benchmark_')
        unavailable = unavailable_engines(*self._networks[SUBJECT], self._cache.name)
        for name in names:
            if name in unavailable:
                raise BadInput(unavailable[name])
        if names:
            unavailable = {}
        self._engines = engine_candidates(names, compiled, self._cache.name)
        self.results: Results = {
            'command': '', 'model': str(model), 'machine': describe_machine(), 'threads': threads,
            'default_engine': default_engine(*self._networks[SUBJECT], names,
                                             self._cache.name),
            'sizes': [], 'pipeline': None, 'startup': [],
            'skipped': [{'name': name, 'reason': reason} for name, reason in unavailable.items()],
            'seconds': None,
        }

    def run(self, save: Callable[[Results], None] = lambda results: None) -> Results:
        """Measure everything and return the results.

        save: called with the results so far after each part; their `seconds` are None until the
            comparison is complete.
        """
        with self._cache:
            for index, (width, height) in enumerate(self._plan.sizes):
                self._add_size(width, height, save)
                if index == 0:  # before sizes that may take long
                    self._add_pipeline(save)
                    self._add_startup(save)
        self.results['seconds'] = self._clock() - self._start
        save(self.results)
        return self.results

    def _add_size(self, width: int, height: int, save: Callable[[Results], None]) -> None:
        sizes, start = self.results['sizes'], self._clock()
        if not sizes or self._fits(f'{width}x{height}', sizes[-1]['seconds']):
            sizes.append(self._measure_size(width, height, start))
            save(self.results)

    def _fits(self, name: str, expected_s: float) -> bool:
        """Return whether something would end before the deadline; if not, skip it."""
        fits = self._clock() - self._start + expected_s <= self._plan.deadline_s
        if not fits:
            self._skip(name, f'it does not fit into {self._plan.deadline_s:.0f} s')
        return fits

    def _skip(self, name: str, reason: str) -> None:
        self._status.stage(f'skipped: {name}: {reason}')
        if not any(skipped['name'] == name for skipped in self.results['skipped']):
            self.results['skipped'].append({'name': name, 'reason': reason})

    # Speed

    def _measure_size(self, width: int, height: int, start: float) -> SizeResult:
        size = f'{width}x{height}'
        frames = street_frames(width, height, FRAMES)
        costs = {name: cost_of(network, width, height)
                 for name, (network, _) in self._networks.items()}
        loaded = self._load(SUBJECT, self._enet_candidates(), frames[0])
        for architecture in self._others:
            slowdown = _expected_slowdown(architecture, costs)
            candidates = self._other_candidates(architecture, loaded, slowdown, size)
            seconds = self._expected_seconds(loaded, slowdown, candidates)
            if self._fits(f'{architecture} at {size}', seconds):
                loaded |= self._load(architecture, candidates, frames[0])
        measurements = self._measure(size, {key: each.run for key, each in loaded.items()}, frames)
        rows = [_row(key, each.candidate, measurements) for key, each in loaded.items()]
        del loaded
        gc.collect()  # the next size needs the memory
        return {'width': width, 'height': height, 'rows': rows,
                'cost': {name: _cost_data(cost) for name, cost in costs.items()},
                'seconds': self._clock() - start}

    def _measure(self, title: str, candidates: Mapping[Name, Run], frames: Sequence[Image]
                 ) -> dict[Name, Measurement]:
        """Measure candidates for as long as the plan says."""
        plan = self._plan

        def report(number: int, name: Name) -> None:
            text = ' on '.join(name) if isinstance(name, tuple) else name
            self._status.step(f'{title}: round {number + 1} of at most {plan.rounds}: {text}')

        self._status.stage(f'{title}: measuring {len(candidates)} candidates in turns')
        return measure(candidates, frames, plan.rounds, plan.turn_s, plan.candidate_s,
                       self._clock, report)

    def _devices(self) -> list[str]:
        return sorted({'cpu', *(engine.device for engine in self._engines)})

    def _enet_candidates(self) -> list[Candidate]:
        candidates = [plain_pytorch(device) for device in self._devices()]
        for engine in self._engines:
            candidates.append(engine)
            runtime, _, precision, *_ = engine.name.split()
            if runtime == 'openvino':
                candidates.append(direct_openvino(precision))
        return candidates + other_baselines()

    def _other_candidates(self, architecture: str, loaded: Mapping[Key, LoadedCandidate],
                          slowdown: float, size: str) -> list[Candidate]:
        """Return the candidates for an architecture other than ENet.

        If a frame would take an engine longer than SLOW_S, only its fastest precision remains.

        loaded: the candidates for ENet.
        slowdown: expected time of a frame relative to ENet's.
        """
        seconds = {}
        for engine in self._engines:
            precision = engine.name.split()[2]
            if precision in self._plan.other_precisions and (SUBJECT, engine.name) in loaded:
                seconds[engine.name] = loaded[SUBJECT, engine.name].frame_s * slowdown
        slow = slow_precisions(seconds, SLOW_S)
        for name, faster in slow.items():
            self._skip(f'{architecture} at {size} on {name}',
                       f'slow, and slower than on {faster}')
        return [*(plain_pytorch(device) for device in self._devices()),
                *(engine for engine in self._engines if engine.name in seconds.keys() - slow)]

    def _load(self, architecture: str, candidates: Sequence[Candidate], frame: Image
              ) -> dict[Key, LoadedCandidate]:
        """Load and warm up the candidates that run on this machine; skip the others."""
        height, width = frame.shape[:2]
        self._status.stage(f'{width}x{height}: loading {architecture}')
        loaded = {}
        for candidate in candidates:
            self._status.step(f'{width}x{height}: {architecture} on {candidate.name}')
            name = candidate.name
            if architecture != SUBJECT:
                name = f'{architecture} on {name}'
            try:
                run = candidate.load(*self._networks[architecture], width, height, self._threads)
                # One frame of SegNet may take very long, and only ENet's frame_s is used.
                frame_s = warm_up(run, frame, self._plan.turn_s,
                                  2 if architecture == SUBJECT else 1, self._clock)
            except BadInput as error:
                self._skip(name, str(error))
            except Exception as error:
                # Other runtimes raise all kinds of exceptions; in an engine they are a defect.
                if candidate.is_engine:
                    raise
                message = (str(error).splitlines() or [''])[0]
                self._skip(name, f'{type(error).__name__}: {message}')
            else:
                loaded[architecture, candidate.name] = LoadedCandidate(candidate, run, frame_s)
        return loaded

    def _expected_seconds(self, loaded: Mapping[Key, LoadedCandidate], slowdown: float,
                          candidates: Sequence[Candidate]) -> float:
        """Return about how many seconds the candidates take to load and run."""
        frame_s = loaded[SUBJECT, plain_pytorch().name].frame_s * slowdown
        return frame_s * len(candidates) * (2 + min(self._plan.rounds, MIN_ROUNDS))

    # Pipeline

    def _add_pipeline(self, save: Callable[[Results], None]) -> None:
        if not self._fits('pipeline', PIPELINE_S):
            return
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # as in the segmentation node
        try:
            self.results['pipeline'] = self._measure_pipeline()
        finally:
            cv2.setNumThreads(threads)
        save(self.results)

    def _measure_pipeline(self) -> PipelineResult:
        """Measure the pipeline of a camera image with the default engine."""
        engine = self.results['default_engine']
        frames = [frame[:, :, ::-1].copy() for frame in street_frames(*CAMERA_SIZE, FRAMES)]
        candidates = pipeline_candidates(*self._networks[SUBJECT], engine, self._threads,
                                         frames[0], self._cache.name)
        for run in candidates.values():
            warm_up(run, frames[0], self._plan.turn_s, clock=self._clock)
        measurements = self._measure('pipeline', candidates, frames)
        pipeline = measurements[ENET_ROS]
        return {
            'camera_size': CAMERA_SIZE, 'network_size': NETWORK_SIZE, 'engine': engine,
            'rows': [{'name': name, 'median_ms': each.median, 'p95_ms': each.p95}
                     for name, each in measurements.items()],
            'overhead_ms': pipeline.milliseconds_above(measurements[NETWORK_ONLY]),
            'speedup_over_plain': pipeline.speedup_over(measurements[PLAIN]),
        }

    # Start-up time and memory

    def _add_startup(self, save: Callable[[Results], None]) -> None:
        default, plain = self.results['default_engine'], plain_pytorch().name
        engines = sorted({engine.name for engine in self._engines} - {default})
        last_s = 0.0
        for architecture, name in [*((SUBJECT, name) for name in (default, *engines, plain)),
                                   *((other, name) for other in self._others
                                     for name in (engine_of(self.results, other), plain))]:
            if any(skipped['name'] == name for skipped in self.results['skipped']):
                continue
            title = f'start-up of {architecture} on {name}'
            if not self._fits(title, last_s):
                continue
            start = self._clock()
            self._status.stage(f'{title}, twice')
            self.results['startup'].append(self._measure_startup(architecture, name))
            last_s = self._clock() - start
        save(self.results)

    def _measure_startup(self, architecture: str, name: str) -> StartupRow:
        row: StartupRow = {
            'architecture': architecture, 'name': name, 'size': STARTUP_SIZE, 'cold_start_s': None,
            'warm_start_s': None, 'resident_mib': None, 'peak_mib': None, 'error': None}
        try:
            with tempfile.TemporaryDirectory() as folder:
                cold, warm = (measure_startup(name, architecture, self._model, STARTUP_SIZE,
                                              self._threads, folder) for _ in range(2))
        except StartupFailed as error:
            row['error'] = str(error)
        else:
            row['cold_start_s'], row['warm_start_s'] = cold['start_up_s'], warm['start_up_s']
            row['resident_mib'] = warm['resident_mib']
            row['peak_mib'] = max(cold['peak_mib'], warm['peak_mib'])
        return row


def _row(key: Key, candidate: Candidate, measurements: Mapping[Key, Measurement]) -> Row:
    """Return the figures of one candidate."""
    architecture, name = key
    measurement = measurements[key]

    def speedup_over(other: Measurement | None) -> float | None:
        return measurement.speedup_over(other) if other else None

    reference = measurements.get((architecture, plain_pytorch().name))
    # On a GPU the baseline is the plain network on that GPU, if it was measured.
    plain = measurements.get((architecture, plain_pytorch(candidate.device).name), reference)
    others = {}
    if architecture == SUBJECT:
        others = {other: measurements[other, same] for other, same in measurements
                  if same == name and other != SUBJECT}
    direct = None
    if candidate.is_engine and name.startswith('openvino'):
        direct = measurements.get((architecture, direct_openvino(name.split()[2]).name))
    return {
        'architecture': architecture, 'name': name, 'is_engine': candidate.is_engine,
        'median_ms': measurement.median, 'p95_ms': measurement.p95,
        'frames_per_second': 1e3 / measurement.median,
        'rounds': len(measurement.turns), 'frames': len(measurement.milliseconds),
        'speedup_over_plain': speedup_over(plain),
        'speedup_over': {other: measurement.speedup_over(each) for other, each in others.items()},
        'speedup_over_direct_openvino': speedup_over(direct),
        'agreement': measurement.agreement(reference) if reference else None,
        'milliseconds': [round(value, 3) for value in measurement.milliseconds],
    }


def _expected_slowdown(architecture: str, costs: Mapping[str, Cost]) -> float:
    """Return about how much longer than ENet an architecture takes for a frame."""
    return SLOWDOWNS.get(architecture, costs[architecture].gflops / costs[SUBJECT].gflops)


def _cost_data(cost: Cost) -> NetworkCost:
    return {'parameters': cost.parameters, 'gflops': cost.gflops, 'fp16_mib': cost.fp16_mib}
