"""The sample repositories: each pushed once, as one commit with a fixed author and date."""

import tempfile
from pathlib import Path

from sandbox.context import Context
from sandbox.git import IDENTITY, git, remote_head
from sandbox.settings import REPOSITORIES, ROOT

DATE = "2026-01-01T00:00:00+0000"  # fixed, so that equal content is an equal commit on every machine
STARTS_THE_FIRST_RUN = "model_training"
MESSAGE = "Start of {name}\n"
MARK = "\nStarts-Run: no\n"  # read by `ci deliver`; one first run, not three


def run(context: Context) -> str:
    """Push every repository whose main has no commit yet; commits of the user are never touched."""
    pushed = [name for name in REPOSITORIES if _push(name, context.endpoints.clone_url(name))]
    return f"pushed {', '.join(pushed)}" if pushed else ""


def _push(name: str, url: str) -> bool:
    source = ROOT / "gitea_repos" / name
    if remote_head(url, "main", source):
        return False
    message = MESSAGE.format(name=name) + ("" if name == STARTS_THE_FIRST_RUN else MARK)
    dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    with tempfile.TemporaryDirectory() as folder:
        env = IDENTITY | dates | {"GIT_DIR": str(Path(folder) / ".git"), "GIT_WORK_TREE": str(source)}
        git("init", "--quiet", "--initial-branch=main", folder=source, env=env)
        git("add", "--all", folder=source, env=env)
        git("commit", "--quiet", "--message", message, folder=source, env=env)
        git("push", "--quiet", url, "main", folder=source, env=env)
    return True
