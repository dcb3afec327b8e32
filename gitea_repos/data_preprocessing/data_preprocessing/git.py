"""Git, by its command line."""

import subprocess
from pathlib import Path

from data_preprocessing.console import redact
from data_preprocessing.errors import Rejected, Unavailable
from data_preprocessing.settings import extend_environment

# Who commits is fixed; what the machine's own configuration adds (signatures, hooks, line ends) stays out.
IDENTITY = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "MLOps sandbox"), ("EMAIL", "loop@sandbox.invalid"))
}
OPTIONS = ("commit.gpgSign=false", "tag.gpgSign=false", "core.hooksPath=/dev/null", "core.autocrlf=false")


class GitError(Unavailable):
    """A git command failed; the message holds the command and git's own last line."""


def run_git(folder: Path, *arguments: str) -> str:
    """Run git in the folder and return its output; raise GitError when it fails."""
    options = [part for option in (*OPTIONS, "advice.detachedHead=false") for part in ("-c", option)]
    done = subprocess.run(  # noqa: S603 -- a list, no shell
        ["git", *options, *arguments],  # noqa: S607 -- the image's and the user's git lie in different places
        cwd=folder,
        env=extend_environment(GIT_TERMINAL_PROMPT="0", LC_ALL="C", **IDENTITY),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise GitError(f"git {arguments[0]} failed: {redact(reason)}.")
    return done.stdout.strip()


def clone(url: str, folder: Path) -> None:
    """Clone all branches and tags, without a work tree; raise Unavailable when the server does not answer."""
    folder.mkdir(parents=True)
    try:
        run_git(folder, "clone", "--quiet", "--no-checkout", url, ".")
    except GitError as error:
        raise Unavailable(f"{redact(url)} cannot be cloned: {error}") from None


def check_out(folder: Path, commit: str, url: str) -> None:
    """Check out a commit without a branch; raise Rejected when the repository does not have it."""
    try:
        run_git(folder, "cat-file", "-e", f"{commit}^{{commit}}")
    except GitError:
        raise Rejected(f"There is no commit {commit} in {redact(url)}: push it first.") from None
    run_git(folder, "checkout", "--quiet", "--detach", commit)


def add_worktree(folder: Path, target: Path, revision: str) -> None:
    """Check out a revision of the clone into another folder."""
    run_git(folder, "worktree", "add", "--quiet", "--detach", str(target), revision)
