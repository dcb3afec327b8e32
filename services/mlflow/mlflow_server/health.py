"""`python -m mlflow_server.health`: 0 if MLflow answers a search from its database, else 1 and the reason.

`/health` of MLflow says only that the process runs. This asks as a client would, logged in, for at most one
registered model; no library is imported, because it runs every few seconds.
"""

import base64
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

SEARCH = "/api/2.0/mlflow/registered-models/search?max_results=1"
#: Seconds. The database may have to be connected to again.
TIMEOUT = 5


def check(environ: Mapping[str, str]) -> str:
    """Why MLflow is not healthy, empty if it is."""
    port = environ.get("MLFLOW_PORT", "5000")
    request = urllib.request.Request(f"http://127.0.0.1:{port}{SEARCH}", headers=_login(environ))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        return f"MLflow answered {error.code}: {error.read(300).decode(errors='replace')}"
    except OSError as error:
        return f"MLflow does not answer: {error}"
    return ""


def _login(environ: Mapping[str, str]) -> dict[str, str]:
    password = environ.get("MLFLOW_SERVING_PASSWORD", "")
    return {"Authorization": "Basic " + base64.b64encode(f"serving:{password}".encode()).decode()}


if __name__ == "__main__":
    reason = check(os.environ)
    sys.exit(reason or 0)
