"""ENet and SegNet over all engines and peers, in one run."""

import gc
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import cv2

from enet_ros.benchmark.alone import run_alone
from enet_ros.benchmark.camera import ALONE, CAMERA, NETWORK, OURS, PLAIN, camera_candidates
from enet_ros.benchmark.candidates import (
    BY_HAND,
    Candidate,
    absent_engines,
    by_hand,
    default_engine,
    engines,
    others,
    plain,
    slower_precisions,
)
from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import LEAST_ROUNDS, measure, warm_up
from enet_ros.benchmark.networks import load_networks, street_frames
from enet_ros.benchmark.paper import ABSTRACT_SPEED_RATIO
from enet_ros.benchmark.progress import Progress
from enet_ros.config import ModelConfig
from enet_ros.errors import BadInput
from enet_ros.models.cost import cost_of

FRAMES = 4
ALONE_SIZE = 640, 360
CAMERA_S = 5  # about what the frames of the camera take
SEGNET_SLOW_S = 3  # a frame; from there on an engine's slower precisions are left out


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    sizes are (width, height), pixels. At a size each of `rounds` rounds gives each candidate a
    turn of turn_s seconds, or fewer rounds to those that take more than candidate_s seconds, as
    `measure` has it. Nothing begins that would not end deadline_s seconds after the start; what
    is left out is reported. segnet_precisions are those in which SegNet is measured.
    """

    sizes: tuple
    rounds: int
    turn_s: float
    candidate_s: float
    deadline_s: float
    segnet_precisions: tuple = ('float32', 'bfloat16', 'float16')


FULL = Plan(((480, 320), (640, 360), (1280, 720), (1920, 1080)), rounds=8, turn_s=0.25,
            candidate_s=2, deadline_s=float('inf'))
QUICK = Plan(((640, 360),), rounds=3, turn_s=0.25, candidate_s=2, deadline_s=105,
             segnet_precisions=('float32',))


@dataclass(frozen=True)
class Made:
    """A candidate that runs, and the seconds of the last frame that warmed it up."""

    candidate: Candidate
    run: Callable
    frame_s: float


def plan_of(quick, sizes=''):
    """Return the Plan of an `enet benchmark`; sizes is text like 640x360,1280x720, or empty."""
    plan = QUICK if quick else FULL
    return replace(plan, sizes=tuple(map(_size, sizes.split(',')))) if sizes else plan


def _size(text):
    match = re.fullmatch(r'(\d{2,4})x(\d{2,4})', text.strip())
    size = tuple(map(int, match.groups())) if match else (0, 0)
    if min(size) < 32:
        raise BadInput(f'{text!r} is no size; sizes are such as 640x360, at least 32x32, with '
                       'commas between')
    return size


class Comparison:
    """Measures what a Plan says; `results` is plain data for `report`.

    names are engines, by default all that are installed. What is under way is told on stderr.
    Raise BadInput where an engine that is named is not to be had.
    """

    def __init__(self, model, plan, names=(), threads=0, compiled=False,
                 clock=time.perf_counter):
        self.model, self.plan, self.threads, self.clock = model, plan, threads, clock
        ModelConfig(threads=threads)  # refuses what is no number of threads
        if 'auto' in names:
            raise BadInput('auto stands for one of the engines; name those to compare, or none '
                           'for all that are installed')
        for name in names:
            ModelConfig(engine=name)  # refuses what is no engine
        self.start = clock()
        self.progress = Progress()
        self.networks = load_networks(model)
        # Of its own, because what is built for all these sizes is too much to leave to the user.
        self.cache = tempfile.TemporaryDirectory(prefix='enet_benchmark_')
        absent = absent_engines(*self.networks['enet'], self.cache.name)
        for name in names:
            if name in absent:
                raise BadInput(absent[name])
        if names:
            absent = {}
        self.engines = engines(names, compiled, self.cache.name)
        self.results = {
            'model': str(model), 'machine': describe_machine(), 'threads': threads,
            'default_engine': default_engine(*self.networks['enet'], names),
            'sizes': [], 'camera': None, 'alone': [],
            'left_out': [{'what': name, 'reason': reason} for name, reason in absent.items()],
            'seconds': None,
        }

    def run(self, keep=lambda results: None):
        """Measure everything and return the results.

        keep(results) is called whenever there are more of them; their seconds are None until all
        is measured.
        """
        with self.cache:
            for place, (width, height) in enumerate(self.plan.sizes):
                self._add_size(width, height, keep)
                if place == 0:  # before sizes that may take long
                    self._add_camera(keep)
                    self._add_alone(keep)
        self.results['seconds'] = self.clock() - self.start
        keep(self.results)
        return self.results

    def _add_size(self, width, height, keep):
        sizes, began = self.results['sizes'], self.clock()
        if not sizes or not self._late(f'{width}x{height}', sizes[-1]['seconds']):
            sizes.append(self._measure_size(width, height))
            sizes[-1]['seconds'] = self.clock() - began
            keep(self.results)

    def _late(self, what, expected_s):
        """Return whether something would end too late, and note that it is left out."""
        late = self.clock() - self.start + expected_s > self.plan.deadline_s
        if late:
            self._leave_out(what, f'it does not fit into {self.plan.deadline_s:.0f} s')
        return late

    def _leave_out(self, what, reason):
        self.progress.stage(f'left out: {what}: {reason}')
        if not any(left['what'] == what for left in self.results['left_out']):
            self.results['left_out'].append({'what': what, 'reason': reason})

    # Speed

    def _measure_size(self, width, height):
        frames = street_frames(width, height, FRAMES)
        made = self._make('enet', self._enet_candidates(), frames[0])
        segnets = self._segnet_candidates(made, f'{width}x{height}')
        if not self._late(f'segnet at {width}x{height}', self._segnet_seconds(made, segnets)):
            made |= self._make('segnet', segnets, frames[0])
        measured = self._measure(f'{width}x{height}',
                                 {key: each.run for key, each in made.items()}, frames)
        rows = [_row(key, each.candidate, measured) for key, each in made.items()]
        del made
        gc.collect()  # the next size needs the memory
        return {'width': width, 'height': height, 'rows': rows,
                'cost': {name: asdict(cost_of(network, width, height))
                         for name, (network, _) in self.networks.items()}}

    def _measure(self, what, candidates, frames):
        """Return what `measure` says of candidates by the plan."""
        plan = self.plan
        self.progress.stage(f'{what}: {len(candidates)} candidates take turns')
        return measure(candidates, frames, plan.rounds, plan.turn_s, plan.candidate_s, self.clock,
                       lambda number, name: self.progress.step(
                           f'{what}: round {number + 1}, at most {plan.rounds}: '
                           f'{name if isinstance(name, str) else " on ".join(name)}'))

    def _devices(self):
        return sorted({'cpu', *(engine.device for engine in self.engines)})

    def _takes_segnet(self, name):
        return name.split()[2] in self.plan.segnet_precisions

    def _enet_candidates(self):
        found = [plain(device) for device in self._devices()]
        for engine in self.engines:
            found += [each for each in (engine, by_hand(engine)) if each]
        return found + others()

    def _segnet_candidates(self, made, size):
        """Return what SegNet is measured on, given what was made for ENet.

        Where SegNet would take an engine too long, only its fastest precision stays.
        """
        seconds = {name: made['enet', name].frame_s * ABSTRACT_SPEED_RATIO
                   for name in (engine.name for engine in self.engines)
                   if self._takes_segnet(name) and ('enet', name) in made}
        slower = slower_precisions(seconds, SEGNET_SLOW_S)
        for name, faster in slower.items():
            self._leave_out(f'segnet at {size} on {name}', f'slow, and slower than on {faster}')
        return [*(plain(device) for device in self._devices()),
                *(engine for engine in self.engines if engine.name in seconds.keys() - slower)]

    def _make(self, architecture, candidates, frame):
        """Return {(architecture, name): Made} of the candidates that run."""
        height, width = frame.shape[:2]
        self.progress.stage(f'{width}x{height}: {architecture} is made ready')
        made = {}
        for candidate in candidates:
            self.progress.step(f'{width}x{height}: {architecture} on {candidate.name}')
            what = candidate.name if architecture == 'enet' else f'segnet on {candidate.name}'
            try:
                run = candidate.make(*self.networks[architecture], width, height, self.threads)
                # SegNet's frames may take very long, and nothing depends on frame_s.
                frame_s = warm_up(run, frame, self.plan.turn_s,
                                  2 if architecture == 'enet' else 1, self.clock)
            except BadInput as error:
                self._leave_out(what, str(error))
            except Exception as error:
                # What other people's runtimes raise has no bounds; an engine's is our fault.
                if candidate.engine:
                    raise
                self._leave_out(what, f'{type(error).__name__}: '
                                f'{(str(error).splitlines() or [""])[0]}')
            else:
                made[architecture, candidate.name] = Made(candidate, run, frame_s)
        return made

    def _segnet_seconds(self, made, candidates):
        """Return about how long it takes to make SegNet's candidates and run their rounds."""
        frame_s = made['enet', plain().name].frame_s * ABSTRACT_SPEED_RATIO
        return frame_s * len(candidates) * (2 + min(self.plan.rounds, LEAST_ROUNDS))

    def _add_camera(self, keep):
        if self._late("the camera's frame", CAMERA_S):
            return
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # as in the segmentation node
        try:
            self.results['camera'] = self._measure_camera()
        finally:
            cv2.setNumThreads(threads)
        keep(self.results)

    def _measure_camera(self):
        """Return the figures of the whole way of a camera's frame, with the default engine."""
        frames = [frame[:, :, ::-1].copy() for frame in street_frames(*CAMERA, FRAMES)]
        candidates = camera_candidates(*self.networks['enet'], self.results['default_engine'],
                                       self.threads, frames[0], self.cache.name)
        for run in candidates.values():
            warm_up(run, frames[0], self.plan.turn_s, clock=self.clock)
        measured = self._measure("the camera's frame", candidates, frames)
        return {
            'camera': CAMERA, 'network': NETWORK, 'engine': self.results['default_engine'],
            'rows': [{'name': name, 'median_ms': times.median, 'p95_ms': times.p95}
                     for name, times in measured.items()],
            'beside_network_ms': measured[OURS].milliseconds_above(measured[ALONE]),
            'times_plain': measured[OURS].times_faster_than(measured[PLAIN]),
        }

    # Memory and start-up

    def _add_alone(self, keep):
        default, base = self.results['default_engine'], plain().name
        names = sorted({engine.name for engine in self.engines}, key=lambda name: name != default)
        last = 0.0
        for architecture, name in [*(('enet', name) for name in [*names, base]),
                                   ('segnet', default), ('segnet', base)]:
            if any(left['what'] == name for left in self.results['left_out']):
                continue
            began = self.clock()
            if self._late(f'{architecture} alone with {name}', last):
                continue
            self.progress.stage(f'{architecture} alone with {name}, twice')
            self.results['alone'].append(self._alone(architecture, name))
            last = self.clock() - began
        keep(self.results)

    def _alone(self, architecture, name):
        with tempfile.TemporaryDirectory() as folder:
            cold, warm = (run_alone(name, architecture, self.model, ALONE_SIZE, self.threads,
                                    folder) for _ in range(2))
        row = {'architecture': architecture, 'name': name, 'size': ALONE_SIZE}
        if 'error' in cold or 'error' in warm:
            return {**row, 'error': cold.get('error') or warm['error']}
        return {**row, 'cold_start_s': cold['start_up_s'], 'warm_start_s': warm['start_up_s'],
                'resident_mib': warm['resident_mib'],
                'peak_mib': max(cold['peak_mib'], warm['peak_mib'])}


def _row(key, candidate, measured):
    """Return a candidate's figures as plain data."""
    architecture, name = key
    times = measured[key]
    truth = measured.get((architecture, plain().name))
    # On a GPU the measure is the plain network on that GPU, where there is one.
    base = measured.get((architecture, plain(candidate.device).name), truth)
    row = {
        'architecture': architecture, 'name': name, 'engine': candidate.engine,
        'median_ms': times.median, 'p95_ms': times.p95,
        'frames_a_second': 1e3 / times.median,
        'rounds': len(times.turns), 'frames': len(times.milliseconds),
        'times_plain': times.times_faster_than(base) if base else None,
        'agreement': times.agreement(truth) if truth else None,
        'milliseconds': [round(value, 3) for value in times.milliseconds],
    }
    other = measured.get(('segnet', name)) if architecture == 'enet' else None
    if other:
        row['times_segnet'] = times.times_faster_than(other)
    direct = measured.get((architecture, f'{BY_HAND}{name.split()[2]}'))
    if candidate.engine and name.startswith('openvino') and direct:
        row['speed_of_by_hand'] = times.times_faster_than(direct)
    return row
