"""`make up` ended by Ctrl-C, then `make up`: the same model is served, whenever the first one was stopped.

By default on a stack that was stopped. FIRST_UP=1 deletes everything first and stops the very first `make up`
again and again, from the installation to the middle of the first loop.
"""

import os
import re
import signal
import subprocess

from helpers import FLOWERS, SPECIES, predict

FIRST_UP = os.environ.get("FIRST_UP") == "1"
# Lines of `make up` after which it is stopped, each in another call.
ON_A_STOPPED_STACK = ("starting services", "mlflow is healthy")
ON_A_FIRST_UP = (
    "installing airflow",
    "installing prediction-api",
    "preparing Airflow's database",
    "raw data: iris.csv",
    "repositories: made",
    "first commits: pushed",
    "airflow-api is healthy",
    "first loop: ",
    "train running",
)


def up_until(sandbox, moment):
    """`make up`, ended as by Ctrl-C when it prints a line with `moment`; its exit code and all it printed."""
    said, stopped = "", False
    # A shell starts what runs in its background with SIGINT ignored; a person's terminal does not.
    command = ["env", "--default-signal=INT", "make", "up"]
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(
        command, cwd=sandbox.folder, stdout=pipe, stderr=both, text=True, start_new_session=True
    ) as process:
        for line in process.stdout:
            said += line
            if re.search(moment, line) and not stopped:
                os.killpg(process.pid, signal.SIGINT)
                stopped = True
    assert stopped, f"it never said {moment!r}:\n{said}"
    return process.returncode, said


def test_ctrl_c_of_up_costs_nothing_but_time(sandbox):
    before = sandbox.json("status")["model"]
    sandbox.make("down")
    if FIRST_UP:
        assert sandbox.run("destroy", "--yes").returncode == 0
    for moment in ON_A_FIRST_UP if FIRST_UP else ON_A_STOPPED_STACK:
        code, said = up_until(sandbox, moment)
        print(f"\nCtrl-C after {moment!r}: exit {code}\n  {said.strip().splitlines()[-1]}")
        assert code != 0, said
        assert "Traceback" not in said, said
        assert "nothing is lost" in said, said
    sandbox.make("up")
    described = sandbox.json("status")
    assert all(service["healthy"] for service in described["services"]), described
    assert FIRST_UP or described["model"] == before
    assert predict(sandbox, FLOWERS).json() == {"predictions": SPECIES}
