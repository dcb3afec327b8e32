#!/bin/sh
# Make the environment in which a service's own tests run, and say where it is: environment.sh prediction-api
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
environment="$PWD/build/environments/$1"
uv venv --quiet --allow-existing --python .venv/bin/python "$environment"
uv pip sync --quiet --python "$environment" --require-hashes "services/$1/requirements-dev.lock"
uv pip install --quiet --python "$environment" --no-deps --editable "services/$1"
echo "$environment"
