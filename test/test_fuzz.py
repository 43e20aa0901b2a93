"""Random and hostile inputs for all ways in: a result, or one line that says what is wrong.

benchmarks/reliability/fuzz.py gives more of the random ones, and measures time and memory.
"""

import sys
from pathlib import Path
from random import Random

import pytest

sys.path.append(str(Path(__file__).parents[1] / 'benchmarks/reliability'))

import fuzz_entries
from fuzz_entries import ENTRIES

# Over 10 ms for an input.
SLOW = {'checkpoints', '.pth files', 'enet import', 'free space', 'parameter files'}


@pytest.mark.parametrize('name', ENTRIES)
def test_random_inputs(name):
    generate = ENTRIES[name].inputs()
    for seed in range(10 if name in SLOW else 40):
        fuzz_entries.is_accepted(ENTRIES[name], generate(Random(seed)))


def test_other_exceptions_and_unclear_lines_are_found():
    def crash(sample):
        raise KeyError(sample)

    def say_nothing(sample):
        error = fuzz_entries.BadInput('')
        raise error

    with pytest.raises(KeyError):
        fuzz_entries.is_accepted(fuzz_entries.Entry(lambda: None, crash), 1)
    with pytest.raises(AssertionError):
        fuzz_entries.is_accepted(fuzz_entries.Entry(lambda: None, say_nothing), 1)
