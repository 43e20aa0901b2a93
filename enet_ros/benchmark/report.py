"""The report of a comparison: Markdown, JSON and a chart."""

import os
from collections.abc import Mapping, Sequence

from enet_ros.benchmark import paper
from enet_ros.benchmark.chart import Bar, draw_chart
from enet_ros.benchmark.machine import is_busy
from enet_ros.benchmark.results import Machine, Results, Row, SizeResult, engine_of
from enet_ros.benchmark.targets import targets
from enet_ros.errors import BadInput
from enet_ros.json_data import json_text
from enet_ros.models.registry import find_architecture
from enet_ros.paths import OutputFolder

PAPER_SIZE = 640, 360  # of the paper's hardware table
_SIZE_NOTE = (
    'Bold: engines of this package. Plain: eager PyTorch in float32, channels first, NumPy before '
    'and after. All candidates took turns in rounds, slow ones in fewer. Ratios are medians over '
    'common rounds, so they can differ slightly from the ratios of the medians. SegNet has so few '
    'frames that its p95 is about the slowest one.')


def markdown(results: Results) -> str:
    """Return the results of a comparison as Markdown."""
    parts = [_header(results), _targets(results)]
    parts += [_size(size) for size in results['sizes']]
    parts += [_SIZE_NOTE] if results['sizes'] else []
    parts += [_pipeline(results), _startup(results), _costs(results), _paper_times(results),
              _skipped(results)]
    return '\n\n'.join(part for part in parts if part) + '\n'


class ReportFolder(OutputFolder):
    """The folder of a report; raise BadInput at once if it or matplotlib is unusable."""

    def __init__(self, out: str | os.PathLike[str]) -> None:
        super().__init__(out)
        try:
            import matplotlib.figure  # noqa: F401
        except ImportError as error:
            raise BadInput('the chart of a report needs matplotlib, which cannot be imported '
                           f'({error}); pip install matplotlib, or omit --out') from error

    def write(self, results: Results) -> None:
        """Write benchmark.md, benchmark.json and benchmark.png."""
        self.write_files(markdown(results), results, _bars(results['sizes']))

    def write_files(self, text: str, results: object, bars: Mapping[str, Sequence[Bar]]) -> None:
        """Write a report's text, its figures, which are plain data, and its chart."""
        self.write_text('benchmark.md', text)
        self.write_text('benchmark.json', json_text(results, indent=1) + '\n')
        self.write_bytes('benchmark.png', draw_chart(bars))


def _bars(sizes: Sequence[SizeResult]) -> dict[str, list[Bar]]:
    """Return the bars of the chart, by the title of a size."""
    return {f'{size["width"]}x{size["height"]}': [
        Bar(_title(row['architecture']), row['name'], row['median_ms']) for row in size['rows']]
        for size in sizes}


def machine_text(machine: Machine) -> str:
    """Return the machine and the versions in one line."""
    versions = ', '.join(f'{name} {version}' for name, version in machine['versions'].items())
    return (f'{machine["processor"]}, {machine["cores"]} cores, '
            f'{"with" if machine["amx_bf16"] else "without"} AMX, {machine["memory_gib"]} GiB, '
            f'{machine["gpu"] or "no GPU"}; {machine["system"]}; {versions}')


def busy_warning(machine: Machine) -> str:
    """Return a warning if the machine was busy, or an empty text."""
    if not is_busy(machine):
        return ''
    return (f'**The machine was busy at the start (load {machine["load"]}): the times are '
            'unreliable.**')


def _header(results: Results) -> str:
    machine = results['machine']
    lines = [
        f'Command: `{results["command"]}`' if results['command'] else '',
        f'Machine: {machine_text(machine)}',
        f'Model: `{results["model"]}`. Other networks have random weights: their speed is that of '
        'trained ones, but many of their pixels are near a tie between classes, so the agreement '
        f'of their labels means little. Threads: {results["threads"] or "one per core"}. Batch 1, '
        'frames of the synthetic street, from uint8 image to uint8 labels at the same size.',
    ]
    if results['seconds'] is None:
        lines.append('**This run is not complete: what is missing was not measured.**')
    lines.append(busy_warning(machine))
    return '\n\n'.join(line for line in lines if line)


def _targets(results: Results) -> str:
    verdicts = {True: 'yes', False: '**no**', None: '-'}
    rows = [[target.text, _number(target.figure), verdicts[target.reached],
             target.note or 'not measured'] for target in targets(results)]
    return '### Targets at 640x360\n\n' + table(['target', 'measured', 'reached', 'by'], rows, 1)


def _size(size: SizeResult) -> str:
    parts = [f'### {size["width"]}x{size["height"]}']
    for architecture in _architectures(size['rows']):
        rows = [row for row in size['rows'] if row['architecture'] == architecture]
        others = [other for other in _architectures(size['rows'])
                  if any(other in row['speedup_over'] for row in rows)]
        lines = [[
            f'**{row["name"]}**' if row['is_engine'] else row['name'],
            _number(row['median_ms']), _number(row['p95_ms']), str(row['rounds']),
            _number(row['frames_per_second']), _number(row['speedup_over_plain']),
            _percent(row['agreement']),
            *(_number(row['speedup_over'].get(other)) for other in others)] for row in rows]
        parts.append(table(
            [_title(architecture), 'ms', 'p95', 'rounds', 'frames/s', 'x plain', 'labels = fp32',
             *(f'x {_title(other)}' for other in others)], lines, 1))
    return '\n\n'.join(parts)


def _architectures(rows: Sequence[Row]) -> list[str]:
    """Return the architectures of some rows, each once, in their order."""
    return list(dict.fromkeys(row['architecture'] for row in rows))


def _title(architecture: str) -> str:
    return find_architecture(architecture).title


def _pipeline(results: Results) -> str:
    pipeline = results['pipeline']
    if not pipeline:
        return ''
    width, height = pipeline['camera_size']
    network_width, network_height = pipeline['network_size']
    rows = [[row['name'], _number(row['median_ms']), _number(row['p95_ms'])]
            for row in pipeline['rows']]
    return (f'### A {width}x{height} bgr8 image to labels, overlay and all masks at '
            f'{width}x{height}\n\n' + table(['', 'ms', 'p95'], rows, 1)
            + f'\n\nThe network runs at {network_width}x{network_height}, in enet_ros on '
            f'{pipeline["engine"]}.')


def _startup(results: Results) -> str:
    if not results['startup']:
        return ''
    rows = []
    for row in results['startup']:
        if row['error']:
            figures = [f'failed: {row["error"]}', '', '', '']
        else:
            figures = [_number(row['cold_start_s']), _number(row['warm_start_s']),
                       _number(row['resident_mib']), _number(row['peak_mib'])]
        rows.append([f'{_title(row["architecture"])}, {row["name"]}', *figures])
    width, height = results['startup'][0]['size']
    return (f'### Start-up and memory, {width}x{height}\n\n' + table(
        ['process', 'first labels, cold, s', 'warm, s', 'resident MiB', 'peak MiB'], rows, 1)
        + '\n\nFrom the first import to the first labels. Cold: with an empty cache folder; the '
        "operating system's file cache is not empty. Resident: after some frames.")


def _costs(results: Results) -> str:
    sizes = {(size['width'], size['height']): size['cost'] for size in results['sizes']}
    if not sizes:
        return ''
    width, height = PAPER_SIZE if PAPER_SIZE in sizes else next(iter(sizes))
    shown, comparable = sizes[width, height], (width, height) == PAPER_SIZE
    rows = []
    for name, cost in shown.items():
        published = paper.COSTS.get(name)
        rows.append([
            _title(name),
            f'{cost["parameters"]:,}', f'{published.million_parameters} M' if published else '-',
            f'{cost["gflops"]:.2f}', f'{published.gflops}' if published and comparable else '-',
            f'{cost["fp16_mib"]:.2f}', f'{published.fp16_mb}' if published else '-'])
    enet, segnet = shown['enet'], shown['segnet']
    rows.append(['SegNet / ENet', f'{segnet["parameters"] / enet["parameters"]:.0f}',
                 f'{paper.ABSTRACT_PARAMETER_RATIO}', f'{segnet["gflops"] / enet["gflops"]:.0f}',
                 f'{paper.ABSTRACT_GFLOPS_RATIO}',
                 f'{segnet["fp16_mib"] / enet["fp16_mib"]:.0f}', '-'])
    return (f'### Size and computation at {width}x{height}\n\n' + table(
        ['', 'parameters', 'paper', 'GFLOPs', 'paper', 'fp16 MiB', 'paper'], rows, 1)
        + f'\n\n{paper.GFLOPS_NOTE}')


def _paper_times(results: Results) -> str:
    rows = []
    engines = {name: engine_of(results, name) for name in ('enet', 'segnet')}
    ours = {(size['width'], size['height'], row['architecture']): row['median_ms']
            for size in results['sizes'] for row in size['rows']
            if row['name'] == engines.get(row['architecture'])}
    for (board, width, height), times in paper.TIMES.items():
        if not any((width, height) == (size['width'], size['height'])
                   for size in results['sizes']):
            continue
        enet, segnet = times['enet'], times.get('segnet')
        rows.append([f'{width}x{height}', board, str(enet), _number(segnet),
                     _number(segnet and segnet / enet),
                     *(_number(ours.get((width, height, name))) for name in engines)])
    if not rows:
        return ''
    here = [f'{_title(name)} ms, here, {engine}' for name, engine in engines.items()]
    return ("### The paper's times and this machine's\n\n" + table(
        ['', "the paper's board", 'ENet ms', 'SegNet ms', 'ratio', *here], rows, 2)
        + f'\n\n{paper.TIMES_NOTE}')


def _skipped(results: Results) -> str:
    if not results['skipped']:
        return ''
    return '### Skipped\n\n' + '\n'.join(
        f'- {skipped["name"]}: {skipped["reason"]}' for skipped in results['skipped'])


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Return a Markdown table whose first `left` columns are aligned left, the others right."""
    marks = ['---'] * left + ['---:'] * (len(titles) - left)
    return '\n'.join(f'| {" | ".join(row)} |' for row in (titles, marks, *rows))


def _number(value: float | None) -> str:
    """Return a figure with three or four significant digits, '-' for None."""
    if value is None:
        return '-'
    return f'{value:.0f}' if value >= 1000 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{100 * value:.3f} %'
