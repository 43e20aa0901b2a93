"""The bar chart of frame times."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

from enet_ros.evaluation.png import png

COLORS = '#1f77b4', '0.65', '#ff7f0e', '#2ca02c', '#9467bd'  # of the networks

LOG_FROM = 10  # ratio of the longest to the shortest time


class Bar(NamedTuple):
    """The median time of a frame in milliseconds, of one network on one candidate."""

    network: str
    candidate: str
    milliseconds: float


def draw_chart(panels: Mapping[str, Sequence[Bar]]) -> bytes:
    """Return a panel of horizontal bars for each title, as PNG. Candidates are in rows.

    The axis is logarithmic if the times differ much.
    """
    from matplotlib.figure import Figure

    bars = [bar for panel in panels.values() for bar in panel]
    candidates = list(dict.fromkeys(bar.candidate for bar in bars))
    networks = list(dict.fromkeys(bar.network for bar in bars))
    times = [bar.milliseconds for bar in bars]
    scale = 'log' if max(times) > LOG_FROM * min(times) else 'linear'
    bar_height = 0.8 / len(networks)
    figure = Figure(figsize=(1.5 + 3.2 * len(panels),
                             1.6 + 0.21 * len(networks) * len(candidates)),
                    layout='constrained')
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, (title, shown) in zip(axes, panels.items()):
        for index, (network, color) in enumerate(zip(networks, cycle(COLORS))):
            offset = (index + 0.5) * bar_height - 0.4
            own = [bar for bar in shown if bar.network == network]
            drawn = panel.barh([candidates.index(bar.candidate) + offset for bar in own],
                               [bar.milliseconds for bar in own], bar_height, color=color,
                               label=network)
            panel.bar_label(drawn, fmt='%.3g', padding=2, fontsize=7)
        panel.set(title=title, xscale=scale, xlabel='median, ms per frame')
        panel.margins(x=0.25)
        panel.grid(axis='x', alpha=0.3)
    axes[0].set_yticks(range(len(candidates)), candidates)
    axes[0].invert_yaxis()
    if len(networks) > 1:
        axes[-1].legend(loc='lower right', fontsize=7)
    return png(figure, dpi=120)
