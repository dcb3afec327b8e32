#!/bin/sh
# Make this container's cgroups writable, so that the engine can limit what it runs. Without `privileged` Docker mounts them read-only.
set -eu
root=/sys/fs/cgroup
if [ ! -f "$root/cgroup.controllers" ]; then # version 1: a mount per controller
    for controller in "$root"/*/; do
        [ -L "${controller%/}" ] || mount -o remount,bind,rw "${controller%/}"
    done
    exit 0
fi
mount -o remount,bind,rw "$root"
# Version 2: a group that hands controllers on holds no processes itself.
mkdir -p "$root/engine"
while read -r process; do
    echo "$process" >"$root/engine/cgroup.procs" 2>/dev/null || true # it may have ended by now
done <"$root/cgroup.procs"
sed -e 's/ / +/g' -e 's/^/+/' "$root/cgroup.controllers" >"$root/cgroup.subtree_control"
