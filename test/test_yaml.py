"""YAML files that are damaged or hostile."""

import datetime

import pytest

from enet_ros.errors import BadInput
from enet_ros.yaml_data import MAX_YAML_BYTES, read_yaml
from enet_ros.yaml_loader import MAX_DEPTH, load_yaml


def refusal(text):
    """Return the line with which a YAML text is refused."""
    with pytest.raises(BadInput) as caught:
        load_yaml(text if isinstance(text, bytes) else text.encode(), 'a.yaml')
    assert str(caught.value).isprintable() and str(caught.value).startswith('a.yaml')
    return str(caught.value)


def nested(levels):
    return '[' * levels + ']' * levels


def test_plain_data_is_read():
    text = 'a: [1, -0x10, 2.5, .inf, yes, ~, text]\nb: {c: 2026-01-02}\n'
    assert load_yaml(text.encode(), '') == {
        'a': [1, -16, 2.5, float('inf'), True, None, 'text'],
        'b': {'c': datetime.date(2026, 1, 2)}}


def test_a_byte_order_mark_is_skipped():
    assert load_yaml(b'\xef\xbb\xbfa: 1', '') == {'a': 1}


def test_references_that_could_multiply_are_refused():
    levels = [f'a{level}: &a{level} [{", ".join([f"*a{level - 1}"] * 9)}]'
              for level in range(1, 12)]
    assert refusal('\n'.join(['a0: &a0 x', *levels])).startswith(
        'a.yaml, line 2: *a0 refers to an earlier value')


def test_an_anchor_without_a_reference_is_read():
    assert load_yaml(b'a: &name 1', '') == {'a': 1}


def test_depth_is_limited():
    assert load_yaml(nested(MAX_DEPTH).encode(), '') is not None
    assert f'nests deeper than {MAX_DEPTH} levels' in refusal(nested(MAX_DEPTH + 1))
    assert f'nests deeper than {MAX_DEPTH} levels' in refusal(nested(40_000))


@pytest.mark.parametrize('number', [
    '9' * 50, '9' * 5000, '0x' + 'f' * 50_000, '-9223372036854775809', ':'.join(['59'] * 30_000),
    ':'.join(['1'] * 30_000) + '.5', f'1.{"1" * 200}'], ids=lambda number: number[:12])
def test_numbers_have_64_bits(number):
    assert 'line 2: the number' in refusal(f'a: 1\nb: {number}\n')


@pytest.mark.parametrize('text', [
    'a: 2001-99-99', 'a: !!timestamp x', 'a: !!int x', 'a: !!float x', 'a: !!bool maybe',
    'a: !!binary "abc"', '{[1]: 2}', '? {a: 1}\n: 2', 'a: !!python/name:os.system',
    'a: !!set [1]', 'a: 1\n--- \nb: 2', b'\xff\xfea\0', b'a: \x00', 'a: "\\uD800', '\t- x',
    '%TAG ! x\n---\na: !y'])
def test_other_text_is_no_yaml(text):
    assert refusal(text).startswith('a.yaml is not YAML: ')


def test_an_entry_that_appears_twice_is_refused():
    assert "from line 2 on: 'b' appears twice" in refusal('a:\n  b: 1\n  b: 2\n')
    assert load_yaml(b'a: 1\na: 2', '', unique=False) == {'a': 2}


def test_a_mapping_with_many_entries_is_read_in_linear_time():
    entries = {f'k{number}': number for number in range(8000)}
    text = '\n'.join(f'{name}: {number}' for name, number in entries.items())
    assert load_yaml(text.encode(), '') == entries


def test_the_length_of_a_file_is_limited(tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_text('a: ' + 'x' * (MAX_YAML_BYTES - 3))
    assert list(read_yaml(path)) == ['a']
    path.write_text('a: ' + 'x' * MAX_YAML_BYTES)
    with pytest.raises(BadInput, match='longer than the 100,000 bytes'):
        read_yaml(path)


@pytest.mark.parametrize('path', ['missing.yaml', '.', 'a\0b', '/dev/zero'])
def test_what_is_no_file_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match='cannot read|longer than'):
        read_yaml(path)
