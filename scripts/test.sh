#!/bin/sh
# Every test: rules and units, the services' own, then the real loop from a clean state.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
.venv/bin/pytest -q
for service in ci mlflow prediction-api; do
    echo "· testing services/$service"
    environment=$(scripts/environment.sh "$service")
    (cd "services/$service" && "$environment/bin/ruff" check && PATH="$environment/bin:$PATH" "$environment/bin/pytest" -q)
done
echo "· testing the loop (a copy of this tree, from a clean state)"
.venv/bin/pytest -v tests/live
