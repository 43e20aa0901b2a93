"""ENet and SegNet over all engines and peers, in one run."""

import gc
import re
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace

import cv2

from enet_ros.benchmark.alone import run_alone
from enet_ros.benchmark.camera import ALONE, CAMERA, NETWORK, OURS, PLAIN, camera_candidates
from enet_ros.benchmark.candidates import (
    BY_HAND,
    absent_engines,
    by_hand,
    default_engine,
    engines,
    others,
    plain,
)
from enet_ros.benchmark.cost import cost_of
from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import measure
from enet_ros.benchmark.networks import load_networks, street_frames
from enet_ros.benchmark.paper import ABSTRACT_SPEED_RATIO
from enet_ros.config import ModelConfig
from enet_ros.errors import BadInput

FRAMES = 4
ALONE_SIZE = 640, 360
CAMERA_S = 5  # about what the frames of the camera take


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    sizes are (width, height), pixels. At a size each of `rounds` rounds gives each candidate a
    turn of turn_s seconds; no round begins after size_s seconds. Nothing begins that would not
    end deadline_s seconds after the start; what is left out is reported. segnet_precisions are
    those in which SegNet is measured.
    """

    sizes: tuple
    rounds: int
    turn_s: float
    size_s: float
    deadline_s: float
    segnet_precisions: tuple = ('float32', 'bfloat16', 'float16')


FULL = Plan(((480, 320), (640, 360), (1280, 720), (1920, 1080)), rounds=10, turn_s=0.5,
            size_s=240, deadline_s=float('inf'))
QUICK = Plan(((640, 360),), rounds=3, turn_s=0.25, size_s=35, deadline_s=105,
             segnet_precisions=('float32',))


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
        self.start = clock()
        self.networks = load_networks(model)
        # Of its own, because what is built for all these sizes is too much to leave to the user.
        self.cache = tempfile.TemporaryDirectory(prefix='enet_benchmark_')
        absent = absent_engines(*self.networks['enet'], self.cache.name)
        for name in names:
            ModelConfig(engine=name)  # refuses what is no engine
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
        }

    def run(self):
        """Measure everything and return the results."""
        with self.cache:
            return self._run()

    def _run(self):
        for place, (width, height) in enumerate(self.plan.sizes):
            if place and self._late(f'{width}x{height}', self.results['sizes'][-1]['seconds']):
                continue
            began = self.clock()
            self.results['sizes'].append(self._measure_size(width, height))
            self.results['sizes'][-1]['seconds'] = self.clock() - began
        if not self._late("the camera's frame", CAMERA_S):
            self.results['camera'] = self._measure_camera()
        self._measure_alone()
        self.results['seconds'] = self.clock() - self.start
        return self.results

    def _late(self, what, expected_s):
        """Return whether something would end too late, and note that it is left out."""
        late = self.clock() - self.start + expected_s > self.plan.deadline_s
        if late:
            self._leave_out(what, f'it does not fit into {self.plan.deadline_s:.0f} s')
        return late

    def _leave_out(self, what, reason):
        _say(f'left out: {what}: {reason}')
        if not any(left['what'] == what for left in self.results['left_out']):
            self.results['left_out'].append({'what': what, 'reason': reason})

    # Speed

    def _measure_size(self, width, height):
        _say(f'{width}x{height} ...')
        frames = street_frames(width, height, FRAMES)
        runs = self._make('enet', self._enet_candidates(), frames[0])
        bases = [plain(device) for device in self._devices()]
        segnets = bases + [each for each in self.engines
                           if self._takes_segnet(each.name) and ('enet', each.name) in runs]
        if not self._late(f'segnet at {width}x{height}',
                          self._segnet_seconds(runs, frames[0], len(segnets))):
            runs |= self._make('segnet', segnets, frames[0])
        candidates = {key: run for key, (_, run) in runs.items()}
        measured = measure(candidates, frames, self.plan.rounds, self.plan.turn_s,
                           self.plan.size_s, self.clock)
        rows = [_row(key, candidate, measured) for key, (candidate, _) in runs.items()]
        del runs, candidates
        gc.collect()  # the next size needs the memory
        return {'width': width, 'height': height, 'rows': rows,
                'cost': {name: asdict(cost_of(network, width, height))
                         for name, (network, _) in self.networks.items()}}

    def _devices(self):
        return sorted({'cpu', *(engine.device for engine in self.engines)})

    def _takes_segnet(self, name):
        return name.split()[2] in self.plan.segnet_precisions

    def _enet_candidates(self):
        found = [plain(device) for device in self._devices()]
        for engine in self.engines:
            found += [each for each in (engine, by_hand(engine)) if each]
        return found + others()

    def _make(self, architecture, candidates, frame):
        """Return {(architecture, name): (candidate, function)} of the candidates that run."""
        made = {}
        for candidate in candidates:
            what = candidate.name if architecture == 'enet' else f'segnet on {candidate.name}'
            try:
                run = candidate.make(*self.networks[architecture], frame.shape[1],
                                     frame.shape[0], self.threads)
                run(frame)
            except BadInput as error:
                self._leave_out(what, str(error))
            except Exception as error:
                # What other people's runtimes raise has no bounds; an engine's is our fault.
                if candidate.engine:
                    raise
                self._leave_out(what, f'{type(error).__name__}: '
                                f'{(str(error).splitlines() or [""])[0]}')
            else:
                made[architecture, candidate.name] = candidate, run
        return made

    def _segnet_seconds(self, runs, frame, candidates):
        """Return about how long it takes to make SegNet's candidates and run two rounds."""
        _, run = runs['enet', plain().name]
        began = self.clock()
        run(frame)
        return (self.clock() - began) * ABSTRACT_SPEED_RATIO * candidates * 3

    def _measure_camera(self):
        """Return the figures of the whole way of a camera's frame, with the default engine."""
        _say('a frame of the camera ...')
        cv2.setNumThreads(1)  # as in the segmentation node
        frames = [frame[:, :, ::-1].copy() for frame in street_frames(*CAMERA, FRAMES)]
        measured = measure(camera_candidates(*self.networks['enet'],
                                             self.results['default_engine'], self.threads,
                                             frames[0], self.cache.name),
                           frames, self.plan.rounds, self.plan.turn_s, self.plan.size_s,
                           self.clock)
        return {
            'camera': CAMERA, 'network': NETWORK, 'engine': self.results['default_engine'],
            'rows': [{'name': name, 'median_ms': times.median, 'p95_ms': times.p95}
                     for name, times in measured.items()],
            'beside_network_ms': measured[OURS].milliseconds_above(measured[ALONE]),
            'times_plain': measured[OURS].times_faster_than(measured[PLAIN]),
        }

    # Memory and start-up

    def _measure_alone(self):
        default = self.results['default_engine']
        names = sorted({engine.name for engine in self.engines}, key=lambda name: name != default)
        last = 0.0
        pairs = [('enet', name) for name in [*names, plain().name]]
        pairs += [('segnet', name) for _, name in pairs
                  if name == plain().name or self._takes_segnet(name)]
        for architecture, name in pairs:
            if any(left['what'] == name for left in self.results['left_out']):
                continue
            began = self.clock()
            if self._late(f'{architecture} alone with {name}', last):
                continue
            _say(f'{architecture} alone with {name} ...')
            self.results['alone'].append(self._alone(architecture, name))
            last = self.clock() - began

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


def _say(line):
    print(line, file=sys.stderr, flush=True)


def _row(key, candidate, measured):
    """Return a candidate's figures as plain data."""
    architecture, name = key
    times = measured[key]
    # On a GPU the measure is the plain network on that GPU, where there is one.
    base = measured.get((architecture, plain(candidate.device).name),
                        measured[architecture, plain().name])
    row = {
        'architecture': architecture, 'name': name, 'engine': candidate.engine,
        'median_ms': times.median, 'p95_ms': times.p95,
        'frames_a_second': 1e3 / times.median, 'frames': len(times.milliseconds),
        'times_plain': times.times_faster_than(base),
        'agreement': times.agreement(measured[architecture, plain().name]),
        'milliseconds': [round(value, 3) for value in times.milliseconds],
    }
    other = measured.get(('segnet', name)) if architecture == 'enet' else None
    if other:
        row['times_segnet'] = times.times_faster_than(other)
    direct = measured.get((architecture, f'{BY_HAND}{name.split()[2]}'))
    if candidate.engine and name.startswith('openvino') and direct:
        row['speed_of_by_hand'] = times.times_faster_than(direct)
    return row
