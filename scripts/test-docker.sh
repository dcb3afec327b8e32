#!/bin/sh
# The docker driver on a real engine, with stand-ins for the images that need a registry; ends with figures in one line.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
if ! scripts/engine.sh; then
    if [ "${ALLOW_NO_DOCKER:-}" = 1 ]; then echo "! No engine can start here: nothing of the docker driver was tested (ALLOW_NO_DOCKER=1)."; exit 0; fi
    echo "✗ The docker driver cannot be tested without an engine. To pass without: ALLOW_NO_DOCKER=1 make test-docker" >&2
    exit 1
fi
scripts/stand-ins.sh
echo "· scanning Dockerfiles and secrets"
uv tool run --quiet --from checkov==3.3.30 checkov --config-file .checkov.yaml --quiet --compact
echo "· testing task containers and registry images"
(cd gitea_repos/airflow_dags && make install && .venv/bin/python -m pytest -q tests/test_container.py)
command -v docker-registry >/dev/null || apt-get install -y -qq --no-install-recommends docker-registry >/dev/null
environment=$(scripts/environment.sh ci)
(cd services/ci && PATH="$environment/bin:$PATH" python -m pytest -q tests/test_registry_store.py)
set -- tests/images tests/stack
# Not scm_ci: Git and CI are services/ci here, as on the embedded driver, where `make test` runs it.
for part in services loop monitor dashboards containers changed_settings secrets; do set -- "$@" "tests/live/test_$part.py"; done
# Minutes for what the embedded driver shows as well.
for case in bad_raw_data_stops_at_data_and_names_column_and_rule a_failing_test_stops_in_ci_and_the_old_model_serves a_notebook_on_this_machine_loads_the_served_model; do
    set -- "$@" --deselect "tests/live/test_loop.py::test_$case"
done
.venv/bin/pytest -v "$@" --driver docker --durations=25
