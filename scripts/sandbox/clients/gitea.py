"""Gitea's API v1 as its administrator: each call looks, makes what is missing and says whether it did.

Commit statuses are in statuses.py: they need no administrator.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.endpoints import OWNER
from sandbox.http import ApiError, Http

ADMIN = OWNER
BRANCH = "main"
# Matched against the whole ref: `*` and `**` alone, as no filter, would let tags through as well.
BRANCHES = "refs/heads/**"
WRITERS = ("write", "admin", "owner")  # Gitea's words for who may push


class GiteaError(ApiError):
    """Gitea refused or could not do something (B21, B23, B24)."""


class GiteaAway(GiteaError):
    """No Gitea answers, or it is still starting (B22)."""


class Gitea:
    """One server by the root of its API (`…/api/v1`), with Basic auth. Calls raise GiteaError."""

    def __init__(self, url: str, password: str) -> None:
        self._http = _login(url, ADMIN, password)

    def refuses_login(self) -> bool:
        """Whether the administrator is unknown or has another password."""
        return _refused(self._http)

    def put_organisation(self, name: str) -> bool:
        """Make the organisation, owned by the administrator."""
        return self._put(f"/orgs/{name}", "/orgs", {"username": name, "visibility": "public"})

    def put_repository(self, owner: str, name: str) -> bool:
        """Make an empty repository of an organisation; the first push fills it."""
        # Not private: people and `sandbox trace` read commit statuses without a login.
        body = {"name": name, "default_branch": BRANCH, "auto_init": False, "private": False}
        return self._put(f"/repos/{owner}/{name}", f"/orgs/{owner}/repos", body)

    def put_bot(self, name: str, password: str) -> str:
        """Make a restricted user for programs, or give it this password; says which, or nothing."""
        rights = {"must_change_password": False, "restricted": True}
        with _explained(self._http.url):
            if self._http.find(f"/users/{name}") is None:
                self._http.post(
                    "/admin/users",
                    {"username": name, "email": _address(name), "password": password, **rights},
                )
                return f"user {name}"
        if not _refused(_login(self._http.url, name, password)):
            return ""
        with _explained(self._http.url):
            # Gitea asks for both names of the login's source at every edit; 0 is its own database.
            source = {"source_id": 0, "login_name": name}
            edit = {**source, "password": password, "admin": False, **rights}
            self._http.call("PATCH", f"/admin/users/{name}", json=edit)
        return f"password of {name}"

    def put_writer(self, owner: str, repository: str, name: str) -> bool:
        """Let a user push to a repository and set statuses there; who may do more keeps it."""
        path = f"/repos/{owner}/{repository}/collaborators/{name}"
        with _explained(self._http.url):
            if self._http.get(f"{path}/permission")["permission"] in WRITERS:
                return False
            self._http.call("PUT", path, json={"permission": "write"})
            return True

    def put_push_hook(self, owner: str, repository: str, url: str, secret: str) -> str:
        """Send pushes of branches, signed, to `url`, and nothing else there; says what it did, or nothing.

        Gitea never shows a hook's secret. Its digest stands behind the `#` of the hook's address: Gitea keeps
        that part and no HTTP client sends it.
        """
        wanted = _hook(url, secret)
        path = f"/repos/{owner}/{repository}/hooks"
        with _explained(self._http.url):
            ours = [hook for hook in self._http.get(path, limit=50) if _target(hook) == url]
            if not ours:
                self._http.post(path, {"type": "gitea", **wanted})
                return f"hook of {repository}"
            first, *more = ours
            if not more and not _differences(first, wanted):
                return ""
            self._http.call("PATCH", f"{path}/{first['id']}", json=wanted)
            for hook in more:  # each would have every push built once more
                self._http.call("DELETE", f"{path}/{hook['id']}")
            return f"hook of {repository} renewed"

    def push_hook_fault(self, owner: str, repository: str, url: str, secret: str) -> str:
        """What put_push_hook would change at a repository's hook, or nothing."""
        wanted = _hook(url, secret)
        with _explained(self._http.url):
            hooks = self._http.get(f"/repos/{owner}/{repository}/hooks", limit=50)
        ours = [hook for hook in hooks if _target(hook) == url]
        if not ours:
            return "there is no hook"
        if len(ours) > 1:
            return f"there are {len(ours)} hooks to Jenkins: each push is built as often"
        wrong = _differences(ours[0], wanted)
        return f"its {', '.join(wrong)} must be another" if wrong else ""

    def put_protection(self, owner: str, repository: str, check: str) -> bool:
        """Protect the main branch where no rule does: the administrator pushes, others merge what is checked.

        A rule that is there stays as it is: people may have changed it.
        """
        path = f"/repos/{owner}/{repository}/branch_protections"
        with _explained(self._http.url):
            if any(rule["rule_name"] == BRANCH for rule in self._http.get(path)):
                return False
            pushes = {"enable_push": True, "enable_push_whitelist": True, "push_whitelist_usernames": [ADMIN]}
            merges = {"enable_status_check": True, "status_check_contexts": [check]}
            self._http.post(path, {"rule_name": BRANCH, **pushes, **merges})
            return True

    def _put(self, path: str, collection: str, body: dict[str, Any]) -> bool:
        """Post to the collection where nothing is at the path."""
        with _explained(self._http.url):
            if self._http.find(path) is not None:
                return False
            self._http.post(collection, body)
            return True


class Login:
    """One user of a server, by the own password: who Gitea takes it for. Calls raise GiteaError."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self._http = _login(url, name, password)
        self._name = name

    def user(self) -> dict[str, Any] | None:
        """What Gitea says of this user; None: a server without users."""
        if _refused(self._http):
            raise GiteaError(
                f"Gitea refuses the user {self._name} with the password of .env", 401, "Run: make up"
            )
        with _explained(self._http.url):
            found: dict[str, Any] | None = self._http.find("/user")
            return found

    def rights(self, owner: str, repository: str) -> set[str]:
        """Those of `admin`, `push`, `pull` that the user has in a repository; none where it is not there."""
        with _explained(self._http.url):
            found = self._http.find(f"/repos/{owner}/{repository}") or {}
        return {right for right, given in (found.get("permissions") or {}).items() if given}


def _login(url: str, user: str, password: str) -> Http:
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Http("gitea", url, {"Authorization": f"Basic {login}"})


def _refused(http: Http) -> bool:
    """Whether a login is answered 401; a server without logins (404) refuses none."""
    with _explained(http.url):
        try:
            http.find("/user")
        except ApiError as error:
            if error.status == 401:
                return True
            raise
        return False


def _address(name: str) -> str:
    return f"{name}@noreply.invalid"


def _hook(url: str, secret: str) -> dict[str, Any]:
    digest = hashlib.sha256(secret.encode()).hexdigest()[:12]
    config = {"url": f"{url}#secret-{digest}", "content_type": "json", "secret": secret}
    return {"active": True, "events": ["push"], "branch_filter": BRANCHES, "config": config}


def _target(hook: dict[str, Any]) -> str:
    return str(hook["config"]["url"]).partition("#")[0]


def _differences(hook: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """In words, what of a hook as Gitea shows it is not as wanted; the fragment tells another secret."""
    parts = [key for key in ("active", "events", "branch_filter") if hook[key] != wanted[key]]
    told = {"url": "secret", "content_type": "content_type"}
    return parts + [word for key, word in told.items() if hook["config"].get(key) != wanted["config"][key]]


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Raise an answer's error again with a code, a cause and a command."""
    try:
        yield
    except ApiError as error:
        raise _failure(url, error) from error


def _failure(url: str, error: ApiError) -> GiteaError:
    logs = "Run: make logs SERVICE=gitea"
    if error.status == 401:
        return GiteaError(
            f"B21 Gitea at {url} refuses the user {ADMIN} with GITEA_ADMIN_PASSWORD of .env: {error}",
            error.status,
            "It takes that password when it starts. Run: make down, then make up",
        )
    if error.status in (0, 502, 503, 504):
        return GiteaAway(f"B22 Gitea does not answer: {error}", error.status, logs)
    if error.status in (403, 404, 405):
        return GiteaError(f"B23 Gitea does not let {ADMIN} do this: {error}", error.status, logs)
    return GiteaError(f"B24 {error}", error.status, logs)
