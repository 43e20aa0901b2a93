"""The documentation: generated pages are current, links lead somewhere, Sphinx has no warnings."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *(ROOT / 'docs').glob('*.md')])


def test_the_parameters_page_is_current():
    subprocess.run([sys.executable, ROOT / 'docs/parameters_page.py', '--check'], check=True,
                   timeout=60)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_local_links_exist(page):
    for target in re.findall(r'\]\(([^)#\s]+)', page.read_text()):
        if '://' not in target:
            assert (page.parent / target).exists(), f'{page.name} links to {target}'


def test_the_readme_is_short():
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 130


@pytest.mark.skipif(not find_spec('sphinx') or not find_spec('myst_parser'),
                    reason='needs sphinx and myst-parser: pip install .[docs]')
def test_sphinx_builds_without_warnings(tmp_path):
    result = subprocess.run(
        [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', ROOT / 'docs', tmp_path],
        capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
