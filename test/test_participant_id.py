"""The DDS participant IDs of processes, and the ports of a node that replaces a killed one."""

import os
import random
import re
import signal
import tempfile
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from enet_ros.ros.participant_id import IDS, VARIABLES, own_participant_id

PROFILE = Path(__file__).parents[1] / 'config/fastdds.xml'


def shared_memory_ports(process):
    """Return the ports in whose shared memory a process receives."""
    links = [os.readlink(file) for file in Path(f'/proc/{process.process.pid}/fd').iterdir()]
    return {port for link in links for port in re.findall(r'/dev/shm/fast\w+_port(\d+)_el', link)}


def test_killed_nodes_are_replaced_by_nodes_with_other_ports(start_node, probe):
    ports = []
    for _ in range(4):  # one time in 8000 all get the same ports
        node = start_node('freespace_node')
        probe.state('/freespace_node')  # its participant exists
        ports.append(shared_memory_ports(node))
        node.stop(signal.SIGKILL)
    if not any(ports):
        pytest.skip('needs the shared-memory transport of Fast DDS')
    assert len({frozenset(each) for each in ports}) > 1


@pytest.mark.parametrize('variable', VARIABLES)
def test_the_profile_gets_the_id(monkeypatch, variable):
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(variable, str(PROFILE))
    monkeypatch.setattr(random, 'randrange', {IDS: 7}.get)
    with own_participant_id():
        file = Path(os.environ[variable])
        before, after = PROFILE.read_text(), file.read_text()
    assert after == before.replace('<!-- participantID -->', '<participantID>7</participantID>')
    assert after != before
    assert os.environ[variable] == str(PROFILE) and not file.exists()


def test_a_full_disk_is_reported(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv(VARIABLES[0], str(PROFILE))
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, 'tempdir', str(tmp_path / 'none'))
        with own_participant_id():
            assert os.environ[VARIABLES[0]] == str(PROFILE)
    assert 'cannot write a temporary file' in capfd.readouterr().err


@pytest.mark.parametrize('content', [None, b'', b'<dds/>', b'\xff'])
def test_other_profiles_stay(monkeypatch, tmp_path, content):
    file = tmp_path / 'own.xml'
    if content is not None:
        file.write_bytes(content)
    for each in VARIABLES:
        monkeypatch.setenv(each, str(file))
    with own_participant_id():
        assert {os.environ[each] for each in VARIABLES} == {str(file)}
