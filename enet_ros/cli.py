"""The `enet` command.

Each command has a function that adds its parser and a function that runs it. Large packages are
imported when a command runs, so that help is fast.
"""

import argparse
import errno
import json
import logging
import math
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enet_ros import __version__
from enet_ros.config import (
    CHANNELS,
    LAYOUTS,
    NETWORK_OUTPUTS,
    RANGES,
    InputConfig,
    LabelSpaceConfig,
    ModelConfig,
    Recipe,
    ReplayConfig,
    RunConfig,
)
from enet_ros.errors import BadInput
from enet_ros.logger import logger
from enet_ros.packages import require_torch
from enet_ros.paths import OutputFolder, user_path

if TYPE_CHECKING:
    from enet_ros.label_space.space import LabelSpace
    from enet_ros.segmenter import Segmenter

MODEL_HELP = 'name of a shipped model, or a .safetensors or .onnx file'
_METAVARS = {str: 'TEXT', int: 'N', float: 'X'}
LABEL_SPACE_FORMATS = 'hydra', 'elevation_mapping_cupy'
# The options of enet import for ONNX networks, with their defaults.
ONNX_OPTIONS = {'image': None, 'channels': 'rgb', 'range': 1, 'mean': (0.0, 0.0, 0.0),
                'std': (1.0, 1.0, 1.0), 'layout': None, 'output': None, 'stride': None}
INTERRUPTED = 130  # exit code of shells for a command that Ctrl-C stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Errors of the user print one line on stderr and return 1; Ctrl-C returns 130.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser().parse_args(arguments)
        options.command = shlex.join(['enet', *arguments])
        logging.basicConfig(level=logging.WARNING, format='enet: %(message)s')
        logger.setLevel(logging.INFO)
        code = options.run(options)
        sys.stdout.flush()
        return code
    except BadInput as error:
        message = str(error)
    except BrokenPipeError:
        _discard_output()  # nobody reads it any more, as in `enet info | head`
        return 1
    except OSError as error:
        message = f'{error.filename}: {error.strerror}' if error.filename else str(error)
        if error.errno == errno.ENOSPC and not error.filename:
            message = 'the output cannot be written: No space left on device; free disk space'
            _discard_output()
    except KeyboardInterrupt:
        print('enet: interrupted', file=sys.stderr)
        return INTERRUPTED
    print(f'enet: {message}', file=sys.stderr)
    return 1


def _discard_output() -> None:
    """Discard what is still to be printed, so that the flush at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='enet', usage='%(prog)s COMMAND [options]', formatter_class=_HelpFormatter,
        description='Real-time semantic segmentation: segment images, evaluate, train and export '
        'networks. The same networks run in the ROS 2 node segmentation_node.',
        epilog='Run "enet COMMAND --help" for the options of a command.')
    parser.add_argument('-V', '--version', action='version', version=f'enet_ros {__version__}')
    commands = parser.add_subparsers(required=True, metavar='COMMAND', title='commands',
                                     prog=parser.prog)
    for add in (_add_segment, _add_evaluate, _add_calibrate, _add_train, _add_average, _add_info,
                _add_export, _add_import, _add_benchmark, _add_tune, _add_nav2_config,
                _add_labelspace):
        add(commands)
    return parser


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults of options that have one."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is False or action.default in (None, '', [], ()):
            return action.help
        return super()._get_help_string(action)


def _add_command(commands: Any, run: Callable[[argparse.Namespace], int], usage: str,
                 help_text: str, description: str) -> argparse.ArgumentParser:
    """Add a subcommand that calls `run`.

    usage: the name of the command and its required arguments.
    """
    command = commands.add_parser(
        usage.split()[0], usage=f'enet {usage} [options]', help=help_text,
        description=description, formatter_class=_HelpFormatter)
    command.set_defaults(run=run)
    return command


def _add_setting(parser: argparse._ActionsContainer, item: Field[Any]) -> None:
    """Add the option for a field of a configuration class."""
    text = item.metadata['description']
    if 'choices' in item.metadata:
        text += f'; one of {", ".join(item.metadata["choices"])}'
    flag = f'--{item.name.replace("_", "-")}'
    default = argparse.SUPPRESS if item.default is MISSING else item.default
    if item.type is bool:
        parser.add_argument(flag, help=text, default=default,
                            action=argparse.BooleanOptionalAction)
        return
    if item.type == Sequence[str]:
        parser.add_argument(flag, help=text, default=default, nargs='+', metavar='FOLDER')
        return
    assert isinstance(item.type, type)  # annotations are not strings
    metavar = 'NAME' if 'choices' in item.metadata else _METAVARS[item.type]
    parser.add_argument(flag, help=text, default=default, type=item.type, metavar=metavar)


def _add_settings(parser: argparse._ActionsContainer, config: type,
                  names: Iterable[str] | None = None) -> None:
    """Add the options for fields of a configuration class, by default for all."""
    for item in fields(config):
        if names is None or item.name in names:
            _add_setting(parser, item)


def _add_model(command: argparse.ArgumentParser) -> None:
    """Add the options of the network, its runtime and its input size."""
    group = command.add_argument_group('network')
    group.add_argument('--model', dest='path', default=ModelConfig.path, metavar='MODEL',
                       help=MODEL_HELP)
    _add_network_settings(group)


def _add_network_settings(group: argparse._ActionsContainer) -> None:
    """Add the options of the runtime and of the network's input size."""
    _add_settings(group, ModelConfig, [item.name for item in fields(ModelConfig)
                                       if item.name != 'path'])
    _add_settings(group, InputConfig, ('width', 'height'))


def _load_segmenter(options: argparse.Namespace) -> 'Segmenter':
    from enet_ros.segmenter import Segmenter

    size = InputConfig(width=options.width, height=options.height)
    settings = {item.name: getattr(options, item.name) for item in fields(ModelConfig)}
    return Segmenter.load(**settings, width=size.width, height=size.height)


def _description(options: argparse.Namespace, segmenter: 'Segmenter') -> str:
    """Return which model runs on which engine, why, and at what size."""
    width, height = segmenter.size
    return (f'{options.path} on {segmenter.engine.name} ({segmenter.engine_reason}), network '
            f'size {width}x{height}')


def _add_segment(commands: Any) -> None:
    segment = _add_command(
        commands, _segment, 'segment SOURCE --out FOLDER',
        'segment images, a video or a recording into files',
        'Write the label image (class ids), the colored labels and the overlay of each frame. If '
        'there are label files next to the images (val/ and valannot/), print the scores too.')
    segment.add_argument('source', metavar='SOURCE',
                         help='an image, a folder of images, a video, a rosbag2 (BAG or '
                         'BAG:/topic), the index of a camera, or synthetic')
    segment.add_argument('--out', required=True, metavar='FOLDER',
                         help='folder for the results; for a rosbag2 also NAME.mcap, a recording '
                         'of label, color, overlay, label_map and camera_info')
    segment.add_argument('--keep-topics', action='store_true',
                         help='copy the recorded topics into NAME.mcap too')
    _add_settings(segment.add_argument_group(
        'labels in NAME.mcap', 'These options are the parameters output.* of the node.'),
        LabelSpaceConfig)
    segment.add_argument('--frames', type=int, metavar='N', help='stop after N frames')
    segment.add_argument('--seed', type=int, metavar='N', default=ReplayConfig.seed,
                         help='random seed of the synthetic street')
    _add_settings(segment, InputConfig, ['white_level'])
    _add_model(segment)


def _segment(options: argparse.Namespace) -> int:
    from enet_ros.evaluation.segment_bag import segment_bag
    from enet_ros.evaluation.segment_files import print_report, segment_source
    from enet_ros.images.bag_source import BagSource
    from enet_ros.images.bag_writer import is_recording
    from enet_ros.images.open_source import open_source
    from enet_ros.label_space.files import read_files
    from enet_ros.label_space.space import label_space

    seed = ReplayConfig(seed=options.seed).seed
    white_level = InputConfig(white_level=options.white_level).white_level
    segmenter = _load_segmenter(options)
    source = open_source(options.source, segmenter.labels, seed=seed, white_level=white_level)
    if is_recording(options.out) and not isinstance(source, BagSource):
        raise BadInput(f'{options.source} is not a rosbag2, so it cannot be segmented into the '
                       f'recording {options.out}; name a folder with --out')
    labels_config = _label_space_config(options)
    if not is_recording(options.out) and (options.keep_topics
                                          or labels_config != LabelSpaceConfig()):
        raise BadInput('--keep-topics and the options of labels are for recordings; name one '
                       'with --out, such as segmented.mcap')
    space = label_space(segmenter.labels, read_files(labels_config))
    _warn_of_void(space)
    print(_description(options, segmenter))
    if isinstance(source, BagSource) and is_recording(options.out):
        with _terminated_as_interrupted():
            report = segment_bag(segmenter, space, source, options.out,
                                 options.path, options.frames, options.keep_topics)
    else:
        report = segment_source(segmenter, source, options.out, options.frames)
    print_report(report)
    return report.exit_code


def _label_space_config(options: argparse.Namespace) -> LabelSpaceConfig:
    return LabelSpaceConfig(**{item.name: getattr(options, item.name)
                               for item in fields(LabelSpaceConfig)})


def _warn_of_void(space: 'LabelSpace') -> None:
    if warning := space.warning():
        print(f'enet: {warning}', file=sys.stderr)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Raise KeyboardInterrupt for SIGTERM in the with statement, so that files are removed."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _add_evaluate(commands: Any) -> None:
    evaluate = _add_command(
        commands, _evaluate, 'evaluate', 'evaluate a model on a labeled data set',
        'Segment the frames of a split as the node does, and print the scores that the papers '
        'report, measured at the size of the ground truth. With --out, also write report.json, '
        'confusion.png and the frames with the lowest mean IoU.')
    _add_split(evaluate)
    evaluate.add_argument('--out', metavar='FOLDER',
                          help='folder for the report; needs matplotlib')
    evaluate.add_argument('--worst', type=int, default=8, metavar='N',
                          help='number of frames in the report, those with the lowest mean IoU')
    _add_model(evaluate)


def _add_split(command: argparse.ArgumentParser) -> None:
    """Add the options of the frames of a data set."""
    command.add_argument('--data', default='camvid', metavar='DATA',
                         help='camvid, cityscapes, sunrgbd, streets (synthetic), or the .yaml '
                         'file of your own data set')
    command.add_argument('--root', default='', metavar='FOLDER', help='folder of the data set')
    command.add_argument('--split', default='val', metavar='SPLIT',
                         help='part of the data set: train, val or test')


def _evaluate(options: argparse.Namespace) -> int:
    from enet_ros.data.datasets import open_dataset
    from enet_ros.evaluation.evaluate import evaluate_split
    from enet_ros.evaluation.report import ReportFolder, summary, tables

    if options.worst < 0:
        raise BadInput(f'worst is {options.worst}; it must be at least 0')
    dataset = open_dataset(options.data, options.root)
    segmenter = _load_segmenter(options)
    print(_description(options, segmenter))
    folder = ReportFolder(options.out) if options.out else None
    evaluation = evaluate_split(segmenter, dataset, options.split)
    scores = evaluation.scores()
    print(*tables(scores), '', f'{dataset.name} {options.split}, {len(evaluation.frame_iou)} '
          f'frames: {summary(scores)}',
          'expected calibration error of the confidence: '
          f'{evaluation.confidence.expected_calibration_error():.4f}', sep='\n')
    if folder:
        folder.write(evaluation, dataset.splits[options.split],
                     _report_facts(options, segmenter, dataset.name), options.worst)
        print(f'report, figures and worst frames: {folder.path}')
    return 0


def _report_facts(options: argparse.Namespace, segmenter: 'Segmenter', data: str
                  ) -> dict[str, object]:
    """Return what was evaluated and how, as plain data."""
    from hashlib import sha256

    from enet_ros.models.checkpoint import resolve

    return {'command': options.command, 'model': options.path,
            'model_sha256': sha256(resolve(options.path).read_bytes()).hexdigest(),
            'engine': segmenter.engine.name, 'device': segmenter.engine.name.split()[1],
            'network_size': segmenter.size, 'data': data, 'split': options.split}


def _add_calibrate(commands: Any) -> None:
    calibrate = _add_command(
        commands, _calibrate, 'calibrate MODEL --out FILE',
        'fit the confidence of a model to labeled frames',
        'Write a copy of a model, or of the YAML file of an ONNX network, with the temperature at '
        'which its confidence predicts best whether labels are correct. Labels do not change. '
        'Use frames that the model was not trained on. Print the calibration error before and '
        'after, and what thresholds of the confidence do.')
    calibrate.add_argument('path', metavar='MODEL', help=MODEL_HELP)
    calibrate.add_argument('--out', required=True, metavar='FILE', help='file to write')
    _add_split(calibrate)
    calibrate.add_argument('--report', metavar='FOLDER',
                           help='folder for calibration.json and a reliability diagram; needs '
                           'matplotlib')
    _add_network_settings(calibrate.add_argument_group('network'))


def _calibrate(options: argparse.Namespace) -> int:
    require_torch('enet calibrate')
    from enet_ros.data.datasets import open_dataset
    from enet_ros.evaluation.calibrate import (
        CalibrationFolder,
        calibrate,
        summary,
        write_calibrated,
    )
    from enet_ros.models.loading import load_model

    out = _new_file(options.out)
    if not out.parent.is_dir():
        raise BadInput(f'{out} has no folder; create it, or name another file with --out')
    dataset = open_dataset(options.data, options.root)
    network, spec = load_model(options.path)
    segmenter = _load_segmenter(options)
    print(_description(options, segmenter))
    folder = CalibrationFolder(options.report) if options.report else None
    calibration = calibrate(network, spec, dataset, options.split, segmenter)
    print(summary(calibration))
    print(write_calibrated(options.path, out, spec, calibration,
                           f'{dataset.name} {options.split}'))
    if folder:
        folder.write(calibration, _report_facts(options, segmenter, dataset.name))
        print(f'report and figure: {folder.path}')
    return 0


def _add_train(commands: Any) -> None:
    train = _add_command(
        commands, _train, 'train', 'train a network with a recipe',
        'Train a network. Rerun the same command to resume an interrupted run.')
    train.add_argument('--recipe', default='best', metavar='RECIPE',
                       help='name of a shipped recipe, such as paper, or a .yaml file; an '
                       'unknown name lists the shipped ones')
    _add_settings(train.add_argument_group('run'), RunConfig)
    _add_settings(train.add_argument_group('recipe', 'These options override the recipe.'),
                  Recipe)


def _train(options: argparse.Namespace) -> int:
    require_torch('enet train')
    from enet_ros.training.recipe import load_recipe
    from enet_ros.training.train import train

    given = vars(options)
    recipe = load_recipe(options.recipe, {item.name: given[item.name] for item in fields(Recipe)
                                          if item.name in given})
    config = RunConfig(**{item.name: given[item.name] for item in fields(RunConfig)})
    print(f'best weights: {train(config, recipe)}')
    return 0


def _add_average(commands: Any) -> None:
    average = _add_command(
        commands, _average, 'average MODEL MODEL ... --out FILE',
        'average the weights of checkpoints',
        'Write a checkpoint with the mean of the weights of several checkpoints of the same '
        'network: of one run, or of runs that started from the same weights. Evaluate and '
        'calibrate it.')
    average.add_argument('paths', nargs='+', metavar='MODEL',
                         help='name of a shipped model, or a .safetensors file')
    average.add_argument('--out', required=True, metavar='FILE', help='file to write')


def _average(options: argparse.Namespace) -> int:
    from enet_ros.models.average import average

    out = _new_file(options.out)
    average(options.paths, out)
    print(f'{out}: mean of the weights of {len(options.paths)} checkpoints, not calibrated')
    return 0


def _add_info(commands: Any) -> None:
    info = _add_command(
        commands, _info, 'info MODEL', 'show the metadata, layers and cost of a model',
        'Print the metadata of a model, its stages with their outputs and parameters, and the '
        'cost of a frame.')
    info.add_argument('model', metavar='MODEL', help=MODEL_HELP)
    info.add_argument('--json', action='store_true', help='print JSON')


def _info(options: argparse.Namespace) -> int:
    from enet_ros.models.info import describe, text

    description = describe(options.model)
    print(json.dumps(description, indent=1) if options.json else text(description))
    return 0


def _add_export(commands: Any) -> None:
    export = _add_command(
        commands, _export, 'export MODEL --out FILE', 'write a model as an ONNX file',
        'Write a model as an ONNX file whose input is an image, uint8 (1, H, W, 3) RGB, and whose '
        'output is its labels, uint8 (1, H, W). The file is kept only if its labels on test '
        'images match those of the model. Its metadata entry enet_ros describes the model.')
    export.add_argument('model', metavar='MODEL', help=MODEL_HELP)
    export.add_argument('--out', required=True, metavar='FILE', help='file to write')
    _add_settings(export, InputConfig, ('width', 'height'))
    export.add_argument('--dynamic', action='store_true',
                        help='accept images of any size whose sides are multiples of the '
                        "network's stride")
    export.add_argument('--confidence', action='store_true',
                        help='also output the confidence, uint8 (1, H, W): 255 times the '
                        'probability of the label')


def _export(options: argparse.Namespace) -> int:
    require_torch('enet export')
    from enet_ros.engines.export import export_model

    size = InputConfig(width=options.width, height=options.height)
    width, height = export_model(options.model, options.out, size.width, size.height,
                                 options.confidence, options.dynamic)
    images = 'any size' if options.dynamic else f'{width}x{height}'
    print(f'{options.out}: {options.model} for images of {images}; its labels match those of the '
          'model')
    return 0


def _add_import(commands: Any) -> None:
    importer = _add_command(
        commands, _import, 'import FILE --labels LABELS',
        'use an ONNX network, or convert a checkpoint of PyTorch-ENet',
        'Describe an ONNX network in a YAML file beside it, after running it on a picture; the '
        'network is then a model of all commands and nodes. Or convert an ENet that was trained '
        'on RGB in [0, 1] with davidtvs/PyTorch-ENet of March 2021 or later; weights stay '
        'float32, because half precision would change predictions. No code in the file is run.')
    importer.add_argument('file', metavar='FILE',
                          help='ONNX file, or file of torch.save: a state dict, or a dict with '
                          'one under state_dict')
    importer.add_argument('--labels', required=True, metavar='LABELS',
                          help='YAML file with name and classes, each with name, color and '
                          "drivable, in the order of the network's outputs")
    importer.add_argument('--out', metavar='OUT',
                          help='file to write (default: FILE with the suffix .yaml, beside an '
                          'ONNX file; else with the suffix .safetensors, in the current folder)')
    importer.add_argument('--width', type=int, metavar='N',
                          help='width of the network input in pixels, for networks that take any '
                          '(default: 640 for ONNX networks, else 480)')
    importer.add_argument('--height', type=int, metavar='N',
                          help='height of the network input in pixels (default: 480 for ONNX '
                          'networks, else 360)')
    onnx = importer.add_argument_group('ONNX networks', 'What the file does not tell.')
    onnx.add_argument('--image', metavar='PICTURE',
                      help='image file to run the network on (default: a synthetic street)')
    onnx.add_argument('--channels', choices=CHANNELS, help='order of the channels')
    onnx.add_argument('--range', type=int, choices=RANGES, help='value of white')
    for name in ('mean', 'std'):
        onnx.add_argument(f'--{name}', type=float, nargs=3, metavar='X',
                          help=f'{name} of the channels in [0, RANGE], in their order')
    for name, choices in (('layout', LAYOUTS), ('output', NETWORK_OUTPUTS)):
        onnx.add_argument(f'--{name}', choices=choices,
                          help=f'{name} (default: as the network shows)')
    onnx.add_argument('--stride', type=int, metavar='N',
                      help='the sides of images are multiples of it, for networks that take any '
                      'size (default: found out)')
    onnx.set_defaults(**ONNX_OPTIONS)


def _import(options: argparse.Namespace) -> int:
    if Path(options.file).is_dir():
        raise BadInput(f'{options.file} is a folder; name the file to import')
    if Path(options.file).suffix == '.onnx':
        return _import_onnx(options)
    return _import_checkpoint(options)


def _import_checkpoint(options: argparse.Namespace) -> int:
    for name, default in ONNX_OPTIONS.items():
        if getattr(options, name) != default:
            raise BadInput(f'--{name} is for ONNX networks, and {options.file} is none; leave it '
                           'out')
    require_torch(f'the import of {options.file}')
    import torch

    from enet_ros.label_yaml import read_label_set
    from enet_ros.models.checkpoint import save
    from enet_ros.models.checkpoint_import import import_checkpoint

    out = _new_file(options.out or Path(options.file).with_suffix('.safetensors').name)
    labels = read_label_set(options.labels)
    model, spec = import_checkpoint(options.file, labels, options.width or 480,
                                    options.height or 360)
    save(out, model, spec, torch.float32)
    print(f'{out}: ENet for {spec.width}x{spec.height} and the {len(labels)} classes of '
          f'{labels.name}')
    return 0


def _import_onnx(options: argparse.Namespace) -> int:
    from enet_ros.engines.onnx_import import StatedInput, import_network
    from enet_ros.engines.street_image import street_image
    from enet_ros.images.contact_sheet import write_sheet
    from enet_ros.images.files import read_image
    from enet_ros.models.onnx_network import read_onnx
    from enet_ros.models.onnx_spec import sidecar, write_onnx_spec
    from enet_ros.yaml_data import read_yaml

    file, labels = user_path(options.file), user_path(options.labels)
    out = _new_file(options.out or sidecar(file))
    picture = _new_file(out.with_suffix('.png'))
    stated = StatedInput(options.layout, options.channels, options.range, tuple(options.mean),
                         tuple(options.std), options.output, options.width or 0,
                         options.height or 0, options.stride)
    network = read_onnx(file)
    image = read_image(options.image) if options.image else street_image(1280, 720)
    imported = import_network(network, read_yaml(labels), labels, stated, image)
    write_sheet(picture, imported.sheet(file.name))
    write_onnx_spec(out, imported.spec)
    print(*imported.facts, f'picture: {imported.shares()}', sep='\n')
    print(f'{out} describes it; check in {picture} that channels, range, mean and std are right')
    if out != sidecar(file):
        print(f'the file is read from {sidecar(file)}')
    return 0


def _new_file(path: str | Path) -> Path:
    """Return the path of a file to write; raise BadInput if it exists."""
    out = user_path(path)
    if out.exists():
        raise BadInput(f'{out} exists already; remove it, or name another file with --out')
    return out


def _add_benchmark(commands: Any) -> None:
    benchmark = _add_command(
        commands, _benchmark, 'benchmark', 'measure the networks on the engines of this machine',
        'Measure each installed engine and the plain alternatives without this package in turn, '
        'and print a Markdown report. With --out, also write the report, all figures as JSON and '
        'a plot, updated after each size. The full benchmark takes about 12 minutes on two '
        'cores. An ONNX network is compared with the same network run by hand in its runtimes.')
    benchmark.add_argument('--model', dest='path', default=ModelConfig.path, metavar='MODEL',
                           help=MODEL_HELP)
    benchmark.add_argument('--engines', default='', metavar='NAMES',
                           help='engines, separated by commas (default: all that are installed)')
    benchmark.add_argument('--sizes', default='', metavar='SIZES',
                           help='network sizes such as 640x360,1280x720 (default: those of the '
                           'paper)')
    benchmark.add_argument('--out', metavar='FOLDER', help='folder for the report')
    benchmark.add_argument('--quick', action='store_true',
                           help='measure one size in fewer rounds: under two minutes on two cores')
    _add_settings(benchmark, ModelConfig, ['threads'])
    benchmark.add_argument('--compiled', action='store_true',
                           help='also measure the engine torch compiled, which takes minutes')


def _benchmark(options: argparse.Namespace) -> int:
    require_torch('enet benchmark')
    from enet_ros.benchmark.comparison import Comparison
    from enet_ros.benchmark.plan import make_plan
    from enet_ros.benchmark.report import ReportFolder, markdown
    from enet_ros.models.checkpoint import resolve

    names = [name for name in options.engines.split(',') if name]
    if resolve(options.path).suffix == '.onnx':
        return _benchmark_onnx(options, names)
    folder = ReportFolder(options.out) if options.out else None
    comparison = Comparison(options.path, make_plan(options.quick, options.sizes), names,
                            options.threads, options.compiled)
    comparison.results['command'] = options.command
    print(markdown(comparison.run(*[folder.write] if folder else [])), end='')
    if folder:
        print(f'\nreport, figures and picture: {folder.path}', file=sys.stderr)
    return 0


def _benchmark_onnx(options: argparse.Namespace, names: Sequence[str]) -> int:
    from enet_ros.benchmark.onnx_comparison import compare_onnx
    from enet_ros.benchmark.onnx_report import onnx_markdown, write_onnx_report
    from enet_ros.benchmark.plan import onnx_plan
    from enet_ros.benchmark.report import ReportFolder
    from enet_ros.benchmark.results import OnnxResults
    from enet_ros.models.loading import load_model
    from enet_ros.models.onnx_network import OnnxNetwork
    from enet_ros.models.onnx_spec import OnnxSpec

    network, spec = load_model(options.path)
    assert isinstance(network, OnnxNetwork) and isinstance(spec, OnnxSpec)
    if options.compiled:
        raise BadInput('the engine torch does not run ONNX networks; leave --compiled out')
    folder = ReportFolder(options.out) if options.out else None

    def save(results: OnnxResults) -> None:
        results['command'] = options.command
        if folder:
            write_onnx_report(folder, results)

    results = compare_onnx(network, spec, onnx_plan(spec, options.quick, options.sizes), names,
                           options.threads, save)
    print(onnx_markdown(results), end='')
    if folder:
        print(f'\nreport, figures and picture: {folder.path}', file=sys.stderr)
    return 0


def _add_tune(commands: Any) -> None:
    tune = _add_command(
        commands, _tune, 'tune [MODEL]', 'measure which engine is the fastest on this CPU',
        'Measure the installed engines and their precisions on this CPU, print the figures, and '
        'store them. Commands and nodes with engine or precision auto then use the fastest one '
        'whose labels are those of float32, for the same model, size and threads.')
    tune.add_argument('model', nargs='?', default=ModelConfig.path, metavar='MODEL',
                      help=MODEL_HELP)
    _add_settings(tune, InputConfig, ('width', 'height'))
    _add_settings(tune, ModelConfig, ('engine', 'precision', 'threads', 'cache_folder'))


def _tune(options: argparse.Namespace) -> int:
    from enet_ros.engines.device import processor
    from enet_ros.engines.inference_spec import InferenceSpec
    from enet_ros.engines.selection import TUNE_RUNS, tune
    from enet_ros.engines.tuning import table
    from enet_ros.models.loading import load_model

    size = InputConfig(width=options.width, height=options.height)
    config = ModelConfig(path=options.model, engine=options.engine, device='cpu',
                         precision=options.precision, threads=options.threads,
                         cache_folder=options.cache_folder)
    network, spec = load_model(config.path)
    inference_spec = InferenceSpec(size.width or spec.width, size.height or spec.height)
    tuning, _ = tune(network, spec, inference_spec, config, runs=TUNE_RUNS,
                     slow_factor=math.inf)
    threads = config.threads or 'one per core'
    print(f'{config.path}, {inference_spec.width}x{inference_spec.height}, {processor().name}, '
          f'threads: {threads}\n', *table(tuning), sep='\n')
    return 0 if tuning.chosen else 1


def _add_nav2_config(commands: Any) -> None:
    nav2 = _add_command(
        commands, _nav2_config, 'nav2-config [MODEL]',
        'write the parameters of a Nav2 costmap for a model',
        'Write the parameters of a Nav2 costmap whose semantic_segmentation_layer uses the '
        'classes of the model, or check that a file names exactly these classes.')
    nav2.add_argument('model', nargs='?', default=ModelConfig.path, metavar='MODEL',
                      help=MODEL_HELP)
    nav2.add_argument('--out', metavar='FILE', help='file to write (default: print)')
    nav2.add_argument('--check', metavar='FILE', help='check this file and write nothing')
    nav2.add_argument('--drivable', nargs='+', default=[], metavar='CLASS',
                      help='drivable classes (default: those that the model marks)')
    nav2.add_argument('--flat', nargs='+', default=[], metavar='CLASS',
                      help='classes of other flat ground (default: pavement, sidewalk, terrain)')
    nav2.add_argument('--groups', metavar='FILE',
                      help='file of groups, for label images in group ids (output.label_ids); '
                      'the costmap then has groups instead of classes')
    nav2.add_argument('--points', metavar='TOPIC',
                      help='cloud of a depth camera with the point of each pixel of the label '
                      'images, matched by approximate stamps (default: that of freespace_node)')


def _nav2_config(options: argparse.Namespace) -> int:
    from enet_ros.freespace.config import ClassesConfig
    from enet_ros.freespace.nav2_config import (
        GROUND_POINTS,
        check_costmap,
        costmap_yaml,
        write_costmap,
    )
    from enet_ros.label_space.groups import read_groups
    from enet_ros.label_space.space import group_labels
    from enet_ros.models.loading import read_model_spec

    labels = read_model_spec(options.model).labels
    if options.groups:
        labels = group_labels(labels, read_groups(options.groups))
    if options.check:
        names = check_costmap(options.check, labels)
        print(f'{options.check}: the {len(names)} classes of {options.model}, each once')
        return 0
    text = costmap_yaml(options.model, labels,
                        ClassesConfig(tuple(options.drivable), tuple(options.flat)),
                        options.points or GROUND_POINTS)
    if not options.out:
        print(text, end='')
        return 0
    write_costmap(options.out, text)
    print(f'{options.out}: costs for the {len(labels)} classes of {options.model}')
    return 0


def _add_labelspace(commands: Any) -> None:
    labelspace = _add_command(
        commands, _labelspace, 'labelspace [MODEL] --out FOLDER',
        'write files that tell semantic mappers what label images hold',
        'Write what Hydra (NAME_label_space.yaml and NAME.csv) and elevation_mapping_cupy '
        '(elevation_mapping_cupy.yaml) need to read the label images and masks of '
        'segmentation_node. Give the options groups to palette as the parameters output.* of the '
        'node.')
    labelspace.add_argument('model', nargs='?', default=ModelConfig.path, metavar='MODEL',
                            help=MODEL_HELP)
    labelspace.add_argument('--out', required=True, metavar='FOLDER', help='folder for the files')
    labelspace.add_argument('--format', choices=LABEL_SPACE_FORMATS, nargs='+', metavar='NAME',
                            default=list(LABEL_SPACE_FORMATS),
                            help=f'files to write, of {", ".join(LABEL_SPACE_FORMATS)}')
    labelspace.add_argument('--node', default='/segmentation_node', metavar='NAME',
                            help="full name of the segmentation node, and a camera's name if "
                            'it has several: /segmentation_node/front')
    labelspace.add_argument('--channels', nargs='+', default=[], metavar='CLASS',
                            help='classes or groups that elevation_mapping_cupy maps (default: '
                            'all)')
    for kind, meaning in (('dynamic', 'that move (default: people)'),
                          ('objects', 'that become objects (default: all but ground, moving '
                           'ones, buildings and the like)'),
                          ('surfaces', 'of ground (default: drivable and other flat ground)')):
        labelspace.add_argument(f'--{kind}', nargs='*', metavar='CLASS',
                                help=f"Hydra's classes or groups {meaning}")
    _add_settings(labelspace, LabelSpaceConfig)


def _labelspace(options: argparse.Namespace) -> int:
    from enet_ros.freespace.config import ClassesConfig
    from enet_ros.label_space.elevation_mapping import channels_yaml
    from enet_ros.label_space.files import read_files
    from enet_ros.label_space.hydra import HydraKinds, color_csv, label_space_yaml
    from enet_ros.label_space.space import label_space
    from enet_ros.labels import topic_name
    from enet_ros.models.loading import read_model_spec

    space = label_space(read_model_spec(options.model).labels,
                        read_files(_label_space_config(options)))
    _warn_of_void(space)
    texts = {}
    if 'hydra' in options.format:
        name = topic_name(space.name) or 'labels'
        kinds = HydraKinds(options.dynamic, options.objects, options.surfaces)
        texts[f'{name}_label_space.yaml'] = label_space_yaml(space, kinds,
                                                             ClassesConfig().default_flat)
        texts[f'{name}.csv'] = color_csv(space)
    if 'elevation_mapping_cupy' in options.format:
        texts['elevation_mapping_cupy.yaml'] = channels_yaml(space, options.channels,
                                                             options.node)
    folder = OutputFolder(options.out)
    for file, text in texts.items():
        folder.write_text(file, text)
    print(f'{folder.path}: {", ".join(texts)} for the {len(space.values)} '
          f'{"groups" if space.kind == "groups" else "classes"} of {options.model}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
