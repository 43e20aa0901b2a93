"""What the core says, in a node's log."""

import logging

CORE = logging.getLogger('enet_ros')  # engines tell it of builds and caches
CORE.setLevel(logging.INFO)


class CoreLog(logging.Handler):
    """Hands warnings and notices of the core to a node's logger, between open and close."""

    def __init__(self, logger):
        super().__init__(logging.INFO)
        self.logger = logger

    def open(self):
        CORE.addHandler(self)

    def close(self):
        CORE.removeHandler(self)
        super().close()

    def emit(self, record):
        # rclpy wants a line of its own for each severity.
        if record.levelno >= logging.WARNING:
            self.logger.warning(record.getMessage())
        else:
            self.logger.info(record.getMessage())
