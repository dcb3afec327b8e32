"""The DAG `train_and_serve`: from a commit to a served model. Airflow keeps order, `loop/` does the work."""

from airflow.sdk import DAG, chain

from dags.limits import WHEN_LOST, dag_options, task_options
from dags.runtime import work
from dags.stage import Stage
from loop import gate, plan, promote, register, repeat, serve, tag, verify
from loop.limits import Limits

LIMITS = Limits.read()

PLAN, DATA = "ti.xcom_pull(task_ids='plan')", "ti.xcom_pull(task_ids='data')"
COMMON = {
    "LOOP_RUN_ID": "{{ run_id }}",
    "BUILD_URL": f"{{{{ {PLAN}['build'] }}}}",
    "DATA_COMMIT": f"{{{{ {PLAN}['data_commit'] }}}}",
}
FOR_DATA = COMMON | {
    "IMAGE": f"{{{{ {PLAN}['data_image'] }}}}",
    "DATA_VERSION": f"{{{{ {PLAN}['data_version'] }}}}",
}
FOR_TRAIN = COMMON | {
    "IMAGE": f"{{{{ {PLAN}['code_image'] }}}}",
    "CODE_COMMIT": f"{{{{ {PLAN}['code_commit'] }}}}",
    "DAG_COMMIT": f"{{{{ {PLAN}['dag_commit'] }}}}",
    "DATA_VERSION": f"{{{{ {DATA}['data_version'] }}}}",
}


def options(task_id: str, *needs: str, most_retries: int | None = None) -> dict:
    """The limits of a task, and the tasks whose results it needs."""
    return {**task_options(LIMITS, task_id, most_retries), "needs": needs}


with DAG("train_and_serve", **dag_options(LIMITS), doc_md=__doc__):
    chain(
        Stage(function=plan.plan, **options("plan")),
        work(argv=["python", "-m", "data_preprocessing"], env=FOR_DATA, **options("data", "plan")),
        work(
            argv=["python", "-m", "model_training"],
            env=FOR_TRAIN,
            spare=repeat.repeated,
            **options("train", "plan", "data"),
        ),
        Stage(function=gate.gate, **options("gate", "train")),
        Stage(function=register.register, **options("register", "plan", "data", "train")),
        Stage(function=tag.tag, **options("tag", "plan", "data", "train", "register")),
        Stage(function=promote.promote, **options("promote", "plan", "data", "train", "register")),
        # These two look again by themselves and undo the promotion on failure: only a lost try is retried.
        Stage(function=serve.serve, **options("serve", "promote", most_retries=WHEN_LOST)),
        Stage(function=verify.verify, chronicle=True, **options("verify", "promote", most_retries=WHEN_LOST)),
    )
