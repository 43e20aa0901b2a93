"""Measure how many frames per second of the synthetic street one core draws, by CPU time."""

import argparse
import statistics
import time

import cv2

from enet_ros.synthetic.street import SyntheticStreet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=360)
    parser.add_argument('--streets', type=int, default=8)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    builds, draws = [], []
    for seed in range(options.streets):
        start = time.process_time()
        street = SyntheticStreet(options.width, options.height, seed)
        builds.append(time.process_time() - start)
        street.render(0)
        for index in range(1, 41):
            start = time.process_time()
            street.render(index)
            draws.append(time.process_time() - start)
    print(f'{options.width}x{options.height}: {1 / statistics.median(draws):.1f} frames per '
          f'second (median of {len(draws)} frames of {options.streets} streets); building a '
          f'street takes {1e3 * statistics.median(builds):.0f} ms')


if __name__ == '__main__':
    main()
