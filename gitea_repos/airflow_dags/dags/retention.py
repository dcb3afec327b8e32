"""The DAG `retention`: once a day removes ended runs, task logs and events older than KEEP_RUN_DAYS."""

from datetime import UTC, datetime

from airflow.sdk import DAG, CronTriggerTimetable, task
from airflow.sdk.log import mask_secret

from dags.limits import task_options
from loop import retention
from loop.airflow import Airflow
from loop.limits import Limits
from loop.mlflow import MLflow
from loop.settings import AirflowLogin, Retention, Settings

LIMITS = Limits.read()
# A run at once would come with the first start, beside the first loop.
NIGHTLY = CronTriggerTimetable("30 3 * * *", timezone="UTC", run_immediately=False)

with DAG("retention", schedule=NIGHTLY, catchup=False, max_active_runs=1, doc_md=__doc__):

    @task(**task_options(LIMITS, "clean"))
    def clean() -> str:
        """Remove what is old; the result says how much."""
        kept = Retention.from_env()
        mask_secret(kept.database)
        airflow, mlflow = Airflow(AirflowLogin.from_env()), MLflow(Settings.from_env())
        return retention.clean(kept, airflow, mlflow, datetime.now(UTC))

    clean()
