"""Shows and scores the free space of synthetic streets, whose truth is known."""

import argparse
import sys

import cv2
import numpy as np

from enet_ros.errors import BadInput
from enet_ros.evaluation.freespace_score import (
    CONFIG,
    EXPLANATION,
    FIRST_SEED,
    Trial,
    build,
    run_trials,
    table,
)
from enet_ros.freespace.horizon import LOOKS, PitchWatch
from enet_ros.images.contact_sheet import contact_sheet, write_sheet
from enet_ros.images.postprocess import colorize
from enet_ros.labels import CAMVID
from enet_ros.paths import OutputFolder
from enet_ros.segmenter import Segmenter
from enet_ros.synthetic.street import SyntheticStreet

SIZE = 640, 360
SAMPLES = 3      # frames in the picture
CELL = 4         # pixels that a cell of the grid has there
TRUTH, RAY, CONTACT = (0, 90, 255), (150, 190, 150), (200, 0, 0)
ONE_DEGREE = np.radians(1.0)


def draw_grid(view, answer):
    """Draw a grid from above, ahead being up, and a line around the free space that truly shows.

    Return uint8 (H, W, 3) RGB: light is drivable, dark is not, grey unknown.
    """
    grey = np.full(view.grid.shape, 170, np.uint8)
    grey[view.grid == 0], grey[view.grid == 100] = 245, 60
    picture = cv2.cvtColor(_from_above(grey), cv2.COLOR_GRAY2RGB)
    free = _from_above(((answer.cells == 0) & answer.shown).astype(np.uint8))
    lines, _ = cv2.findContours(free, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(picture, lines, -1, TRUTH, 2)


def draw_scan(view, space, answer):
    """Draw a scan from above: rays, their contacts, and the true ones as a line."""
    rows, columns = space.grid.shape
    picture = np.full((columns * CELL, rows * CELL, 3), 255, np.uint8)
    origin = _pixels(space, np.zeros((1, 2)))[0]
    ends = np.where(np.isinf(view.scan), space.scan.range_max, view.scan)
    for range_, met, bearing in zip(ends, np.isfinite(view.scan), space.scan.bearings):
        if np.isnan(range_):
            continue
        end = _pixels(space, range_ * np.array([[np.cos(bearing), np.sin(bearing)]]))[0]
        cv2.line(picture, origin.tolist(), end.tolist(), RAY, 1)
        if met:
            cv2.circle(picture, end.tolist(), 3, CONTACT, -1)
    known = np.isfinite(answer.ranges)
    bearings = space.scan.bearings[known]
    true = answer.ranges[known, None] * np.c_[np.cos(bearings), np.sin(bearings)]
    for point in _pixels(space, true).tolist():
        cv2.circle(picture, point, 1, TRUTH, -1)
    return picture


def _from_above(cells):
    """Turn cells (along y, along x) into a picture: ahead is up, left is left."""
    return cv2.resize(np.ascontiguousarray(cells[::-1, ::-1].T), None, fx=CELL, fy=CELL,
                      interpolation=cv2.INTER_NEAREST)


def _pixels(space, xy):
    """Return where points (N, 2) of the base frame are in such a picture."""
    rows, columns = space.grid.shape
    cells = (xy - space.grid.origin) / space.grid.resolution
    return (CELL * np.c_[rows - cells[:, 1], columns - cells[:, 0]]).astype(int)


def sample_row(frame, answer, trial):
    """Return the pictures of one frame with their captions."""
    labels = trial.labels_of(frame)
    view = trial.space(labels)
    return [('camera', frame.image), ("the network's classes", colorize(labels, CAMVID.palette())),
            ('grid from above; blue: free in truth', draw_grid(view, answer)),
            ('scan; red: contacts, blue: true ones', draw_scan(view, trial.space, answer))]


def pitch_warning(pitch_error):
    """Return what the kerbs of one drive say of a pitch that is wrong by so many rad."""
    street = SyntheticStreet(*SIZE, FIRST_SEED)
    space, watch = build(street, pitch_error), PitchWatch()
    for index in range(0, 5 * LOOKS, 5):
        watch.add(space(street.render(index).labels).pitch_error)
    return watch.warning(space.ground.pose.pitch) or 'nothing'


def run(options):
    """Score, report and draw."""
    folder = OutputFolder(options.out)
    segmenter = Segmenter.load(options.model, output_size=SIZE)
    trials = {'exact labels': Trial(), "the network's labels": Trial(segmenter=segmenter),
              '  pitch 1 degree too large': Trial(ONE_DEGREE),
              '  pitch 1 degree too small': Trial(-ONE_DEGREE)}
    shown, rows = trials["the network's labels"], []
    count = options.streets * options.frames
    at = {count * (2 * place + 1) // (2 * SAMPLES) for place in range(SAMPLES)}
    frames = run_trials(list(trials.values()), options.streets, options.frames, *SIZE)
    for number, (frame, answer) in enumerate(frames):
        if number in at:
            rows.append(sample_row(frame, answer, shown))
        if sys.stdout.isatty():
            print(f'\r{number + 1} of {count} frames', end='\r', flush=True)
    print(f'{count} frames of {SIZE[0]}x{SIZE[1]}, cells of {CONFIG.grid.resolution:g} m')
    print(EXPLANATION)
    print(*table({name: trial.score for name, trial in trials.items()}), sep='\n')
    right = trials['exact labels'].score.mean_error
    for name, error in (('too large', ONE_DEGREE), ('too small', -ONE_DEGREE)):
        wrong = trials[f'  pitch 1 degree {name}'].score.mean_error
        print(f'pitch 1 degree {name}: the mean error of ranges grows from {100 * right:.1f} % to '
              f'{100 * wrong:.1f} %; warning: {pitch_warning(error)}')
    path = folder.path / 'freespace.png'
    write_sheet(path, contact_sheet('enet_ros: free space', rows, CAMVID, width=1760))
    print(f'picture   {path}')


def main():
    parser = argparse.ArgumentParser(prog='demo_freespace', description=__doc__)
    parser.add_argument('--streets', type=int, default=25, help='how many (default 25)')
    parser.add_argument('--frames', type=int, default=4, help='of each street (default 4)')
    parser.add_argument('--model', default='enet_camvid', help='a shipped model or a file')
    parser.add_argument('--out', default='demo_output',
                        help='folder for the picture (default demo_output)')
    cv2.setNumThreads(1)
    try:
        run(parser.parse_args())
    except BadInput as error:
        print(f'demo_freespace: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
