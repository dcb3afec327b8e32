"""The DAG `promote_model`: a registered version becomes the champion by hand, forwards or back."""

from airflow.sdk import DAG, chain

from dags.limits import WHEN_LOST, dag_options, task_options
from dags.stage import Stage
from loop import promote, serve, verify
from loop.limits import Limits

LIMITS = Limits.read()

with DAG("promote_model", **dag_options(LIMITS), doc_md=__doc__):
    chain(
        Stage(function=promote.promote_by_hand, **task_options(LIMITS, "promote")),
        Stage(function=serve.serve, needs=["promote"], **task_options(LIMITS, "serve", WHEN_LOST)),
        Stage(
            function=verify.verify,
            needs=["promote"],
            chronicle=True,
            **task_options(LIMITS, "verify", WHEN_LOST),
        ),
    )
