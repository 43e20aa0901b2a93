"""The files that define the values and colors of published label images."""

from dataclasses import dataclass

from enet_ros.config import LabelSpaceConfig
from enet_ros.label_space.groups import Groups, read_groups
from enet_ros.label_space.id_table import IdTable, read_id_table
from enet_ros.label_space.palette import Palette, read_palette


@dataclass(frozen=True)
class LabelSpaceFiles:
    """The contents of the files that a LabelSpaceConfig names; None for those it does not."""

    label_ids: str
    groups: Groups | None = None
    table: IdTable | None = None
    palette: Palette | None = None


def read_files(config: LabelSpaceConfig) -> LabelSpaceFiles:
    """Read the files that a LabelSpaceConfig names; raise BadInput, which names the file."""
    return LabelSpaceFiles(
        config.label_ids,
        read_groups(config.groups) if config.groups else None,
        read_id_table(config.label_table) if config.label_ids == 'mapped' else None,
        read_palette(config.palette) if config.palette else None)
