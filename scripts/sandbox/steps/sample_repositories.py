"""The sample repositories: each pushed once, as one commit with a fixed author and date."""

import tempfile
from pathlib import Path

from sandbox.context import Context
from sandbox.git import IDENTITY, NO_RUN, git, remote_head
from sandbox.settings import CODE, DEPLOYED, REPOSITORIES, ROOT

DATE = "2026-01-01T00:00:00+0000"  # fixed, so that equal content is an equal commit on every machine
STARTS_THE_FIRST_RUN = CODE  # one first run, not three
DAGS = "airflow_dags"
MESSAGE = "Start of {name}\n"


def run(context: Context) -> str:
    """Push every repository whose main has no commit yet; commits of the user are never touched."""
    pushed = [name for name in REPOSITORIES if _push(name, context.endpoints.clone_url(name))]
    done = [f"pushed {', '.join(pushed)}"] if pushed else []
    return ", ".join([*done, f"tag {DEPLOYED}"] if _deploy(context.endpoints.clone_url(DAGS)) else done)


def _deploy(url: str) -> bool:
    """Give Airflow the DAGs of main where it follows main still, as before there was the tag."""
    tag = f"refs/tags/{DEPLOYED}"
    if git("ls-remote", url, tag, folder=ROOT):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        git("init", "--quiet", "--bare", folder=folder)
        git("fetch", "--quiet", url, "refs/heads/main:refs/heads/main", folder=folder)
        git("push", "--quiet", url, f"refs/heads/main:{tag}", folder=folder)
    return True


def _push(name: str, url: str) -> bool:
    source = ROOT / "gitea_repos" / name
    if remote_head(url, "main", source):
        return False
    message = MESSAGE.format(name=name) + ("" if name == STARTS_THE_FIRST_RUN else NO_RUN)
    dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    with tempfile.TemporaryDirectory() as folder:
        env = IDENTITY | dates | {"GIT_DIR": str(Path(folder) / ".git"), "GIT_WORK_TREE": str(source)}
        git("init", "--quiet", "--initial-branch=main", folder=source, env=env)
        git("add", "--all", folder=source, env=env)
        git("commit", "--quiet", "--message", message, folder=source, env=env)
        # At once: Airflow's first clone must have the tag.
        tag = [f"main:refs/tags/{DEPLOYED}"] if name == DAGS else []
        git("push", "--quiet", "--atomic", url, "main", *tag, folder=source, env=env)
    return True
