"""Recipes from YAML files."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from enet_ros.config import Recipe, require
from enet_ros.errors import BadInput
from enet_ros.models.registry import find_architecture
from enet_ros.paths import share_folder, user_path
from enet_ros.yaml_data import read_yaml, refuse_unknown

DEFAULT = 'best'
RENAMED = {'iou_share': 'iou_weight', 'encoder_share': 'encoder_weight', 'drop_out': 'dropout',
           'normalisation': 'normalization'}


def load_recipe(name: str | Path = DEFAULT, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Return the Recipe of a file or of a shipped recipe's name, with `changes` by field.

    Fields that the file lacks have the values of the default recipe. Raise BadInput for a file
    that is missing or not YAML, and for unknown fields and invalid values.
    """
    recipe = Recipe(**{**_read(DEFAULT), **_read(name), **(changes or {})})
    _require_trainable(recipe)
    return recipe


def recipe_files() -> dict[str, Path]:
    """Return the shipped recipes' files by name."""
    folder = share_folder() / 'config/train'
    return {path.stem: path for path in sorted(folder.glob('*.yaml'))}


def _require_trainable(recipe: Recipe) -> None:
    """Raise BadInput if the recipe's architecture is unknown or lacks its training stages."""
    if find_architecture(recipe.architecture).network.encoder_features is None:
        for field in ('encoder_epochs', 'encoder_weight'):
            value = getattr(recipe, field)
            require(not value, field, value, f'it must be 0 for {recipe.architecture}, which '
                    'cannot be trained in two stages')


def _read(name: str | Path) -> dict[str, Any]:
    """Return the fields that a recipe file sets."""
    path = recipe_files().get(str(name)) or user_path(name)
    if not path.is_file():
        raise BadInput(f'recipe {name} does not exist; give a .yaml file or one of '
                       f'{", ".join(recipe_files())}')
    values = read_yaml(path)
    types = get_type_hints(Recipe)
    refuse_unknown(values, [item.name for item in fields(Recipe)], str(path), RENAMED)
    for key, value in values.items():
        if types[key] is float and type(value) is int:
            values[key] = float(value)
        elif type(value) is not types[key]:
            raise BadInput(f'{path}: {key} is {value!r}; it must be of type '
                           f'{types[key].__name__}, as in best.yaml')
    return values
