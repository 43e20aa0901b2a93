"""The DDS domains of demos, benchmarks and tests."""

import os
import subprocess
import sys

import pytest

from enet_ros.ros.demo.domain import DOMAINS, claim_domain

CLAIM = 'from enet_ros.ros.demo.domain import claim_domain; print(claim_domain(), flush=True)'


@pytest.fixture
def claims():
    """Return a function that claims a domain in a process of its own, which then waits."""
    running = []

    def claim():
        running.append(subprocess.Popen(
            [sys.executable, '-c', f'{CLAIM}; input()'], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}))
        return int(running[-1].stdout.readline())

    yield claim
    for process in running:
        process.communicate('\n', timeout=60)


def test_no_two_processes_have_a_domain(claims, monkeypatch):
    first = claims()
    # The one that this process would get, were the process IDs all that counts.
    monkeypatch.setattr(os, 'getpid', lambda: DOMAINS.index(first))
    assert claim_domain() not in (first, claims())


def test_the_domain_of_the_robot_is_left_to_it(monkeypatch):
    monkeypatch.setattr(os, 'getpid', lambda: 40)
    monkeypatch.setenv('ROS_DOMAIN_ID', str(DOMAINS[40]))
    assert claim_domain() != DOMAINS[40]
