#!/bin/bash
# Runs a command with ROS 2 and enet_ros in its environment.
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /workspace/install/setup.bash
exec "$@"
