#!/bin/sh
# Make the environment in which a service's own tests run, and say where it is: environment.sh prediction-api
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
environment="$PWD/build/environments/$1"
made="$environment/made-of"
mkdir -p "${environment%/*}"
if command -v flock >/dev/null; then exec 9>"$environment.lock" && flock 9; fi # the halves of .ci/run make the same ones
if ! cat "services/$1/requirements-dev.lock" "services/$1/pyproject.toml" | cmp -s - "$made"; then # another test run may use it
    uv venv --quiet --allow-existing --python .venv/bin/python "$environment"
    uv pip sync --quiet --python "$environment" --require-hashes "services/$1/requirements-dev.lock"
    uv pip install --quiet --python "$environment" --no-deps --editable "services/$1"
    cat "services/$1/requirements-dev.lock" "services/$1/pyproject.toml" >"$made"
fi
echo "$environment"
