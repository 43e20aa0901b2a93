"""Files that stand for far more data than they hold, or hold values that no writer writes."""

import io
import json
import logging
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from enet_ros.engines.tuning_file import load_tuning
from enet_ros.errors import BadInput
from enet_ros.json_data import parse_json
from enet_ros.label_space.palette import MAX_BYTES, read_palette
from enet_ros.labels import CAMVID, LabelClass, LabelSet
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint_import import import_checkpoint
from enet_ros.models.info import describe, text
from enet_ros.training.run_state import FORMAT_VERSION, read_state
from enet_ros.training.teacher_predictions import TeacherPredictions

SHAPE = 4, 6, 2


def refusal(function, *arguments):
    with pytest.raises(BadInput) as caught:
        function(*arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


# Text and names.


@pytest.mark.parametrize('name', ['a' * 101, 'Ro\nad', '\x1b[2J', '\ud800', '\u2028'])
def test_names_are_short_and_printable(name):
    assert 'at most 100 characters' in refusal(LabelSet, 'own', (LabelClass(name, (0, 0, 0)),))
    assert 'label set' in refusal(LabelSet, name, (LabelClass('Road', (0, 0, 0)),))


@pytest.mark.parametrize('data, problem', [
    ('[1, 9999999999999999999]', 'integer of 19 digits'), ('9' * 5000, 'integer of 5000 digits')])
def test_json_has_integers_of_64_bits(data, problem):
    with pytest.raises(ValueError, match=problem):
        parse_json(data)


def test_json_has_finite_numbers():
    assert parse_json('[1e999, -1e999, 1e9, -5]') == [None, None, 1e9, -5]


def test_a_palette_has_a_limit(tmp_path):
    (tmp_path / 'a.csv').write_bytes(b'name,r,g,b\n' + b'x' * MAX_BYTES)
    assert 'longer than the 1,000,000 bytes' in refusal(read_palette, tmp_path / 'a.csv')
