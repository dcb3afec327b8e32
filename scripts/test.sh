#!/bin/sh
# Rules and units, the services' own tests, then the real loop from a clean state. Not the slow cases of `make test-loop`;
# with BAD_DAYS=1 those too, on the same sandbox.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
suites() { # of these services, one after the other
    for service in "$@"; do
        echo "· testing services/$service"
        environment=$(scripts/environment.sh "$service")
        # The registry's tests need Docker: docker-parts.sh has them.
        (cd "services/$service" && "$environment/bin/ruff" check && PATH="$environment/bin:$PATH" "$environment/bin/pytest" -q --durations=5 --ignore=tests/test_registry_store.py)
    done
}
.venv/bin/pytest -q
echo "· testing services/prediction-api; beside it services/ci, mlflow, monitor and the begin of the loop"
mkdir -p build
suites prediction-api >build/prediction-api-tests.log 2>&1 & # a core each
beside=$!
trap 'kill "$beside" 2>/dev/null || true' EXIT
suites ci mlflow monitor
echo "· testing the loop (a copy of this tree, from a clean state)"
set -- tests/live/test_*.py
[ "${BAD_DAYS:-}" != 1 ] || set -- "$@" tests/live/bad_days
.venv/bin/pytest -v --durations=25 "$@"
wait "$beside" || { cat build/prediction-api-tests.log; exit 1; }
cat build/prediction-api-tests.log
