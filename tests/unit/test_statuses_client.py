"""The statuses of a commit: its build's are among them, however many loops came after."""

import json
from urllib.parse import parse_qs, urlsplit

import requests

from sandbox.clients.statuses import Statuses

COMMIT = "c" * 40


class Server(requests.adapters.BaseAdapter):
    """Gitea's two routes for one commit; a page has 50 rows at most, `highestindex` is the lowest first."""

    def __init__(self, rows: list[dict[str, object]]) -> None:
        super().__init__()
        self.rows = rows
        self.seen: list[str] = []

    def send(self, request, **_):  # type: ignore[no-untyped-def]
        parts = urlsplit(request.url)
        self.seen.append(parts.path.removeprefix("/api/v1"))
        answer = requests.Response()
        answer.request, answer.status_code = request, 200
        if parts.path.endswith("/status"):
            newest = {row["context"]: row for row in self.rows}
            body: object = {"sha": COMMIT, "statuses": list(newest.values()) or None}
        else:
            query = {key: value[0] for key, value in parse_qs(parts.query).items()}
            down = {"leastindex": True, "highestindex": False}[query["sort"]]
            ordered = sorted(self.rows, key=lambda row: row["id"], reverse=down)
            body = ordered[: min(50, int(query["limit"]))]
        answer._content = json.dumps(body).encode()
        return answer

    def close(self) -> None:
        """Nothing is open."""


def read(rows):
    statuses = Statuses("http://git.test/api/v1")
    server = Server(rows)
    statuses.http.session.mount("http://", server)
    return statuses.of("model_training", "ccccccc"), server.seen


def rows_of(*contexts):
    return [{"id": number, "context": context} for number, context in enumerate(contexts, 1)]


def test_a_few_statuses_come_all_and_in_order():
    rows = rows_of("ci", "image", "ci", "data", "served")
    assert read(rows)[0] == (COMMIT, rows)


def test_after_many_loops_the_build_and_the_newest_word_of_each_context_are_there():
    rows = rows_of("ci", "ci", "image", "ci", *(["data", "train", "served"] * 40), "ci")
    _, found = read(rows)[0]
    assert [row["id"] for row in found if row["context"] in ("ci", "image")] == [1, 2, 3, 4, len(rows)]
    assert found[-2]["id"] == len(rows) - 1


def test_a_commit_without_statuses_has_none():
    assert read([])[0] == (COMMIT, [])


def test_the_requests_are_giteas(operation):
    seen = read(rows_of("ci"))[1]
    assert [operation(("GET", path, None)) for path in seen] == [
        "repoGetCombinedStatusByRef",
        "repoListStatuses",
    ]
