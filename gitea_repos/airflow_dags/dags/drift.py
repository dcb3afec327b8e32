"""The DAG `drift`: judges the newest requests as DRIFT_SCHEDULE says, and starts the loop where they drifted.

`look` costs two requests and ends the run where there is too little to judge: only then a program starts.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, chain

from dags.limits import task_options
from dags.runtime import work
from dags.stage import Stage
from loop import drift
from loop.limits import Limits
from loop.settings import schedule

LIMITS = Limits.read()
CRON = schedule(LIMITS.drift.schedule, key="DRIFT_SCHEDULE")
TIMES = CronTriggerTimetable(CRON, timezone="UTC", run_immediately=False) if CRON else None
FOR_JUDGE = {
    "IMAGE": "{{ ti.xcom_pull(task_ids='look')['image'] }}",
    "LOOP_RUN_ID": "{{ run_id }}",
    "DRIFT_PSI": str(LIMITS.drift.psi),
    "DRIFT_WINDOW_HOURS": str(LIMITS.drift.window_hours),
    "DRIFT_LEAST_ROWS": str(LIMITS.drift.least_rows),
}
ENDS = timedelta(seconds=LIMITS.longest_seconds["run"])

with DAG("drift", schedule=TIMES, catchup=False, max_active_runs=1, dagrun_timeout=ENDS, doc_md=__doc__):
    chain(
        Stage(function=drift.look, **task_options(LIMITS, "look")),
        work(argv=["python", "-m", "model_training.drift"], env=FOR_JUDGE, **task_options(LIMITS, "judge")),
        Stage(function=drift.start, needs=["judge"], **task_options(LIMITS, "start")),
    )
