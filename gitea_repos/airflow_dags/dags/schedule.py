"""The DAG `schedule`: starts `train_and_serve` as LOOP_SCHEDULE says, with the run id `schedule-<date>`.

A DAG of its own because the run id is the key of a loop, and Airflow names the runs of a DAG's own schedule
itself, unless a plugin is installed in its servers.
"""

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronTriggerTimetable

from loop.limits import Limits
from loop.settings import schedule

LIMITS = Limits.read()
CRON = schedule(LIMITS.schedule)
# Without a start date and without an immediate run, a fresh installation waits for the next time instead of
# making up for the last one while its very first loop runs.
TIMES = CronTriggerTimetable(CRON, timezone="UTC", run_immediately=False) if CRON else None
AT = "(dag_run.logical_date or dag_run.run_after)"

with DAG("schedule", schedule=TIMES, catchup=False, doc_md=__doc__):
    TriggerDagRunOperator(
        task_id="start",
        trigger_dag_id="train_and_serve",
        # Midnight's run has the date alone; the runs of a busier schedule need the hour as well.
        trigger_run_id=f"schedule-{{{{ {AT}.strftime('%Y-%m-%dT%H%M').removesuffix('T0000') }}}}",
        conf={"reason": "schedule"},
        logical_date=None,
        skip_when_already_exists=True,
        retries=LIMITS.retries.times,
        retry_delay=timedelta(seconds=LIMITS.retries.first_wait_seconds),
    )
