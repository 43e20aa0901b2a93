"""Label sets in YAML files."""

from pathlib import Path

from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELLED, LabelSet

CLASS_ENTRIES = ('name', 'color', 'drivable', 'id')


def read_label_set(path):
    """Return the LabelSet of a YAML file with name, classes and, if need be, void_id.

    The file may hold more, as that of a data set does. Raise BadInput, which names the entry,
    for mistakes.
    """
    return label_set(read_yaml(path), path)


def read_yaml(path):
    """Return the entries of a YAML file, a dict."""
    try:
        import yaml
    except ImportError as error:
        raise BadInput(f'reading {path} needs the package PyYAML; pip install pyyaml') from error
    try:
        data = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise BadInput(f'cannot read {path}: {error.strerror}; name a YAML file') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f'{path} is not YAML: {" ".join(str(error).split())}') from error
    if not isinstance(data, dict):
        raise BadInput(f'{path} holds no entries; write them as name: value')
    return data


def refuse_unknown(entries, known, where):
    """Raise BadInput for the first key of `entries` that is not among the known."""
    for key in entries:
        if key not in known:
            raise BadInput(f'{where}: entry {key!r} is not known; known are {", ".join(known)}')


def label_set(data, path):
    """Return the LabelSet among a YAML file's entries."""
    ids, void = file_ids(data, path)
    # The label set's void id is told among ids that count the classes.
    void = void if ids == list(range(len(ids))) else UNLABELLED
    try:
        labels = LabelSet.from_dict({**data, 'void_id': void})
    except BadInput as error:
        raise BadInput(f'{path}: {error}') from error
    names = {}
    for label in labels.classes:
        if (other := names.setdefault(label.color, label.name)) != label.name:
            raise BadInput(f'{path}: classes {other!r} and {label.name!r} have one color, '
                           f'{list(label.color)}; give each its own')
    return labels


def file_ids(data, path):
    """Return (ids, void id) of label files that a YAML file's entries tell, a class's place being
    its id by default.
    """
    classes = data.get('classes')
    if not isinstance(classes, list) or not all(isinstance(entry, dict) for entry in classes):
        raise BadInput(f'{path}: classes must be a list of entries like '
                       '{name: floor, color: [128, 64, 128]}')
    for place, entry in enumerate(classes):
        refuse_unknown(entry, CLASS_ENTRIES, f'{path}, class {place}')
    owner = {}
    for place, entry in enumerate(classes):
        number = _id(entry.get('id', place), f'{path}, class {entry.get("name")!r}: id')
        if number in owner:
            raise BadInput(f'{path}: classes {owner[number]!r} and {entry.get("name")!r} both '
                           f'have id {number}; give each its own')
        owner[number] = entry.get('name')
    void = _id(data.get('void_id', UNLABELLED), f'{path}: void_id')
    if void in owner:
        raise BadInput(f'{path}: void_id {void} is also the id of class {owner[void]!r}; change '
                       'it, or give the classes the ids that they have in label files (id: 1)')
    return list(owner), void


def _id(value, what):
    if type(value) is not int or not 0 <= value <= UNLABELLED:
        raise BadInput(f'{what} is {value!r}; it must be a number from 0 to {UNLABELLED}')
    return value
