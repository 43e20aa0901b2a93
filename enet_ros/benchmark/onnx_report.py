"""The report of the comparison of an ONNX network: Markdown, JSON and a chart."""

from pathlib import PurePath

from enet_ros.benchmark.chart import Bar
from enet_ros.benchmark.report import ReportFolder, busy_warning, machine_text, table
from enet_ros.benchmark.results import OnnxResults, OnnxSizeResult


def onnx_markdown(results: OnnxResults) -> str:
    """Return the results of a comparison as Markdown."""
    machine = results['machine']
    parts = [f'Command: `{results["command"]}`'] if results['command'] else []
    parts.append(f'{results["model"]}, {results["classes"]} classes of {results["label_set"]}. '
                 f'Machine: {machine_text(machine)}. Threads: '
                 f'{results["threads"] or "one per core"}. From uint8 image to uint8 labels; all '
                 'candidates took turns.')
    parts.append(busy_warning(machine))
    parts += [f'### {_title(size)}\n\n{_rows(size)}' for size in results['sizes']]
    if results['skipped']:
        parts.append('\n'.join(f'- {skipped["name"]}: {skipped["reason"]}'
                               for skipped in results['skipped']))
    return '\n\n'.join(part for part in parts if part) + '\n'


def write_onnx_report(folder: ReportFolder, results: OnnxResults) -> None:
    """Write benchmark.md, benchmark.json and benchmark.png."""
    network = PurePath(results['model']).name
    folder.write_files(onnx_markdown(results), results, {
        _title(size): [Bar(network, row['name'], row['median_ms']) for row in size['rows']]
        for size in results['sizes']})


def _title(size: OnnxSizeResult) -> str:
    return f'{size["width"]}x{size["height"]}'


def _rows(size: OnnxSizeResult) -> str:
    """Return a table of the candidates."""
    rows = [[row['name'], f'{row["median_ms"]:.1f}', f'{row["p95_ms"]:.1f}', str(row['rounds']),
             f'{row["time_relative_to_by_hand"]:.3f}',
             '' if row['agreement'] is None else f'{row["agreement"]:.3%}']
            for row in size['rows']]
    return table(['', 'ms', 'p95', 'rounds', 'time relative to by hand', 'labels as by hand'],
                 rows, 1)
