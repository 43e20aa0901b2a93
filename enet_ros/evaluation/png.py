"""Figures of matplotlib as PNG."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png(figure: 'Figure', **options: Any) -> bytes:
    """Return a figure as PNG; options are those of `savefig`."""
    data = BytesIO()
    figure.savefig(data, format='png', **options)
    return data.getvalue()
