"""Git by its own command, in a bare clone that is thrown away: history, ancestry and tags."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

from loop.errors import Failure, Unreachable
from loop.settings import base_environment

SECONDS = 120
NAME, EMAIL = "MLOps sandbox", "loop@sandbox.invalid"
IDENTITY = {
    "GIT_AUTHOR_NAME": NAME,
    "GIT_AUTHOR_EMAIL": EMAIL,
    "GIT_COMMITTER_NAME": NAME,
    "GIT_COMMITTER_EMAIL": EMAIL,
    # No prompt and no settings of the machine's user: a tag must be the same whoever runs this.
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}
# A credential helper that gives what its environment holds, and keeps nothing.
HELPER = (
    '!f() { if [ "$1" = get ]; then '
    r"""printf 'username=%s\npassword=%s\n' "$LOOP_GIT_USERNAME" "$LOOP_GIT_PASSWORD"; fi; }; f"""
)


class Clone:
    """A bare clone of everything a repository has, for as long as the `with` block lasts.

    Every method raises Unreachable when the repository cannot be read or written.
    """

    def __init__(self, address: str) -> None:
        self.address, self.login = without_login(address)

    def __enter__(self) -> "Clone":
        self.folder = Path(tempfile.mkdtemp(prefix="loop-git-"))
        try:
            self._git("init", "--quiet", "--bare", "--initial-branch=main")
            self._git(
                "fetch", "--quiet", self.address, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"
            )
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def newest(self, number: int) -> list[str]:
        """The commits of main, the newest first; raises Failure when there is no main."""
        if not self.has("refs/heads/main"):
            raise Failure(f"{self.address} has no branch main: push a commit to it")
        return self._git("log", "--first-parent", f"--max-count={number}", "--format=%H", "main").split()

    def has(self, revision: str) -> bool:
        """Whether a revision names a commit that the repository has."""
        return self._says("rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}")

    def commit(self, revision: str) -> str:
        """The 40 hex digits of a revision; raises Failure when there is none."""
        if not self.has(revision):
            raise Failure(f"{self.address} has no {revision}")
        return self._git("rev-parse", "--verify", f"{revision}^{{commit}}").strip()

    def tag_text(self, name: str) -> str:
        """The message of an annotated tag; raises Failure when there is no such tag."""
        self.commit(f"refs/tags/{name}")
        return self._git("for-each-ref", "--format=%(contents)", f"refs/tags/{name}")

    def is_ancestor(self, older: str, younger: str) -> bool:
        """Whether `older` is a true ancestor of `younger`; a commit that is gone is nobody's ancestor."""
        if older == younger or not (self.has(older) and self.has(younger)):
            return False
        return self._says("merge-base", "--is-ancestor", older, younger)

    def push_tag(self, name: str, commit: str, message: str) -> bool:
        """Push an annotated tag; False when it is there on that commit already.

        Raises Failure when the tag is on another commit: a tag is never moved.
        """
        if not self.has(f"refs/tags/{name}"):
            self._git(
                "tag", "--annotate", "--cleanup=verbatim", "--message", message, name, self.commit(commit)
            )
            self._git("push", "--quiet", self.address, f"refs/tags/{name}")
            return True
        if (found := self.commit(f"refs/tags/{name}")) != commit:
            raise Failure(
                f"{self.address} has the tag {name} on {found}, not on {commit}: tags are never moved"
            )
        return False

    def _git(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            said = _complaint(done.stderr)
            raise Unreachable(f"git {arguments[0]} for {self.address} ended with {done.returncode}: {said}")
        return done.stdout

    def _says(self, *arguments: str) -> bool:
        return self._run(*arguments).returncode == 0

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "--git-dir", str(self.folder), *arguments]
        environment = base_environment() | IDENTITY | self.login
        try:
            return subprocess.run(  # noqa: S603 -- a list, no shell
                command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"git {arguments[0]} for {self.address} took over {SECONDS} seconds") from error
        except OSError as error:
            raise Failure(f"git cannot be started: {error}; install git on Airflow's machine") from error


def without_login(address: str) -> tuple[str, dict[str, str]]:
    """An address without its login, and the variables by which git gets that login when it is asked for it.

    So it is in no command line, no message and no file. Protocol: gitcredentials(7), git-config(1).
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.username:
        return address, {}
    login = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"credential.{parts.scheme}://{parts.netloc.rpartition('@')[2]}.helper",
        "GIT_CONFIG_VALUE_0": HELPER,
        "LOOP_GIT_USERNAME": unquote(parts.username),
        "LOOP_GIT_PASSWORD": unquote(parts.password or ""),
    }
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), login


def _complaint(text: str) -> str:
    """Git's own reason among the lines it printed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reasons = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "!"))]
    return (reasons or lines or ["it said nothing"])[0]
