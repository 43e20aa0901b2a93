"""Run the native engine under sanitizers; exit with 1 if one of them finds an error.

usage: sanitize_native.py FOLDER

Addresses and undefined behavior, then data races. FOLDER keeps what is built.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from native_cases import build_driver, images, random_model, write_cases

from enet_ros.engines.inference_spec import InferenceSpec

SIZES = [(1, 1), (9, 17), (64, 48), (77, 61, 33, 44), (150, 85, 200, 120, 'linear'),
         (8, 100, 5, 5, 'linear'), (161, 50)]
CLASSES = [1, 2, 11, 20, 33, 255, 12]
# A child process abandons its parent's threads, whose memory is not a leak.
RUNS = {'address,undefined': [('run', {}), ('together', {}),
                              ('fork', {'ASAN_OPTIONS': 'detect_leaks=0'})],
        'thread': [('run', {}), ('together', {})]}


def main(folder: Path) -> int:
    """Build and run the driver with each sanitizer; return the number of failed runs."""
    cases = [(*random_model(classes, classes), images(*size[:2])['smooth'], InferenceSpec(*size),
              threads)
             for size, classes in zip(SIZES, CLASSES) for threads in (1, 2, 3, 4)]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, 'cases')
        write_cases(file, cases)
        for sanitizer, runs in RUNS.items():
            driver = build_driver(folder / sanitizer.replace(',', '_'),
                                  f'-DENET_NATIVE_SANITIZE={sanitizer}')
            names = subprocess.run([driver, 'variants'], capture_output=True, text=True,
                                   check=True).stdout.strip().split(',')
            for variant in names:
                for command, variables in runs:
                    result = subprocess.run(
                        [driver, command, variant, file, Path(temporary, 'output')],
                        env={**os.environ, **variables})
                    failed += result.returncode != 0
                    print(f'{sanitizer}: {command} {variant}: '
                          f'{"failed" if result.returncode else "no errors"}', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(bool(main(Path(sys.argv[1]))))
