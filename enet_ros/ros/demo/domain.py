"""The DDS domains of programs whose nodes must not meet those of others."""

import os
import socket

# The ports of higher domains overlap those that Linux gives to outgoing connections.
DOMAINS = range(1, 101)
_claims: list[socket.socket] = []


def claim_domain() -> int:
    """Return a ROS_DOMAIN_ID that is not the robot's, and claim it until this process ends.

    No other caller in the same network namespace gets it: the claim is a Unix socket in the
    abstract namespace, which needs no file and ends with the process.

    Raises:
        RuntimeError: all are claimed.
    """
    robot = os.environ.get('ROS_DOMAIN_ID')
    for offset in range(len(DOMAINS)):
        domain = DOMAINS[(os.getpid() + offset) % len(DOMAINS)]
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f'\0enet_ros domain {domain}')
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        if str(domain) != robot:
            return domain
    raise RuntimeError(f'all DDS domains from {DOMAINS[0]} to {DOMAINS[-1]} are claimed: end some '
                       'of the demos, tests and benchmarks that run')
