"""Which login may send which request.

`admin` may do everything. `loop` may do everything but what makes the server run code, hold keys or call
other addresses (scorers, gateway, assistant, jobs, webhooks). `serving` may only read, and none of that.
"""

import re

ADMIN = "admin"
LOOP = "loop"
SERVING = "serving"
LOGINS = (ADMIN, LOOP, SERVING)

#: Answered without a login: they say nothing but that the process runs, and its version.
OPEN = frozenset({"/health", "/version"})

_READING = frozenset({"GET", "HEAD"})
_SEARCHES = re.compile(
    r"/(ajax-)?api/[23]\.0/mlflow/(experiments|runs|logged-models|traces|datasets)/search"
    r"|/(ajax-)?api/2\.0/mlflow/registered-models/get-latest-versions"
)
_RESERVED = re.compile(
    r"/gateway(/|$)"
    r"|/ajax-api/2\.0/mlflow/gateway-proxy"
    r"|/ajax-api/3\.0/jobs(/|$)"
    r"|/(ajax-)?api/[23]\.0/mlflow/"
    r"(assistant|demo|gateway|genai|issues/invoke|jobs|prompt-optimization|scorers?|webhooks)(/|$)"
)


def is_open(method: str, path: str) -> bool:
    """Whether the request needs no login."""
    return method in _READING and path in OPEN


def may(login: str, method: str, path: str) -> bool:
    """Whether the login may send this request; `path` is the decoded one of ASGI."""
    if login == ADMIN:
        return True
    path = re.sub("/+", "/", path)  # as MLflow's Flask half reads it
    if _RESERVED.match(path):
        return False
    if login == LOOP:
        return True
    return method in _READING or (method == "POST" and _SEARCHES.fullmatch(path) is not None)
