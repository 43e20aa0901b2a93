"""What each choice of the default recipe is worth, after a short training.

    scripts/run python benchmarks/ablation.py CAMVID OUT

Trains from random weights once by the recipe, and once more for each choice, without that choice
or with another seed. All train without drive 0001TP of CamVid, and the last weights are scored
on that drive, on val, and on synthetic streets of unseen seeds. Given again, the command goes on
where it was interrupted. Prints a table after each training.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from enet_ros.data.datasets import open_dataset
from enet_ros.errors import BadInput
from enet_ros.evaluation.evaluate import evaluate
from enet_ros.models import checkpoint
from enet_ros.segmenter import Segmenter

VARIANTS = {
    'the recipe': {},
    'another seed': {'seed': 1},
    'no change of scale, side, light and colour': {'augment': False},
    'no synthetic streets': {'synthetic_share': 0.0},
    'cross-entropy alone': {'iou_weight': 0.0},
    "the paper's class weights (c = 1.02)": {'class_weight_offset': 1.02},
    'nearly even class weights (c = 1.2)': {'class_weight_offset': 1.2},
    "no answer of the encoder's own in the second stage": {'encoder_weight': 0.0},
    'no drop-out': {'dropout': False},
    'no moving average': {'average_decay': 0.0},
    'a constant rate, as in the first 100 passes of the paper': {'schedule': 'steps'},
    "the paper's optimiser and rate": {'optimizer': 'adam', 'learning_rate': 5e-4,
                                       'weight_decay': 2e-4},
}
HELD_OUT = 'camvid-0001TP'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root', help="CamVid's folder")
    parser.add_argument('out', type=Path, help='folder of the trainings')
    parser.add_argument('--encoder-epochs', type=int, default=8)
    parser.add_argument('--epochs', type=int, default=16)
    parser.add_argument('--precision', default='bf16-mixed')
    numbers = range(len(VARIANTS))
    parser.add_argument('--variants', type=int, nargs='+', choices=numbers, default=numbers,
                        help='their numbers; all if not given')
    options = parser.parse_args()
    print(f'{options.encoder_epochs} passes of the encoder, then {options.epochs} of the whole '
          f'network, {options.precision}')
    rows = []
    try:
        val = open_dataset('camvid', options.root).splits['val']
        for number in options.variants:
            name, changes = list(VARIANTS.items())[number]
            rows.append((name, *score(run(options, number, changes), val)))
            print_table(rows)
    except (BadInput, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1


def run(options, number, changes):
    """Train one variant, or go on with it; return the file of its last weights."""
    folder = options.out / str(number)
    settings = {'encoder_epochs': options.encoder_epochs, 'epochs': options.epochs,
                'precision': options.precision, 'evaluate_every': 1000, **changes}
    subprocess.run([sys.executable, '-m', 'enet_ros.cli', 'train', '--data', HELD_OUT,
                    '--root', options.root, '--out', folder,
                    *(option(*setting) for setting in settings.items())], check=True)
    return folder / 'last.safetensors'


def option(name, value):
    """Return how `enet train` is given a setting."""
    name = name.replace('_', '-')
    if isinstance(value, bool):
        return f'--{"" if value else "no-"}{name}'
    return f'--{name}={value}'


def score(weights, val):
    """Return the mean IoU on the drive that was left out, on val and on synthetic streets."""
    scores = checkpoint.read_spec(weights).metrics
    segmenter = Segmenter.load(weights, engine='torch', precision='float32')
    return (scores['val']['mean_iou'], evaluate(segmenter, val).mean_iou(),
            scores['streets']['mean_iou'])


def print_table(rows):
    """Print Markdown: the scores, and how far they are from the first row's."""
    print('\n| | 0001TP, left out | val | streets |\n|---|---:|---:|---:|')
    for name, *scores in rows:
        print(f'| {name} |', ' | '.join(
            f'{score:.3f}' if name == rows[0][0] else f'{score:.3f} ({score - base:+.3f})'
            for score, base in zip(scores, rows[0][1:])), '|', flush=True)


if __name__ == '__main__':
    sys.exit(main())
