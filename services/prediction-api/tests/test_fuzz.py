"""Requests made of the OpenAPI document, right and wrong, have answers as it says: no other status, no 5xx.

FUZZ_EXAMPLES=2000 (`make fuzz-api`) for a long look: so many for each operation that has something to vary.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import models
from servers import Api, Mlflow

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "80")
TOKEN = "a-token-of-the-tests"


def test_every_answer_is_as_the_document_says(
    start_api: Callable[..., Api], mlflow_server: Mlflow, tmp_path: Path
) -> None:
    """By schemathesis, with all its checks, on a model that answers any values of its columns."""
    mlflow_server.promote("fuzzed", mlflow_server.register("fuzzed", models.kinds()))
    # Few rows: long lists take most of the time and show nothing new.
    api = start_api(MODEL_NAME="fuzzed", API_TOKENS=f"tests:{TOKEN}", API_MAX_ROWS="5")
    api.serves("1")
    before = len(api.lines("request"))  # while it had no model yet
    options = ["--phases", "examples,coverage,fuzzing", "--checks", "all", "--continue-on-failure"]
    options += ["--max-examples", EXAMPLES, "--header", f"Authorization: Bearer {TOKEN}"]
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{api.url}/openapi.json", *options]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    summary = run.stdout[run.stdout.find("= SUMMARY =") :]
    counts = Counter((line["route"], line["status"]) for line in api.lines("request")[before:])
    answered = (f"{number:7d}  {status}  {route}" for (route, status), number in sorted(counts.items()))
    sys.stdout.write("\n".join(["", summary, *answered, ""]))
    assert run.returncode == 0, run.stdout + run.stderr
    generated, passed = map(int, re.search(r"(\d+) generated, (\d+) passed", summary).groups())
    assert generated == passed > 5 * int(EXAMPLES)
    assert not [key for key in counts if key[1] >= 500]
    for route in ("/predict", "/v1/models/{name}:predict"):
        assert {200, 401, 422} <= {status for each, status in counts if each == route}
