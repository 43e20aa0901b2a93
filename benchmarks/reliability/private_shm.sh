#!/usr/bin/env bash
# Run a command with a /dev/shm of its own, of some megabytes, or without one if SIZE is 0. Other
# programs keep theirs. Needs the right to mount. PRIVATE_SHARED_MEMORY tells the command the size.
#
#   scripts/run benchmarks/reliability/private_shm.sh SIZE COMMAND...
set -e
exec unshare --mount bash -ec '
  size=$1; shift
  if (( size )); then
    mount -t tmpfs -o size="${size}m" tmpfs /dev/shm
  else
    mount -t tmpfs -o mode=755 tmpfs /dev
    mknod -m 666 /dev/null c 1 3
    mknod -m 666 /dev/zero c 1 5
    mknod -m 666 /dev/random c 1 8
    mknod -m 666 /dev/urandom c 1 9
  fi
  export PRIVATE_SHARED_MEMORY=$size
  exec "$@"' private_shm.sh "$@"
