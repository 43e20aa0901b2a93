"""Measure what each choice of the default recipe contributes, after short trainings.

    scripts/run python benchmarks/ablation.py CAMVID OUT

Trains from random weights with the recipe, and again for each variant with one choice removed or
another seed. Drive 0001TP of CamVid is excluded from all trainings; the last weights are evaluated
on that drive, on val, and on synthetic streets with unseen seeds. Prints a table after each
training. Rerun the same command to resume an interrupted run.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from enet_ros.data.datasets import open_dataset
from enet_ros.data.frames import Frames
from enet_ros.errors import BadInput
from enet_ros.evaluation.evaluate import evaluate
from enet_ros.models import checkpoint
from enet_ros.segmenter import Segmenter

Setting = bool | int | float | str
Row = tuple[str, list[float]]  # a variant, and its mean IoU on each data set

VARIANTS: dict[str, dict[str, Setting]] = {
    'the recipe': {},
    'another seed': {'seed': 1},
    'no augmentation': {'augment': False},
    'no synthetic streets': {'synthetic_share': 0.0},
    'cross-entropy only': {'iou_weight': 0.0},
    "the paper's class weights (c = 1.02)": {'class_weight_offset': 1.02},
    'nearly equal class weights (c = 1.2)': {'class_weight_offset': 1.2},
    'no encoder loss in the second stage': {'encoder_weight': 0.0},
    'no dropout': {'dropout': False},
    'no weight averaging': {'average_decay': 0.0},
    "a constant learning rate, as in the paper's first 100 epochs": {'schedule': 'steps'},
    "the paper's optimizer and learning rate": {'optimizer': 'adam', 'learning_rate': 5e-4,
                                                'weight_decay': 2e-4},
}
DATA = 'camvid-0001TP'  # CamVid's train split without that drive


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('root', help="CamVid's folder")
    parser.add_argument('out', type=Path, help='folder of the trainings')
    parser.add_argument('--encoder-epochs', type=int, default=8)
    parser.add_argument('--epochs', type=int, default=16)
    parser.add_argument('--precision', default='bf16-mixed')
    numbers = range(len(VARIANTS))
    parser.add_argument('--variants', type=int, nargs='+', choices=numbers, default=numbers,
                        help='their numbers (default: all)')
    options = parser.parse_args()
    print(f'{options.encoder_epochs} epochs of the encoder, then {options.epochs} of the whole '
          f'network, {options.precision}')
    rows: list[Row] = []
    try:
        val = open_dataset('camvid', options.root).splits['val']
        for number in options.variants:
            name, settings = list(VARIANTS.items())[number]
            rows.append((name, evaluate_weights(train(options, number, settings), val)))
            print_table(rows)
    except (BadInput, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def train(options: argparse.Namespace, number: int, settings: dict[str, Setting]) -> Path:
    """Train one variant, or resume it; return the file of its last weights."""
    folder = options.out / str(number)
    settings = {'encoder_epochs': options.encoder_epochs, 'epochs': options.epochs,
                'precision': options.precision, 'evaluate_every': 1000, **settings}
    subprocess.run([sys.executable, '-m', 'enet_ros.cli', 'train', '--data', DATA,
                    '--root', options.root, '--out', folder,
                    *(flag(*setting) for setting in settings.items())], check=True)
    return folder / 'last.safetensors'


def flag(name: str, value: Setting) -> str:
    """Return a setting as a flag of `enet train`."""
    name = name.replace('_', '-')
    if isinstance(value, bool):
        return f'--{"" if value else "no-"}{name}'
    return f'--{name}={value}'


def evaluate_weights(weights: Path, val: Frames) -> list[float]:
    """Return the mean IoU on the excluded drive, on val and on synthetic streets."""
    metrics = checkpoint.read_spec(weights).metrics
    segmenter = Segmenter.load(weights, engine='torch', precision='float32')
    return [metrics['val']['mean_iou'],  # of DATA, whose val is the excluded drive
            evaluate(segmenter, (val[index] for index in range(len(val)))).mean_iou(),
            metrics['streets']['mean_iou']]


def print_table(rows: list[Row]) -> None:
    """Print the mean IoU of each variant as Markdown, with the difference from the first row."""
    print('\n| | 0001TP (excluded) | val | streets |\n|---|---:|---:|---:|')
    first, base = rows[0]
    for name, values in rows:
        print(f'| {name} |', ' | '.join(
            f'{value:.3f}' if name == first else f'{value:.3f} ({value - reference:+.3f})'
            for value, reference in zip(values, base)), '|', flush=True)


if __name__ == '__main__':
    sys.exit(main())
