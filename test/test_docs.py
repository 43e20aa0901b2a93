"""The documentation: pages are current, links and commands are valid, Sphinx has no warnings."""

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml
from doc_blocks import LANGUAGES, PAGES, ROOT, blocks, page_name
from test_config_file import SETTINGS

from enet_ros import cli


def test_the_parameters_page_is_current():
    subprocess.run([sys.executable, ROOT / 'docs/parameters_page.py', '--check'], check=True,
                   timeout=60)


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_local_links_exist(page):
    for target in re.findall(r'\]\(([^)#\s]+)', page.read_text()):
        if '://' not in target:
            assert (page.parent / target).exists(), f'{page_name(page)} links to {target}'


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_code_blocks_are_run_or_say_why_not(page):
    """test_doc_commands.py runs those without a reason."""
    text, found = page.read_text(), blocks(page)
    assert len(re.findall('^ *```', text, re.M)) == 2 * len(found), 'a fence is not recognized'
    assert text.count('<!-- not run') == sum(bool(block.not_run) for block in found)
    assert text.count('<!-- file') == sum(bool(block.file) for block in found)
    for block in found:
        assert block.language in LANGUAGES, f'{block.place}: name the language of the block'
        if block.language == 'yaml':
            assert isinstance(yaml.safe_load(block.text), dict), block.place
        if block.not_run:
            assert block.language in ('sh', 'python'), f'{block.place} is no command'
            for file in re.findall(r'test/\w+\.py', block.not_run):
                assert (ROOT / file).is_file(), f'{block.place} names {file}'


def commands(page):
    """Return the command lines of a page: those of code blocks, and those in a sentence."""
    text = page.read_text()
    lines = [shlex.join(words) for block in blocks(page) if block.language == 'sh'
             for words in block.commands()]
    return [*lines, *re.findall(r'`([^`]+)`', re.sub(r'```.*?```', '', text, flags=re.S))]


def words(pattern):
    """Return the words of the command lines of all pages that match a pattern."""
    return [pytest.param(found, id=f'{page_name(page)}: {" ".join(found)}')
            for page in PAGES for line in commands(page) if re.match(pattern, line)
            if (found := shlex.split(line, comments=True))]


@pytest.mark.parametrize('command', words(r'enet [a-z0-9-]+ .*(--|/|\.)'))
def test_enet_has_the_options_of_its_commands(command, capsys):
    try:
        cli._parser().parse_args([word for word in command[1:] if word != '...'])
    except SystemExit:
        # In sentences, what is not spoken of is left out.
        assert re.search('required|expected', capsys.readouterr().err)


@pytest.mark.parametrize('command', words(r'(scripts/run )?python benchmarks/\S+\.py'))
def test_scripts_exist(command):
    for word in command:
        if word.endswith('.py'):
            assert (ROOT / word).is_file()


@pytest.mark.parametrize('command', words(r'make [a-z]'))
def test_make_has_the_targets(command):
    targets = re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.M)
    assert command[1] in targets


@pytest.mark.parametrize('command', words(r'ros2 launch enet_ros '))
def test_launch_files_have_the_arguments(command):
    file = ROOT / 'launch' / command[3]
    known = re.findall(r"^    '([a-z_]+)': \(", file.read_text()
                       + (ROOT / 'enet_ros/ros/launch_actions.py').read_text(), re.M)
    for word in command[4:]:
        name, is_argument, _ = word.partition(':=')
        assert not is_argument or name in known


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_parameters_exist(page):
    known = {name for _, name in SETTINGS}
    groups = '|'.join({name.split('.')[0] for name in known if '.' in name})
    text = page.read_text()
    found = [*re.findall(rf'`((?:{groups})\.[a-z_.]+)(?=`|: )', text),
             *re.findall(r'ros2 param set /\w+ (\S+)', text)]
    assert not [name for name in found if name not in known and not name.endswith('.yaml')]


def test_the_readme_is_short():
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 130


@pytest.mark.skipif(not find_spec('sphinx') or not find_spec('myst_parser'),
                    reason='needs sphinx and myst-parser: pip install .[docs]')
def test_sphinx_builds_without_warnings(tmp_path):
    result = subprocess.run(
        [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', ROOT / 'docs', tmp_path],
        capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
