#!/bin/sh
# Compile every lock file anew: exact versions with hashes, no index address in the file.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
compile() {
    uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$@"
}
compile pyproject.toml --extra dev -o requirements.lock
compile services/airflow/requirements.in -o services/airflow/requirements.lock
compile services/airflow/requirements-docker.in -o services/airflow/requirements-docker.lock
compile services/jenkins-agent/requirements.in -o services/jenkins-agent/requirements.lock
for service in ci mlflow monitor prediction-api; do
    compile "services/$service/pyproject.toml" -o "services/$service/requirements.lock"
    compile "services/$service/pyproject.toml" --extra dev -c "services/$service/requirements.lock" \
        -o "services/$service/requirements-dev.lock"
done
