"""What the core says, in a node's log."""

import logging

from enet_ros.logger import logger as core

core.setLevel(logging.INFO)


class CoreLog(logging.Handler):
    """Hands warnings and notices of the core to a node's logger, between open and close."""

    def __init__(self, logger):
        super().__init__(logging.INFO)
        self.logger = logger

    def open(self):
        core.addHandler(self)

    def close(self):
        core.removeHandler(self)
        super().close()

    def emit(self, record):
        # rclpy wants a line of its own for each severity.
        if record.levelno >= logging.WARNING:
            self.logger.warning(record.getMessage())
        else:
            self.logger.info(record.getMessage())
