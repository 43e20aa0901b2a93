"""Recipes from YAML files."""

from dataclasses import fields

from enet_ros.config import Recipe, require
from enet_ros.errors import BadInput
from enet_ros.models.registry import find_architecture
from enet_ros.paths import share_folder, user_path
from enet_ros.yaml_data import read_yaml, refuse_unknown

DEFAULT = 'best'


def load_recipe(name=DEFAULT, changes=None):
    """Return the Recipe of a file or of a shipped recipe's name, with `changes` by field.

    What the file does not name is as in the default recipe. Raise BadInput for a file that is
    missing or not YAML, and for fields and values that a recipe does not have.
    """
    recipe = Recipe(**{**_read(DEFAULT), **_read(name), **(changes or {})})
    _require_trainable(recipe)
    return recipe


def _require_trainable(recipe):
    """Raise BadInput if the recipe's architecture is unknown or lacks its training stages."""
    if find_architecture(recipe.architecture).network.encoder_features is None:
        for field in ('encoder_epochs', 'encoder_weight'):
            value = getattr(recipe, field)
            require(not value, field, value, f'it must be 0 for {recipe.architecture}, whose '
                    'encoder has no head')


def recipe_files():
    """Return the shipped recipes' files by name."""
    folder = share_folder() / 'config/train'
    return {path.stem: path for path in sorted(folder.glob('*.yaml'))}


def _read(name):
    path = recipe_files().get(name) or user_path(name)
    if not path.is_file():
        raise BadInput(f'recipe {name} does not exist; give a .yaml file or one of '
                       f'{", ".join(recipe_files())}')
    values, kinds = read_yaml(path), {item.name: item.type for item in fields(Recipe)}
    refuse_unknown(values, kinds, path)
    for key, value in values.items():
        if kinds[key] is float and type(value) is int:
            values[key] = float(value)
        elif type(value) is not kinds[key]:
            raise BadInput(f'{path}: {key} is {value!r}, where {kinds[key].__name__} is wanted; '
                           'see best.yaml for an example')
    return values
