"""The licenses of all packages that an installation brings."""

import configparser
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

packaging = pytest.importorskip('packaging.requirements')
ROOT = Path(__file__).parent.parent
PERMISSIVE = re.compile(r'\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|BSL-1\.0|'
                        r'Boost|CC0|Unlicense|Public Domain)\b', re.IGNORECASE)
FILE_COPYLEFT = re.compile(r'\b(MPL|Mozilla Public License)', re.IGNORECASE)
REFUSED = re.compile(r'\b(A?GPL|GNU (Affero )?General Public|non-?commercial|proprietary)',
                     re.IGNORECASE)
# Extras that build and test this package, which are not part of an installation.
DEVELOPMENT = {'test', 'docs'}
# Packages whose metadata do not tell, with what their license files say.
CHECKED_BY_HAND = {
    'apsw': 'any OSI license, as its author writes; needed by rosbags',
    'setuptools': 'MIT',
    'typing': 'PSF',
}


def declared() -> list:
    """Return the requirements of an installation with all extras."""
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    extras = config['options.extras_require']
    groups = [config['options']['install_requires'],
              *(extras[name] for name in extras if name not in DEVELOPMENT)]
    return [packaging.Requirement(line) for line in '\n'.join(groups).split('\n') if line]


def installed_closure() -> dict[str, str]:
    """Return what the metadata of each required package say of its license, by its name."""
    licenses: dict[str, str] = {}
    queue = declared()
    while queue:
        name = queue.pop().name.lower().replace('_', '-')
        if name in licenses:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that this environment lacks
        metadata = package.metadata
        classifiers = [line.split('::')[-1] for line in metadata.get_all('Classifier') or []
                       if line.startswith('License ::')]
        texts = [metadata.get('License-Expression'), (metadata.get('License') or '')[:200]]
        licenses[name] = ' | '.join(text.strip() for text in [*texts, *classifiers] if text)
        for line in package.requires or []:
            requirement = packaging.Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({'extra': ''}):
                queue.append(requirement)
    return licenses


def verdict(name: str, text: str) -> str:
    """Return why a license is not acceptable, or an empty string."""
    if name in CHECKED_BY_HAND:
        return ''
    if REFUSED.search(text):
        return f'{name}: {text}'
    if PERMISSIVE.search(text) or FILE_COPYLEFT.search(text):
        return ''
    return f'{name}: no known license in "{text}"'


def test_all_dependencies_have_a_permissive_license():
    licenses = installed_closure()
    assert {'numpy', 'safetensors', 'opencv-python-headless'} <= set(licenses)
    assert [why for name, text in licenses.items() if (why := verdict(name, text))] == []


@pytest.mark.parametrize('text', ['GPL-3.0-only', 'GNU Affero General Public License v3', '',
                                  'Free for non-commercial use', 'NVIDIA Proprietary Software'])
def test_other_licenses_are_refused(text):
    assert verdict('package', text)
