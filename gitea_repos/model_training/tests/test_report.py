"""How a task ends, seen from outside: exit code and last line."""

import json
import subprocess
import sys

import pytest

from model_training.settings import PARAMS_FILE

PROGRAM = """
import atexit, os, sys
from model_training.errors import TrainingError, UnavailableError
from model_training.report import run_task

def work():
    print("a library's chatter")
    os.system("echo a child process")
    atexit.register(lambda: print("a library's goodbye"))
    {end}

sys.exit(run_task(work))
"""


def run(end: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM.format(end=end)]
    return subprocess.run(command, capture_output=True, text=True, cwd=PARAMS_FILE.parent, check=False)


@pytest.mark.parametrize(
    ("end", "code", "detail"),
    [
        ("return {'state': 'passed', 'detail': 'done'}", 0, "done"),
        ("raise TrainingError('the reason')", 1, "the reason"),
        ("raise UnavailableError('nobody there')", 75, "nobody there"),
        ("raise KeyError('x')", 70, "Unexpected KeyError: 'x'"),
    ],
)
def test_the_result_is_the_only_line_on_stdout_and_the_code_tells_its_kind(end, code, detail):
    done = run(end)
    assert done.returncode == code
    assert json.loads(done.stdout)["detail"] == detail
    assert "a library's chatter" in done.stderr
    assert ("Traceback" in done.stderr) == (code == 70)


def test_a_task_without_its_environment_says_what_to_set():
    command = [sys.executable, "-m", "model_training"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=PARAMS_FILE.parent, env={}, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["detail"].startswith(
        "Set these environment variables of the task: GIT_URL"
    )


def test_nothing_happens_on_import():
    command = [sys.executable, "-X", "importtime", "-c", "import model_training.__main__"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PARAMS_FILE.parent, env={}, check=True)
    assert done.stdout == ""
    assert not {"mlflow", "sklearn", "pandas", "dvc"} & {
        line.split("|")[-1].strip() for line in done.stderr.splitlines()
    }
