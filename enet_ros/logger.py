"""The logger of the core. Nodes forward its messages to their own log."""

import logging

logger = logging.getLogger('enet_ros')
# Where launch or launch_testing was imported before, new loggers do not propagate by default.
logger.propagate = True
