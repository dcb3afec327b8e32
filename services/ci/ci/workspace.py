"""The folder in which a repository is built: kept between builds, only `.venv` survives the cleaning."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci.errors import JenkinsfileError, StepFailed, StepTimedOut
from ci.process import Runner

JENKINSFILE_LIMIT = 200_000


@dataclass(frozen=True)
class Workspace:
    """The working copy of one repository in `folder`."""

    folder: Path
    source: Path

    def checkout(self, sha: str, runner: Runner, env: Mapping[str, str], deadline: float) -> None:
        """Bring the tree of exactly this commit here. Raises StepFailed, StepTimedOut or Stopped."""
        try:
            self._checkout(sha, runner, env, deadline)
        except StepTimedOut:
            raise
        except StepFailed as error:
            # git that was ended in the middle leaves locks and half-written files behind
            runner.log.say(f"The checkout failed ({error}); starting from an empty .git folder.")
            shutil.rmtree(self.folder / ".git", ignore_errors=True)
            self._checkout(sha, runner, env, deadline)

    def _checkout(self, sha: str, runner: Runner, env: Mapping[str, str], deadline: float) -> None:
        commands = [
            ["git", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(self.source), sha],
            ["git", "checkout", "--quiet", "--force", "--detach", sha],
            ["git", "clean", "-ffdxq", "-e", ".venv"],
        ]
        if not (self.folder / ".git").is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            commands.insert(0, ["git", "init", "--quiet", "--initial-branch=main"])
        for command in commands:
            runner.log.say("+ " + " ".join(command))
            runner.run(command, self.folder, {**env, "GIT_TERMINAL_PROMPT": "0"}, deadline)

    def jenkinsfile(self) -> str:
        """The text of the Jenkinsfile. Raises JenkinsfileError."""
        path = self.folder / "Jenkinsfile"
        if not path.is_file():
            raise JenkinsfileError("There is no Jenkinsfile; add one at the top of the repository.")
        if path.stat().st_size > JENKINSFILE_LIMIT:
            raise JenkinsfileError(f"The Jenkinsfile is larger than {JENKINSFILE_LIMIT} bytes.")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise JenkinsfileError(f"The Jenkinsfile cannot be read: {error}.") from error
