#!/bin/sh
# Start the engine. Arguments are passed on to dockerd. POSIX sh: the image may be Alpine or Debian.
set -eu
here=$(dirname "$0")
"$here/certificates.sh" /certs
"$here/cgroups.sh"
mkdir -p /etc/docker
sed "s/@ENGINE_DISK_GB@/${ENGINE_DISK_GB:?}/" "$here/daemon.json" >/etc/docker/daemon.json
# Docker mounts /proc/sys read-only; dockerd sets up its bridge there.
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
# A killed engine leaves these behind, and then does not start again.
rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
"$here/prune.sh" &
# Of the Compose network. 2376 is Docker's port for TLS; 9323 answers /metrics alone, to whoever is on that network.
address=$(hostname -i | cut -d' ' -f1)
exec dockerd --host=unix:///var/run/docker.sock --host="tcp://$address:2376" --metrics-addr="$address:9323" \
    --tlsverify --tlscacert=/certs/server/ca.pem --tlscert=/certs/server/cert.pem --tlskey=/certs/server/key.pem "$@"
