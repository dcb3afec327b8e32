#!/bin/sh
# The loop on containers, on the stand-ins that docker-parts.sh has built; ends with figures in one line.
set -eu
cd "$(dirname "$0")/.."
# Not scm_ci: Git and CI are services/ci here, as on the embedded driver, where `make test` runs it.
set -- services loop monitor dashboards containers changed_settings secrets
for part in "$@"; do set -- "$@" "tests/live/test_$part.py"; shift; done
# Minutes for what the embedded driver shows as well.
for case in bad_raw_data_stops_at_data_and_names_column_and_rule a_failing_test_stops_in_ci_and_the_old_model_serves a_notebook_on_this_machine_loads_the_served_model; do
    set -- "$@" --deselect "tests/live/test_loop.py::test_$case"
done
.venv/bin/pytest -v "$@" --driver docker --durations=25
