"""Give random inputs to all ways in, and print what became of them.

    scripts/run python benchmarks/reliability/fuzz.py --minutes 10

Each way in has a process of its own, whose memory is limited, and an equal share of the time. An
input fails if it raises anything but BadInput with one line, takes more than a second of CPU time,
or ends the process. Failed inputs are printed with their seed.
"""

import argparse
import faulthandler
import multiprocessing
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import hypothesis
import torch
from fuzz_entries import ENTRIES, is_accepted
from hypothesis import HealthCheck, Phase, settings

BATCH = 200                # inputs from one seed
MAX_SECONDS = 1.0          # of CPU time for an input
HANG_SECONDS = 60.0        # of an input, after which the process ends
MAX_DATA = 4 * 1024 ** 3   # bytes of memory that a process may reserve
SHOWN = 5                  # failures of a way in that are printed
MIB = 1024 ** 2


@dataclass
class Counts:
    """What became of inputs. slowest: seconds of CPU time. peak: MiB above those at the start."""

    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    slowest: float = 0.0
    peak: float = 0.0
    failures: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('--minutes', type=float, required=True, help='for all ways in together')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', metavar='NAME', choices=ENTRIES, action='append')
    options = parser.parse_args()
    torch.set_num_threads(1)  # threads would not survive the fork
    names = options.only or list(ENTRIES)
    print('| way in | inputs | refused | accepted | slowest s | peak MB | failed |\n'
          '|---|---:|---:|---:|---:|---:|---:|', flush=True)
    total = failed = 0
    for name in names:
        counts = in_process(name, 60 * options.minutes / len(names), options.seed)
        total, failed = total + counts.inputs, failed + len(counts.failures)
        print(f'| {name} | {counts.inputs:,} | {counts.refused:,} | {counts.accepted:,} | '
              f'{counts.slowest:.2f} | {counts.peak:.0f} | {len(counts.failures)} |', flush=True)
        for failure in counts.failures:
            print(failure, file=sys.stderr)
    print(f'\n{total:,} inputs, {failed} failed')
    sys.exit(1 if failed else 0)


def in_process(name: str, seconds: float, seed: int) -> Counts:
    """Fuzz one way in in a process of its own, and return its counts."""
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=fuzz, args=(name, seconds, seed, sender.send))
    process.start()
    sender.close()
    counts = Counts()
    try:
        while True:
            counts = receiver.recv()
    except EOFError:
        process.join()
    if process.exitcode:
        counts.failures.append(f'{name}: the process ended with {process.exitcode} in batch '
                               f'{counts.inputs // BATCH} of seed {seed}')
    return counts


def fuzz(name: str, seconds: float, first_seed: int, report: Callable[[Counts], None]) -> None:
    """Fuzz one way in for some seconds; report the counts after each batch."""
    entry, counts = ENTRIES[name], Counts()
    strategy = entry.inputs()
    start_mib = peak_mib()

    @settings(max_examples=BATCH, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @hypothesis.given(strategy)
    def take(sample: object) -> None:
        counts.inputs += 1
        problem, start = '', time.process_time()
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            if is_accepted(entry, sample):
                counts.accepted += 1
            else:
                counts.refused += 1
        except BaseException:
            problem = traceback.format_exc(limit=-4)
        faulthandler.cancel_dump_traceback_later()
        taken = time.process_time() - start
        counts.slowest = max(counts.slowest, taken)
        if taken > MAX_SECONDS and not problem:
            problem = f'it took {taken:.1f} s'
        if problem and len(counts.failures) < SHOWN:
            counts.failures.append(f'{name}, seed {seed}: {sample!r:.1000}\n{problem}')

    with open(os.devnull, 'w') as nowhere:  # for what libraries print
        os.dup2(nowhere.fileno(), 1)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA, MAX_DATA))
    end, seed = time.monotonic() + seconds, 1_000_000 * first_seed
    while time.monotonic() < end and len(counts.failures) < SHOWN:
        hypothesis.seed(seed)(take)()
        seed += 1
        counts.peak = peak_mib() - start_mib
        report(counts)


def peak_mib() -> float:
    """Return the largest memory that this process has used so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


if __name__ == '__main__':
    main()
