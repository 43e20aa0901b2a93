"""Give random inputs to all ways in, and print what became of them.

    scripts/run python benchmarks/reliability/fuzz.py --minutes 10

Each way in has a process of its own, whose memory is limited, and an equal share of the time.
Ctrl-C ends the run; what was counted so far is printed. An input fails if it raises anything but
BadInput with one line, takes more than a second of CPU time or a gigabyte, or ends the process.
Failed inputs are printed with their seed: `--only NAME --seed SEED` starts with that input.
"""

import argparse
import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from ctypes import c_uint64
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from fuzz_entries import ENTRIES, Entry, is_accepted

REPORTED = 200             # inputs between two reports of a process
MAX_SECONDS = 1.0          # of CPU time for an input
HANG_SECONDS = 60          # of an input, after which the process is ended
MAX_DATA = 4 * 1024 ** 3   # bytes of memory that a process may reserve
MAX_MIB = 1024             # by which the memory of a process may grow
SHOWN = 5                  # failures of a way in after which it ends
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
    parser.add_argument('--seed', type=int, default=0, help='of the first input of each way in')
    parser.add_argument('--only', metavar='NAME', choices=ENTRIES, action='append')
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
    torch.set_num_threads(1)  # threads would not survive the fork
    names = options.only or list(ENTRIES)
    print('| way in | inputs | refused | accepted | slowest s | peak MB | failed |\n'
          '|---|---:|---:|---:|---:|---:|---:|', flush=True)
    total = failed = 0
    interrupted = False
    for name in names:
        counts, interrupted = in_process(name, 60 * options.minutes / len(names), options.seed)
        total, failed = total + counts.inputs, failed + len(counts.failures)
        print(f'| {name} | {counts.inputs:,} | {counts.refused:,} | {counts.accepted:,} | '
              f'{counts.slowest:.2f} | {counts.peak:.0f} | {len(counts.failures)} |', flush=True)
        for failure in counts.failures:
            print(failure, file=sys.stderr, flush=True)
        if interrupted:
            break
    print(f'\n{total:,} inputs, {failed} failed{", interrupted" if interrupted else ""}')
    sys.exit(1 if failed else 0)


def in_process(name: str, seconds: float, first_seed: int) -> tuple[Counts, bool]:
    """Fuzz one way in in a process of its own; return its counts and whether Ctrl-C ended it."""
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    seed = context.Value(c_uint64, first_seed, lock=False)
    process = context.Process(target=fuzz, args=(name, seconds, seed, sender.send))
    process.start()
    sender.close()
    counts = Counts()
    try:
        while True:
            counts = receiver.recv()
    except EOFError:
        process.join()
    except KeyboardInterrupt:
        process.kill()
        return counts, True
    if process.exitcode:
        counts.failures.append(f'{name}, seed {seed.value}: the process ended with '
                               f'{process.exitcode}')
    return counts, False


def fuzz(name: str, seconds: float, seed: Any, report: Callable[[Counts], None]) -> None:
    """Fuzz one way in for some seconds, beginning with a seed; report the counts often."""
    entry, counts = ENTRIES[name], Counts()
    generate = entry.inputs()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable(os.fdopen(os.dup(2), 'w'))
    nowhere = os.open(os.devnull, os.O_WRONLY)  # for what libraries print
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA, MAX_DATA))
    end, start_mib = time.monotonic() + seconds, peak_mib()
    while time.monotonic() < end and len(counts.failures) < SHOWN and counts.peak < MAX_MIB:
        sample = generate(Random(seed.value))
        signal.alarm(HANG_SECONDS)
        problem = take(entry, sample, counts)
        signal.alarm(0)
        counts.peak = peak_mib() - start_mib
        if counts.peak > MAX_MIB and not problem:
            problem = f'the process grew by {counts.peak:.0f} MiB'
        if problem:
            counts.failures.append(f'{name}, seed {seed.value}: {sample!r:.1000}\n{problem}')
        seed.value += 1
        if counts.inputs % REPORTED == 0:
            report(counts)
    report(counts)


def take(entry: Entry, sample: object, counts: Counts) -> str:
    """Give one input to a way in and count it; return what is wrong, or ''."""
    counts.inputs += 1
    problem, start = '', time.process_time()
    try:
        if is_accepted(entry, sample):
            counts.accepted += 1
        else:
            counts.refused += 1
    except BaseException:
        problem = traceback.format_exc(limit=-4)
    taken = time.process_time() - start
    counts.slowest = max(counts.slowest, taken)
    if taken > MAX_SECONDS and not problem:
        problem = f'it took {taken:.1f} s'
    return problem


def peak_mib() -> float:
    """Return the largest memory that this process has used so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


if __name__ == '__main__':
    main()
