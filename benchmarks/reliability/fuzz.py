"""Give random inputs to all ways in, and print what became of them.

    scripts/run python benchmarks/reliability/fuzz.py --minutes 10

Each way in has a process of its own, whose memory is limited, and an equal share of the time. An
input fails if it raises anything but BadInput with one line, takes more than a second of CPU time,
or ends the process. Failed inputs are printed with their seed.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

import hypothesis
from fuzz_entries import ENTRIES, is_accepted
from hypothesis import HealthCheck, Phase, settings

BATCH = 200                # inputs from one seed
MAX_SECONDS = 1.0          # of CPU time for an input
HANG_SECONDS = 60.0        # of an input, after which the process ends
MAX_DATA = 4 * 1024 ** 3   # bytes of memory that a process may reserve
SHOWN = 5                  # failures of a way in that are printed
MIB = 1024 ** 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--minutes', type=float, required=True, help='for all ways in together')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', metavar='NAME', choices=ENTRIES, action='append')
    parser.add_argument('--child', action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.only or list(ENTRIES)
    seconds = 60 * options.minutes / len(names)
    if options.child:
        return fuzz(names[0], seconds, options.seed)
    print('| way in | inputs | refused | accepted | slowest s | peak MB | failed |\n'
          '|---|---:|---:|---:|---:|---:|---:|')
    total = failed = 0
    for name in names:
        result = in_process(name, seconds, options.seed)
        total, failed = total + result['inputs'], failed + result['failed']
        print(f'| {name} | {result["inputs"]:,} | {result["refused"]:,} | '
              f'{result["accepted"]:,} | {result["slowest"]:.2f} | {result["peak"]:.0f} | '
              f'{result["failed"]} |', flush=True)
        for failure in result['failures']:
            print(failure, file=sys.stderr)
    print(f'\n{total:,} inputs, {failed} failed')
    sys.exit(1 if failed else 0)


def in_process(name: str, seconds: float, seed: int) -> dict[str, Any]:
    """Fuzz one way in in a process of its own, and return its counts."""
    command = [sys.executable, __file__, '--child', '--only', name, '--seed', str(seed),
               '--minutes', str(seconds / 60)]
    process = subprocess.run(command, capture_output=True, check=False)
    lines = process.stdout.decode().splitlines()
    result: dict[str, Any] = json.loads(lines[-1]) if lines else {
        'inputs': 0, 'refused': 0, 'accepted': 0, 'failed': 0, 'slowest': 0, 'peak': 0,
        'failures': []}
    if process.returncode:
        result['failed'] += 1
        result['failures'].append(
            f'{name}: the process ended with {process.returncode} after batch '
            f'{result["inputs"] // BATCH} of seed {seed}: {process.stderr.decode()[-2000:]}')
    return result


def fuzz(name: str, seconds: float, first_seed: int) -> None:
    """Fuzz one way in for some seconds; print the counts as JSON after each batch."""
    entry, counts = ENTRIES[name], {'inputs': 0, 'refused': 0, 'accepted': 0, 'failed': 0}
    strategy, slowest = entry.inputs(), 0.0
    failures: list[str] = []
    warm_up = peak_mib()

    @settings(max_examples=BATCH, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @hypothesis.given(strategy)
    def take(sample: object) -> None:
        nonlocal slowest
        counts['inputs'] += 1
        start = time.process_time()
        problem = ''
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            counts['accepted' if is_accepted(entry, sample) else 'refused'] += 1
        except BaseException:
            problem = traceback.format_exc(limit=-4)
        faulthandler.cancel_dump_traceback_later()
        taken = time.process_time() - start
        slowest = max(slowest, taken)
        if taken > MAX_SECONDS and not problem:
            problem = f'it took {taken:.1f} s'
        if problem:
            counts['failed'] += 1
            if len(failures) < SHOWN:
                failures.append(f'{name}, seed {seed}: {sample!r:.1000}\n{problem}')

    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA, MAX_DATA))
    end = time.monotonic() + seconds
    seed = 1_000_000 * first_seed
    with silence() as output:
        while time.monotonic() < end and len(failures) < SHOWN:
            hypothesis.seed(seed)(take)()
            seed += 1
            print(json.dumps({**counts, 'slowest': slowest, 'peak': peak_mib() - warm_up,
                              'failures': failures}), file=output, flush=True)


def peak_mib() -> float:
    """Return the largest memory that this process has used so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


@contextlib.contextmanager
def silence() -> Iterator[Any]:
    """Discard what libraries print; yield the real output."""
    with os.fdopen(os.dup(1), 'w') as output, open(os.devnull, 'w') as nowhere:
        os.dup2(nowhere.fileno(), 1)
        yield output


if __name__ == '__main__':
    main()
