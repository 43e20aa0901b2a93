"""The message of BadInput is one line."""

import pickle

import pytest

from enet_ros.errors import MAX_LINE, BadInput, printable


@pytest.mark.parametrize('text, line', [
    ('name is ümlaut; rename it', 'name is ümlaut; rename it'),
    ('two\nlines', r'two\nlines'), ('\x1b[2J', r'\x1b[2J'), ('\ud800', r'\ud800'),
    ('a\u2028b\0', r'a\u2028b\x00')])
def test_control_characters_are_escaped(text, line):
    assert str(BadInput(text)) == printable(text) == line


def test_the_middle_of_a_long_message_is_left_out():
    line = str(BadInput(f'groups is {"[" * 100_000}; write a list'))
    assert len(line) <= MAX_LINE
    assert line.startswith('groups is [') and line.endswith('; write a list') and ' ... ' in line


def test_it_can_be_sent_to_another_process():
    assert str(pickle.loads(pickle.dumps(BadInput('a\nb')))) == r'a\nb'
