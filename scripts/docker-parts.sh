#!/bin/sh
# What of the docker driver is tested without a sandbox, after what its tests start was built where it is missing: stand-ins
# for images that need a registry, and on them the sandbox's own images. Needs an engine (test-docker.sh).
set -eu
cd "$(dirname "$0")/.."
echo "· building stand-ins: of Jenkins and Grafana there are none; for Gitea and Jenkins services/ci answers over HTTP"
mkdir -p build
.venv/bin/python tests/images/build.py --override build/stand-ins.yaml
echo "· building the sandbox's own images"
PYTHONPATH=tests/live .venv/bin/python tests/images/ahead.py --override build/stand-ins.yaml --clone build/ahead
echo "· scanning Dockerfiles and secrets"
uv tool run --quiet --from checkov==3.3.30 checkov --config-file .checkov.yaml --quiet --compact
echo "· testing task containers and registry images"
(cd gitea_repos/airflow_dags && make install && .venv/bin/python -m pytest -q tests/test_container.py)
command -v docker-registry >/dev/null || apt-get install -y -qq --no-install-recommends docker-registry >/dev/null
environment=$(scripts/environment.sh ci)
(cd services/ci && PATH="$environment/bin:$PATH" python -m pytest -q tests/test_registry_store.py)
echo "· testing stand-ins, databases and buckets"
.venv/bin/pytest -v tests/images tests/stack --durations=5
