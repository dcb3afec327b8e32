"""`python -m data_preprocessing.tracking`: the only place that imports MLflow.

Each line of input is a question in JSON, each line of output its answer: `{"do": "find", "data_version"}` or
`{"do": "log", "name", "state", "tags", "params", "metrics", "files"}` gives `{"run_id"}` or `{"error"}`.
"""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import islice

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from data_preprocessing.console import answer

EXPERIMENT = "data_preprocessing"
# MLflow's limits on one request, on names, and on the length of a value.
BATCH = 100
FORBIDDEN = re.compile(r"[^\w\-. :/]", re.ASCII)
LONGEST_NAME, LONGEST_VALUE = 250, 6000


def find_run(client: MlflowClient, data_version: str) -> str | None:
    """Return the oldest finished run of the data version, so that every caller gets the same."""
    found = client.search_runs(
        [find_experiment(client)],
        filter_string=f"tags.data_version = '{data_version}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time ASC"],
        max_results=1,
    )
    return found[0].info.run_id if found else None


def log_run(client: MlflowClient, question: dict) -> str:
    """Log a run completely, or end it as failed."""
    run = client.create_run(find_experiment(client), run_name=question["name"])
    run_id, when = run.info.run_id, run.info.start_time
    try:
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in question["tags"].items()])
        for some in _divide(question["params"]):
            client.log_batch(run_id, params=[Param(key, value[:LONGEST_VALUE]) for key, value in some])
        for some in _divide(question["metrics"]):
            client.log_batch(run_id, metrics=[Metric(key, value, when, 0) for key, value in some])
        for path, folder in question["files"].items():
            client.log_artifact(run_id, path, folder or None)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, question["state"])
    return run_id


def find_experiment(client: MlflowClient) -> str:
    """Return the experiment's id: made when missing, restored when deleted, taken when made meanwhile."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        try:
            return client.create_experiment(EXPERIMENT)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return experiment.experiment_id


def reply(client: MlflowClient, question: dict) -> dict:
    """Answer one question; MLflow's failures become its reason in one line."""
    try:
        with redirect_stdout(sys.stderr):
            if question["do"] == "find":
                return {"run_id": find_run(client, question["data_version"])}
            return {"run_id": log_run(client, question)}
    except Exception as error:  # MLflow lets requests, urllib3 and file systems raise their own types
        return {"error": _explain(error)}


def _explain(error: BaseException) -> str:
    """Return the system's reason where a connection failed, else MLflow's own, in one line."""
    cause = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    reason = cause.strerror or str(cause) if isinstance(cause, OSError) else str(error)
    return " ".join(reason.split())[:300].rstrip(".")


def _divide(items: dict) -> Iterator[list[tuple]]:
    """Yield the items in requests of a size, and under names, that MLflow takes."""
    rest = iter({FORBIDDEN.sub("_", key)[:LONGEST_NAME]: value for key, value in items.items()}.items())
    while some := list(islice(rest, BATCH)):
        yield some


def main() -> None:
    """Answer until the input ends."""
    client = MlflowClient()
    for line in sys.stdin:
        answer(reply(client, json.loads(line)))


if __name__ == "__main__":
    main()
