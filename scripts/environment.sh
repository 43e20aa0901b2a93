# Sourced by setup and run. Decides which Python and which ROS 2 this checkout uses and where its
# environment lies: sets root, python, distro, kind (installed or wheels), work, venv and prefix.

fail() {
  echo "enet_ros: $*" >&2
  exit 1
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

python=$(command -v "${PYTHON:-python3}") ||
  fail "there is no ${PYTHON:-python3}; install Python 3.10 or newer, or name it: PYTHON=python3.11"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
  fail "$python does not start (see above); name another: PYTHON=python3.11"
[[ $version =~ ^3\.[1-9][0-9]$ ]] ||
  fail "$python is Python $version, but 3.10 or newer is needed; name another: PYTHON=python3.11"

# ROS 2 is sourced where AMENT_PREFIX_PATH names more than this checkout's own environments.
distro=${ROS_DISTRO:-jazzy}
kind=wheels
IFS=: read -ra prefixes <<<"${AMENT_PREFIX_PATH:-}"
for path in "${prefixes[@]}"; do
  [[ $path == "$root/.work/"* ]] || kind=installed
done

work=$root/.work/$distro-$kind-python$version
venv=$work/venv
prefix=$work/install/enet_ros
