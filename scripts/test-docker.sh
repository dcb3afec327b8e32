#!/bin/sh
# The docker driver on a real engine. `test-docker.sh parts` or `live` is one half of it.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
if ! scripts/engine.sh; then
    if [ "${ALLOW_NO_DOCKER:-}" = 1 ]; then echo "! No engine can start here: nothing of the docker driver was tested (ALLOW_NO_DOCKER=1)."; exit 0; fi
    echo "✗ The docker driver cannot be tested without an engine. To pass without: ALLOW_NO_DOCKER=1 make test-docker" >&2
    exit 1
fi
for part in ${1:-parts live}; do "scripts/docker-$part.sh"; done
