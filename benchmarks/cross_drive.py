"""Measure a recipe on drives that the network has never seen.

    scripts/run python benchmarks/cross_drive.py CAMVID OUT [options of enet train]

CamVid's train split has three drives. Each in turn is excluded from a shortened training and
scored with the last weights. In the options of `enet train`, such as --recipe or --teacher,
{drive} stands for the excluded drive: a teacher must not have seen that drive either. Prints the
IoU of each class. Rerun the same command to resume an interrupted run.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path

from enet_ros.data.camvid import DRIVES
from enet_ros.errors import BadInput
from enet_ros.evaluation.metrics import mean
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint

ClassIou = dict[str, float]  # by class, NaN for a class that the drive lacks


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0],
                                     epilog='Other options are those of enet train.')
    parser.add_argument('root', help="CamVid's folder")
    parser.add_argument('out', type=Path, help='folder of the trainings')
    parser.add_argument('--drives', nargs='+', choices=DRIVES, default=DRIVES,
                        help='the drives to exclude in turn (default: all)')
    parser.add_argument('--encoder-epochs', type=int, default=8)
    parser.add_argument('--epochs', type=int, default=16)
    options, train_options = parser.parse_known_args()
    print(f'{options.encoder_epochs} epochs of the encoder, then {options.epochs} of the whole '
          f'network {" ".join(train_options)}', flush=True)
    scores: dict[str, ClassIou] = {}
    try:
        for drive in options.drives:
            scores[drive] = class_iou(train(options, drive, train_options))
            print_table(scores)
    except (BadInput, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def train(options: argparse.Namespace, drive: str, train_options: Sequence[str]) -> Path:
    """Train without a drive, or resume that; return the file of the last weights."""
    folder = options.out / drive
    subprocess.run([sys.executable, '-m', 'enet_ros.cli', 'train', '--data', f'camvid-{drive}',
                    '--root', options.root, '--out', folder,
                    f'--encoder-epochs={options.encoder_epochs}', f'--epochs={options.epochs}',
                    '--evaluate-every=1000',
                    *(option.replace('{drive}', drive) for option in train_options)], check=True)
    return folder / 'last.safetensors'


def class_iou(weights: Path) -> ClassIou:
    """Return the IoU on the excluded drive, which is val of the data that was trained on."""
    iou = checkpoint.read_spec(weights).metrics['val']['iou']
    return {name: nan if value is None else value for name, value in iou.items()}


def print_table(scores: Mapping[str, ClassIou]) -> None:
    """Print the IoU of each class for each drive as Markdown, and the means over the drives."""
    names = CAMVID.names
    print('\n| excluded drive | mean |', ' | '.join(names), '|')
    print('|---|', '---:|' * (1 + len(names)), sep='')
    rows = {drive: [mean(iou.values()), *(iou[name] for name in names)]
            for drive, iou in scores.items()}
    rows['mean of the drives'] = [mean(column) for column in zip(*rows.values())]
    for title, values in rows.items():
        print(f'| {title} |', ' | '.join(f'{value:.3f}' for value in values), '|', flush=True)


if __name__ == '__main__':
    sys.exit(main())
