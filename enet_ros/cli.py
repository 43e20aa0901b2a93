"""The `enet` command."""

import argparse
import sys
from dataclasses import fields

from enet_ros.config import DEVICES, ENGINES, InputConfig, ModelConfig, ReplayConfig, TrainConfig
from enet_ros.errors import BadInput


def main(arguments=None):
    """Run the command line; return 0, or 1 after one line on stderr that says what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except BadInput as error:
        print(f'enet: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        print('enet: interrupted', file=sys.stderr)
    return 1


def _parser():
    parser = argparse.ArgumentParser(
        prog='enet', description='ENet semantic segmentation: segment images, train.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    segment = commands.add_parser(
        'segment', help='segment images, a video or a recording into files',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Write label images (class ids), colours and overlays of every frame. '
        'A folder with labels beside it (val, valannot) is scored as well.')
    segment.add_argument('source', help='an image, a folder, a video, a rosbag2, or synthetic')
    segment.add_argument('--out', required=True, help='folder for the results')
    segment.add_argument('--model', default=ModelConfig.path,
                         help='name of a shipped model, or a .safetensors file')
    segment.add_argument('--engine', default=ModelConfig.engine, choices=ENGINES)
    segment.add_argument('--device', default=ModelConfig.device, choices=DEVICES)
    segment.add_argument('--width', type=int, default=0,
                         help="width at which the network runs, pixels; 0 takes the model's own")
    segment.add_argument('--height', type=int, default=0, help='likewise')
    segment.add_argument('--frames', type=int, help='take no more than this many')
    segment.add_argument('--seed', type=int, default=ReplayConfig.seed,
                         help='which synthetic street')
    segment.set_defaults(run=_segment)

    train = commands.add_parser(
        'train', help='train on CamVid and synthetic streets',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Train ENet. A run that was interrupted goes on when the same command is '
        'given again.')
    for item in fields(TrainConfig):
        kind = ({'action': argparse.BooleanOptionalAction} if item.type is bool
                else {'type': item.type})
        train.add_argument(f'--{item.name.replace("_", "-")}', default=item.default,
                           help=item.metadata['description'], **kind)
    train.set_defaults(run=_train)
    return parser


def _segment(options):
    from enet_ros.segment_files import print_report, segment_source
    from enet_ros.segmenter import Segmenter
    from enet_ros.sources import open_source

    size = InputConfig(width=options.width, height=options.height)
    segmenter = Segmenter.load(options.model, engine=options.engine, device=options.device,
                               width=size.width, height=size.height)
    source = open_source(options.source, segmenter.labels, seed=options.seed)
    print(f'{options.model} on {segmenter.engine.name}, network size '
          f'{segmenter.size[0]}x{segmenter.size[1]}')
    report = segment_source(segmenter, source, options.out, options.frames)
    print_report(report)
    return report.exit_code


def _train(options):
    from enet_ros.training.train import train

    config = TrainConfig(**{item.name: getattr(options, item.name)
                            for item in fields(TrainConfig)})
    print(f'best weights: {train(config)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
