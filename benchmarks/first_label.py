"""Measure the time from the first import to the labels of the first frame.

usage: first_label.py ENGINE
"""

import time

START = time.perf_counter()  # before the imports that take time

import sys  # noqa: E402

import numpy as np  # noqa: E402

from enet_ros.segmenter import Segmenter  # noqa: E402


def main(engine: str) -> None:
    imported = time.perf_counter()
    segmenter = Segmenter.load('enet_camvid', engine=engine)
    segmenter(np.full((360, 480, 3), 90, np.uint8))
    done = time.perf_counter()
    torch = 'with' if 'torch' in sys.modules else 'without'
    print(f'{segmenter.engine.name}: {done - START:.2f} s, of which imports '
          f'{imported - START:.2f} s, {torch} PyTorch')


main(*sys.argv[1:])
