#!/bin/sh
# Once a day remove what is older than a week and in no use. The registry keeps every image: one that is wanted again is pulled again.
set -eu
unset DOCKER_TLS_VERIFY
export DOCKER_HOST=unix:///var/run/docker.sock
while sleep 86400; do
    docker container prune --force --filter until=168h || true # kept by a task whose scheduler died
    docker image prune --all --force --filter until=168h || true
done
