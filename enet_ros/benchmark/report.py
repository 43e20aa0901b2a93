"""A comparison's results as Markdown, JSON and a picture."""

import json

from enet_ros.benchmark import paper
from enet_ros.benchmark.machine import busy
from enet_ros.benchmark.targets import targets
from enet_ros.errors import BadInput
from enet_ros.paths import OutputFolder

PAPER_SIZE = 640, 360  # of the paper's hardware table
_EXPLANATION = (  # of the tables of the sizes
    'Bold: engines of this package. Plain: eager PyTorch in float32, channels first, NumPy before '
    'and after. All took turns in rounds, slow ones in fewer. Ratios are medians over the rounds '
    'that both took part in, so they can differ a little from those of the medians shown. The p95 '
    'of so few frames as SegNet has is about the slowest.')


def markdown(results):
    """Return a comparison's results as Markdown."""
    parts = [_header(results), _targets(results)]
    parts += [_size(size) for size in results['sizes']]
    parts += [_EXPLANATION] if results['sizes'] else []
    parts += [part(results) for part in (_camera, _alone, _costs, _paper_times, _left_out)]
    return '\n\n'.join(part for part in parts if part) + '\n'


class ReportFolder(OutputFolder):
    """The folder that a report is written to; matplotlib, too, is missed at once."""

    def __init__(self, out):
        super().__init__(out)
        try:
            import matplotlib.figure  # noqa: F401
        except ImportError as error:
            raise BadInput('the picture of a report needs matplotlib, which cannot be loaded '
                           f'({error}); pip install matplotlib, or leave --out away') from error

    def write(self, results):
        """Write benchmark.md, benchmark.json and benchmark.png."""
        try:
            (self.path / 'benchmark.md').write_text(markdown(results))
            (self.path / 'benchmark.json').write_text(json.dumps(results, indent=1) + '\n')
            draw(results, self.path / 'benchmark.png')
        except OSError as error:
            raise self.not_writable(error) from error


def draw(results, file):
    """Draw milliseconds a frame of every engine and peer, a panel for each size."""
    from matplotlib.figure import Figure

    sizes = results['sizes']
    names = list(dict.fromkeys(row['name'] for size in sizes for row in size['rows']))
    figure = Figure(figsize=(1.5 + 3.2 * len(sizes), 1.6 + 0.42 * len(names)),
                    layout='constrained')
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for panel, size in zip(panels, sizes):
        for architecture, offset, color in (('enet', -0.2, '#1f77b4'), ('segnet', 0.2, '0.65')):
            rows = {row['name']: row for row in size['rows']
                    if row['architecture'] == architecture}
            places = [place for place, name in enumerate(names) if name in rows]
            bars = panel.barh([place + offset for place in places],
                              [rows[names[place]]['median_ms'] for place in places], 0.4,
                              color=color, label=_NAMES[architecture])
            panel.bar_label(bars, fmt='%.3g', padding=2, fontsize=7)
        panel.set(title=f'{size["width"]}x{size["height"]}', xscale='log',
                  xlabel='ms a frame, median')
        panel.margins(x=0.25)
        panel.grid(axis='x', alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    panels[-1].legend(loc='lower right', fontsize=7)
    figure.savefig(file, dpi=120)


def _header(results):
    machine = results['machine']
    versions = ', '.join(f'{name} {version}' for name, version in machine['versions'].items())
    lines = [
        f'Command: `{results["command"]}`' if 'command' in results else '',
        f'Machine: {machine["processor"]}, {machine["cores"]} cores, '
        f'{"with" if machine["amx_bf16"] else "without"} AMX, {machine["memory_gib"]} GiB, '
        f'{machine["gpu"] or "no GPU"}; {machine["system"]}; {versions}',
        f'Model: `{results["model"]}`; the other network has random weights, which does not '
        'matter for speed but leaves its labels near ties, so that their agreement says little. '
        f'Threads: {results["threads"] or "one a core"}. Batch 1, frames of the synthetic street, '
        'from uint8 image to uint8 labels at the same size.',
    ]
    if results['seconds'] is None:
        lines.append('**This run did not come to its end: what is missing was not measured.**')
    if busy(machine):
        lines.append(f'**The machine was busy when this began (load {machine["load"]}): the '
                     'times are not to be relied on.**')
    return '\n\n'.join(line for line in lines if line)


def _targets(results):
    rows = [[target.text, _number(target.figure), {True: 'yes', False: '**no**', None: '-'}
             [target.reached], target.note or 'not measured'] for target in targets(results)]
    return '### Targets at 640x360\n\n' + _table(
        ['target', 'measured', 'reached', 'of'], rows, 1)


def _size(size):
    rows = {}
    for row in size['rows']:
        rows.setdefault(row['name'], {})[row['architecture']] = row
    lines = []
    for name, by_architecture in rows.items():
        enet, segnet = by_architecture.get('enet', {}), by_architecture.get('segnet', {})
        engine = (enet or segnet)['engine']
        lines.append([
            f'**{name}**' if engine else name,
            *_times(enet), _number(enet.get('frames_a_second')), *_beside_plain(enet),
            *_times(segnet), *_beside_plain(segnet), _number(enet.get('times_segnet'))])
    table = _table(['', 'ENet ms', 'p95', 'rounds', 'frames/s', 'x plain', 'labels = fp32',
                    'SegNet ms', 'p95', 'rounds', 'x plain', 'labels = fp32', 'ENet x SegNet'],
                   lines, 1)
    return f'### {size["width"]}x{size["height"]}\n\n{table}'


def _times(row):
    """Return the cells of a row's times; a row that is not there is empty."""
    return [_number(row.get('median_ms')), _number(row.get('p95_ms')), str(row.get('rounds', '-'))]


def _beside_plain(row):
    return [_number(row.get('times_plain')), _share(row.get('agreement'))]


def _camera(results):
    camera = results['camera']
    if not camera:
        return ''
    (width, height), (inner_width, inner_height) = camera['camera'], camera['network']
    rows = [[row['name'], _number(row['median_ms']), _number(row['p95_ms'])]
            for row in camera['rows']]
    return (f"### A camera's {width}x{height} bgr8 frame to labels, overlay and all masks at "
            f'{width}x{height}\n\n' + _table(['', 'ms', 'p95'], rows, 1)
            + f'\n\nThe network runs at {inner_width}x{inner_height}, ours on '
            f'{camera["engine"]}.')


def _alone(results):
    if not results['alone']:
        return ''
    rows = []
    for row in results['alone']:
        figures = ([f'failed: {row["error"]}', '', '', ''] if 'error' in row else
                   [_number(row[key]) for key in ('cold_start_s', 'warm_start_s',
                                                  'resident_mib', 'peak_mib')])
        rows.append([f'{_NAMES[row["architecture"]]}, {row["name"]}', *figures])
    width, height = results['alone'][0]['size']
    return (f'### Start-up and memory, {width}x{height}\n\n' + _table(
        ['a process with', 'first labels, cold, s', 'warm, s', 'resident MiB', 'peak MiB'],
        rows, 1) + '\n\nFrom the first import to the first labels. Cold: our cache folder is '
        "empty; the operating system's file cache is not. Resident: after some frames.")


def _costs(results):
    sizes = {(size['width'], size['height']): size['cost'] for size in results['sizes']}
    if not sizes:
        return ''
    width, height = PAPER_SIZE if PAPER_SIZE in sizes else next(iter(sizes))
    shown, comparable = sizes[width, height], (width, height) == PAPER_SIZE
    rows = []
    for name, title in _NAMES.items():
        cost, said = shown[name], paper.COSTS[name]
        rows.append([title, f'{cost["parameters"]:,}', f'{said.million_parameters} M',
                     f'{cost["gflops"]:.2f}', f'{said.gflops}' if comparable else '-',
                     f'{cost["fp16_mib"]:.2f}', f'{said.fp16_mb}'])
    enet, segnet = shown['enet'], shown['segnet']
    rows.append(['SegNet / ENet', f'{segnet["parameters"] / enet["parameters"]:.0f}',
                 f'{paper.ABSTRACT_PARAMETER_RATIO}', f'{segnet["gflops"] / enet["gflops"]:.0f}',
                 f'{paper.ABSTRACT_GFLOPS_RATIO}',
                 f'{segnet["fp16_mib"] / enet["fp16_mib"]:.0f}', '-'])
    return (f'### Size and work at {width}x{height}\n\n' + _table(
        ['', 'parameters', 'paper', 'GFLOPs', 'paper', 'fp16 MiB', 'paper'], rows, 1)
        + f'\n\n{paper.GFLOPS_NOTE}')


def _paper_times(results):
    rows = []
    ours = {(size['width'], size['height'], row['architecture']): row['median_ms']
            for size in results['sizes'] for row in size['rows']
            if row['name'] == results['default_engine']}
    for (board, width, height), times in paper.TIMES.items():
        if not any((width, height) == (size['width'], size['height'])
                   for size in results['sizes']):
            continue
        enet, segnet = times['enet'], times.get('segnet')
        rows.append([f'{width}x{height}', board, str(enet), _number(segnet),
                     _number(segnet and segnet / enet),
                     *(_number(ours.get((width, height, name))) for name in _NAMES)])
    if not rows:
        return ''
    default = results['default_engine']
    return ("### The paper's times beside ours\n\n" + _table(
        ['', "the paper's board", 'ENet ms', 'SegNet ms', 'ratio', f'ENet ms, here, {default}',
         f'SegNet ms, here, {default}'], rows, 2) + f'\n\n{paper.TIMES_NOTE}')


def _left_out(results):
    if not results['left_out']:
        return ''
    return '### Left out\n\n' + '\n'.join(
        f'- {left["what"]}: {left["reason"]}' for left in results['left_out'])


_NAMES = {'enet': 'ENet', 'segnet': 'SegNet'}


def _table(titles, rows, left):
    """Return a Markdown table whose first `left` columns stand left, the others right."""
    marks = ['---'] * left + ['---:'] * (len(titles) - left)
    return '\n'.join(f'| {" | ".join(row)} |' for row in (titles, marks, *rows))


def _number(value):
    """Return a figure with three or four digits that mean something; - for None."""
    if value is None:
        return '-'
    return f'{value:.0f}' if value >= 1000 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def _share(value):
    return '-' if value is None else f'{100 * value:.3f} %'
