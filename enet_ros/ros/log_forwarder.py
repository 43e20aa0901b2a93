"""Log records of the core in a node's log."""

import logging

from rclpy.impl.rcutils_logger import RcutilsLogger

from enet_ros.logger import logger as core

core.setLevel(logging.INFO)


class LogForwarder(logging.Handler):
    """Forwards the core's log records to a node's logger, from `open` to `close`."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__(logging.INFO)
        self._logger = logger

    def open(self) -> None:
        """Start forwarding."""
        core.addHandler(self)

    def close(self) -> None:
        """Stop forwarding."""
        core.removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; rclpy wants one call site for each severity."""
        if record.levelno >= logging.WARNING:
            self._logger.warning(record.getMessage())
        else:
            self._logger.info(record.getMessage())
