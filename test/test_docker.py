"""What the Dockerfiles name exists; building them needs a network and is not tested."""

import configparser
import importlib.util
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKERFILES = sorted(ROOT.glob('docker/*Dockerfile'))


def instructions(file: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile and their arguments, without continuation lines."""
    text = re.sub(r'^#.*\n', '', file.read_text(), flags=re.MULTILINE).replace('\\\n', ' ')
    lines = [line for line in text.splitlines() if line.strip()]
    return [(name, rest) for name, _, rest in (line.partition(' ') for line in lines)]


def pip_packages(file: Path) -> set[str]:
    """Return the names of the packages that a Dockerfile installs by pip."""
    names = set()
    for name, arguments in instructions(file):
        if name == 'RUN':
            for command in arguments.split('&&'):
                words = shlex.split(command)
                if words[:2] == ['pip', 'install']:
                    words = words[4:] if words[2] == '--index-url' else words[2:]
                    names |= {re.split('[<=>]', word)[0] for word in words}
    return names


def test_there_are_dockerfiles():
    assert [file.name for file in DOCKERFILES] == ['Dockerfile', 'jetson.Dockerfile']


@pytest.mark.parametrize('file', DOCKERFILES, ids=lambda file: file.name)
class TestDockerfile:
    def test_copied_files_exist(self, file):
        sources = [arguments.split()[0] for name, arguments in instructions(file)
                   if name == 'COPY']
        assert sources and all((ROOT / source).exists() for source in sources)
        assert os.access(ROOT / 'docker/entrypoint.sh', os.X_OK)

    def test_pip_installs_declared_packages_only(self, file):
        config = configparser.ConfigParser()
        config.read(ROOT / 'setup.cfg')
        groups = [config['options']['install_requires'],
                  *config['options.extras_require'].values()]
        declared = set(re.findall(r'^[A-Za-z0-9-]+', '\n'.join(groups), re.MULTILINE))
        names = pip_packages(file)
        assert {'numpy', 'safetensors'} <= names <= declared | {'onnxruntime-gpu'}

    def test_runs_a_launch_file_as_a_user_without_privileges(self, file):
        found = dict(instructions(file))
        assert found['USER'] == 'enet'
        *_, launch_file = re.findall(r'"([^"]*)"', found['CMD'])
        assert (ROOT / 'launch' / launch_file).is_file()

    def test_sh_can_source_ros(self, file, tmp_path):
        """Images in the format OCI have no SHELL: all commands run in sh."""
        package = importlib.util.find_spec('ament_package')
        if package is None:
            pytest.skip('needs ament_package')
        prefix = Path(package.origin).parent / 'template/prefix_level'
        for name in 'setup.bash', 'setup.sh.in':
            (tmp_path / name.removesuffix('.in')).write_text((prefix / name).read_text().replace(
                '@SKIP_PARENT_PREFIX_PATH@', '').replace('@CMAKE_INSTALL_PREFIX@', str(tmp_path)))
        (tmp_path / 'local_setup.sh').write_text('echo sourced')
        run, = (text for name, text in instructions(file) if name == 'RUN' and 'colcon' in text
                and 'setup.' in text)
        command = re.sub('/opt/ros/(humble|\\$ROS_DISTRO)', str(tmp_path), run.split('&&')[0])
        output = subprocess.check_output(['sh', '-ec', command], text=True,
                                         env={'PATH': os.environ['PATH']})
        assert 'SHELL' not in dict(instructions(file)) and output == 'sourced\n'
