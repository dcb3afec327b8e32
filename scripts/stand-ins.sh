#!/bin/sh
# What the docker driver's tests start, built where it is missing: stand-ins for images that need a registry, and on
# them the sandbox's own images. Needs an engine (scripts/engine.sh).
set -eu
cd "$(dirname "$0")/.."
echo "· building stand-ins: of Jenkins and Grafana there are none; for Gitea and Jenkins services/ci answers over HTTP"
mkdir -p build
.venv/bin/python tests/images/build.py --override build/stand-ins.yaml
echo "· building the sandbox's own images"
PYTHONPATH=tests/live .venv/bin/python tests/images/ahead.py --override build/stand-ins.yaml --clone build/ahead
