"""The `enet` command."""

import argparse
import json
import logging
import shlex
import sys
from dataclasses import MISSING, fields
from pathlib import Path

from enet_ros.config import InputConfig, ModelConfig, Recipe, ReplayConfig, RunConfig
from enet_ros.errors import BadInput
from enet_ros.paths import user_path


def main(arguments=None):
    """Run the command line; return 0, or 1 after one line on stderr that says what is wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.command = shlex.join(['enet', *arguments])
    logging.basicConfig(level=logging.WARNING, format='enet: %(message)s')
    logging.getLogger('enet_ros').setLevel(logging.INFO)
    try:
        return options.run(options)
    except BadInput as error:
        complaint = str(error)
    except OSError as error:
        complaint = f'{error.filename}: {error.strerror}' if error.filename else str(error)
    except KeyboardInterrupt:
        complaint = 'interrupted'
    print(f'enet: {complaint}', file=sys.stderr)
    return 1


def _parser():
    parser = argparse.ArgumentParser(
        prog='enet', description='ENet semantic segmentation: segment images, train, evaluate.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    segment = commands.add_parser(
        'segment', help='segment images, a video or a recording into files',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Write label images (class ids), colours and overlays of every frame. '
        'A folder with labels beside it (val, valannot) is scored as well.')
    segment.add_argument('source', help='an image, a folder, a video, a rosbag2, or synthetic')
    segment.add_argument('--out', required=True, help='folder for the results')
    _add_model(segment)
    segment.add_argument('--frames', type=int, help='take no more than this many')
    segment.add_argument('--seed', type=int, default=ReplayConfig.seed,
                         help='which synthetic street')
    segment.set_defaults(run=_segment)

    train = commands.add_parser(
        'train', help='train a network by a recipe',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Train a network. A run that was interrupted goes on when the same command '
        'is given again. Settings of the recipe that are given here go before its own.')
    train.add_argument('--recipe', default='best', help='name of a shipped recipe (best, '
                       'continue, refine, streets, paper, segnet) or a .yaml file')
    for item in (*fields(RunConfig), *fields(Recipe)):
        _add_setting(train, item)
    train.set_defaults(run=_train)

    evaluate = commands.add_parser(
        'evaluate', help='score a model on a labeled data set',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Segment the frames of a split as robots do, and print the scores of the '
        "papers, counted at the labels' own size. With --out, write report.json, confusion.png "
        'and the worst frames too.')
    evaluate.add_argument('--data', default='camvid', help='camvid, cityscapes, sunrgbd, '
                          'streets (drawn), or the .yaml file that describes your own')
    evaluate.add_argument('--root', default='', help='folder of the data set')
    evaluate.add_argument('--split', default='val', help='which frames; of sunrgbd: test')
    _add_model(evaluate)
    evaluate.add_argument('--out', help='folder for the report; needs matplotlib')
    evaluate.add_argument('--worst', type=int, default=8,
                          help='draw this many frames, those of least mean IoU')
    evaluate.set_defaults(run=_evaluate)

    _add_import(commands)
    _add_export(commands)
    _add_info(commands)
    _add_benchmark(commands)
    _add_nav2_config(commands)
    return parser


def _add_setting(command, item):
    """Add the option that sets a field of a config."""
    kind = ({'action': argparse.BooleanOptionalAction} if item.type is bool
            else {'type': item.type})
    text = item.metadata['description']
    if 'choices' in item.metadata:
        text += f' ({", ".join(item.metadata["choices"])})'
    command.add_argument(
        f'--{item.name.replace("_", "-")}', help=text,
        default=argparse.SUPPRESS if item.default is MISSING else item.default, **kind)


def _add_model(command):
    command.add_argument('--model', dest='path', default=ModelConfig.path,
                         help='name of a shipped model, or a .safetensors file')
    for item in fields(ModelConfig):
        if item.name != 'path':
            _add_setting(command, item)
    _add_size(command)


def _add_size(command):
    for item in fields(InputConfig):
        if item.name in ('width', 'height'):
            _add_setting(command, item)


def _add_import(commands):
    importer = commands.add_parser(
        'import', help='turn a checkpoint of PyTorch-ENet into one of ours',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Read the weights of an ENet that was trained with davidtvs/PyTorch-ENet, as '
        'that project is since March 2021, on RGB in [0, 1]. No code in the file is run. The '
        'weights are kept in float32, because half precision would change the answers.')
    importer.add_argument('file', help='what torch.save wrote: a state dict, or a dict that has '
                          'one as state_dict')
    importer.add_argument('--labels', required=True, help='YAML file with name and classes, each '
                          "with name, color and drivable, in the order of the network's outputs")
    importer.add_argument('--out', help='file to write; by default FILE with the ending '
                          '.safetensors, in the current folder')
    importer.add_argument('--width', type=int, default=480,
                          help='width at which the network is to run, pixels')
    importer.add_argument('--height', type=int, default=360, help='likewise')
    importer.set_defaults(run=_import)


def _add_export(commands):
    exporter = commands.add_parser(
        'export', help='write a model as an ONNX file',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Write a model as an ONNX file: image uint8 (1, H, W, 3) RGB -> labels uint8 '
        '(1, H, W). It is kept only if it gives the labels of the model on a test image. Its '
        'metadata, under enet_ros, says what the model is.')
    exporter.add_argument('model', help='name of a shipped model, or a .safetensors file')
    exporter.add_argument('--out', required=True, help='file to write')
    _add_size(exporter)
    exporter.add_argument('--dynamic', action='store_true', help='let it take images of any size '
                          "in multiples of the network's stride (enet: 8, segnet: 32)")
    exporter.add_argument('--confidence', action='store_true', help='let it answer confidence '
                          'uint8 (1, H, W) too, 255 times the probability of the label')
    exporter.set_defaults(run=_export)


def _add_info(commands):
    info = commands.add_parser(
        'info', help='say what a model is: its metadata, layers and cost',
        description="Print a model's metadata, its stages with their outputs and parameters, "
        'and what a frame of its size costs.')
    info.add_argument('model', help='name of a shipped model, or a .safetensors file')
    info.add_argument('--json', action='store_true', help='print it as JSON')
    info.set_defaults(run=_info)


def _add_benchmark(commands):
    benchmark = commands.add_parser(
        'benchmark', help='measure ENet and SegNet on the engines of this machine',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Measure every installed engine beside what one would run without this '
        'package, taking turns in one run, and print a Markdown report. With --out, write it, '
        'all figures as JSON and a picture too, after each size anew. In full it takes about '
        '12 minutes on two cores.')
    benchmark.add_argument('--model', dest='path', default=ModelConfig.path,
                           help='name of a shipped model, or a .safetensors file')
    benchmark.add_argument('--engines', default='', help='names with commas between; empty: all '
                           'that are installed')
    benchmark.add_argument('--sizes', default='', help='such as 640x360,1280x720; empty: '
                           "the paper's")
    benchmark.add_argument('--out', help='folder for the report')
    benchmark.add_argument('--quick', action='store_true',
                           help='under two minutes on two cores: one size, fewer rounds')
    _add_setting(benchmark, ModelConfig.__dataclass_fields__['threads'])
    benchmark.add_argument('--compiled', action='store_true',
                           help="PyTorch's engine compiled too, which takes minutes")
    benchmark.set_defaults(run=_benchmark)


def _add_nav2_config(commands):
    nav2 = commands.add_parser(
        'nav2-config', help="write a Nav2 costmap's parameters for a model's classes",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Write the parameters of a Nav2 costmap whose semantic_segmentation_layer '
        "takes the model's classes, or check that those of a file name exactly these classes.")
    nav2.add_argument('model', nargs='?', default=ModelConfig.path,
                      help='name of a shipped model, or a .safetensors file')
    nav2.add_argument('--out', help='file to write; by default the text is printed')
    nav2.add_argument('--check', metavar='FILE', help='check this file and write nothing')
    nav2.add_argument('--drivable', nargs='+', default=[], metavar='CLASS',
                      help='classes that one can drive on; by default as the model says')
    nav2.add_argument('--flat', nargs='+', default=[], metavar='CLASS',
                      help='other classes that are flat ground; by default pavement and the like')
    nav2.set_defaults(run=_nav2_config)


def _segment(options):
    from enet_ros.evaluation.segment_files import print_report, segment_source
    from enet_ros.images.open_source import open_source

    seed = ReplayConfig(seed=options.seed).seed
    segmenter = _load_segmenter(options)
    source = open_source(options.source, segmenter.labels, seed=seed)
    print(_what_runs(options, segmenter))
    report = segment_source(segmenter, source, options.out, options.frames)
    print_report(report)
    return report.exit_code


def _load_segmenter(options):
    from enet_ros.segmenter import Segmenter

    size = InputConfig(width=options.width, height=options.height)
    settings = {item.name: getattr(options, item.name) for item in fields(ModelConfig)}
    return Segmenter.load(**settings, width=size.width, height=size.height)


def _what_runs(options, segmenter):
    width, height = segmenter.size
    engine = segmenter.engine
    return (f'{options.path} on {engine.name} ({segmenter.engine_reason}), network size '
            f'{width}x{height}')


def _evaluate(options):
    from hashlib import sha256

    from enet_ros.data.datasets import open_dataset
    from enet_ros.evaluation.evaluate import evaluate_split
    from enet_ros.evaluation.report import ReportFolder, summary, tables
    from enet_ros.models.checkpoint import resolve

    if options.worst < 0:
        raise BadInput(f'worst is {options.worst}; it must be at least 0')
    dataset = open_dataset(options.data, options.root)
    segmenter = _load_segmenter(options)
    print(_what_runs(options, segmenter))
    folder = ReportFolder(options.out) if options.out else None
    evaluation = evaluate_split(segmenter, dataset, options.split)
    scores = evaluation.scores()
    print(*tables(scores), '', f'{dataset.name} {options.split}, {len(evaluation.frame_iou)} '
          f'frames: {summary(scores)}', sep='\n')
    if folder:
        folder.write(evaluation, dataset.splits[options.split], {
            'command': options.command, 'model': options.path,
            'model_sha256': sha256(resolve(options.path).read_bytes()).hexdigest(),
            'engine': segmenter.engine.name, 'device': segmenter.engine.name.split()[1],
            'network_size': segmenter.size, 'data': dataset.name, 'split': options.split,
        }, options.worst)
        print(f'report, confusion matrix and worst frames: {folder.path}')
    return 0


def _train(options):
    from enet_ros.training.recipe import load_recipe
    from enet_ros.training.train import train

    given = vars(options)
    recipe = load_recipe(options.recipe, {item.name: given[item.name] for item in fields(Recipe)
                                          if item.name in given})
    config = RunConfig(**{item.name: given[item.name] for item in fields(RunConfig)})
    print(f'best weights: {train(config, recipe)}')
    return 0


def _import(options):
    import torch

    from enet_ros.label_yaml import read_label_set
    from enet_ros.models.checkpoint import save
    from enet_ros.models.checkpoint_import import import_checkpoint

    if Path(options.file).is_dir():
        raise BadInput(f'{options.file} is a folder; name the checkpoint to import')
    out = user_path(options.out or Path(options.file).with_suffix('.safetensors').name)
    if out.exists():
        raise BadInput(f'{out} exists already; remove it, or name another file with --out')
    labels = read_label_set(options.labels)
    model, spec = import_checkpoint(options.file, labels, options.width, options.height)
    save(out, model, spec, torch.float32)
    print(f'{out}: ENet for {spec.width}x{spec.height} and the {len(labels)} classes of '
          f'{labels.name}')
    return 0


def _export(options):
    from enet_ros.engines.export import export_model

    size = InputConfig(width=options.width, height=options.height)
    width, height = export_model(options.model, options.out, size.width, size.height,
                                 options.confidence, options.dynamic)
    print(f'{options.out}: {options.model} for images of '
          f'{"any size" if options.dynamic else f"{width}x{height}"}, checked to give the '
          "model's labels")
    return 0


def _info(options):
    from enet_ros.models.info import describe, text

    description = describe(options.model)
    print(json.dumps(description, indent=1) if options.json else text(description))
    return 0


def _benchmark(options):
    from enet_ros.benchmark.comparison import Comparison, make_plan
    from enet_ros.benchmark.report import ReportFolder, markdown

    folder = ReportFolder(options.out) if options.out else None
    names = [name for name in options.engines.split(',') if name]
    comparison = Comparison(options.path, make_plan(options.quick, options.sizes), names,
                            options.threads, options.compiled)
    comparison.results['command'] = options.command
    print(markdown(comparison.run(*[folder.write] if folder else [])), end='')
    if folder:
        print(f'\nreport, figures and picture: {folder.path}', file=sys.stderr)
    return 0


def _nav2_config(options):
    from enet_ros.freespace.config import ClassesConfig
    from enet_ros.freespace.nav2_config import check_costmap, costmap_yaml, write_costmap
    from enet_ros.models.checkpoint import read_spec

    labels = read_spec(options.model).labels
    if options.check:
        names = check_costmap(options.check, labels)
        print(f'{options.check}: the {len(names)} classes of {options.model}, each once')
        return 0
    text = costmap_yaml(options.model, labels,
                        ClassesConfig(tuple(options.drivable), tuple(options.flat)))
    if not options.out:
        print(text, end='')
        return 0
    write_costmap(options.out, text)
    print(f'{options.out}: costs for the {len(labels)} classes of {options.model}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
