"""Builds one commit: checkout, Jenkinsfile, stages, and a status at every turn."""

from __future__ import annotations

import logging
import sysconfig
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ci import jenkinsfile
from ci.buildlog import BuildLog
from ci.errors import CiError, SettingsError, StepFailed, StepTimedOut, Stopped
from ci.execution import Execution
from ci.masks import secrets_of
from ci.needs import Needs
from ci.pipeline import Pipeline, Stage
from ci.process import Runner, started_at
from ci.reports import failed_tests
from ci.repositories import Repositories
from ci.retention import Shelf, tidy
from ci.settings import ServerSettings, read_env_file
from ci.statuses import CONTEXT, Statuses
from ci.store import Build, Store
from ci.workspace import Workspace

LOG = logging.getLogger(__name__)
CHECKOUT_SECONDS = 300
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Builder:
    """Builds commits, one call at a time for each repository."""

    settings: ServerSettings
    store: Store
    statuses: Statuses
    repositories: Repositories
    stopping: threading.Event

    def post(self, build: Build, state: str, description: str) -> None:
        """Set the status `ci` of the commit."""
        url = self.settings.build_url(build.repository, build.number)
        self.statuses.add(build.repository, build.sha, state, CONTEXT, description, url)

    def build(self, build: Build) -> None:
        """Build a commit to its end, whatever happens; only a server that ends leaves it unfinished."""
        self.store.start_build(build)
        try:
            state, detail = self._attempt(build)
            status = "success" if state == "success" else "failure"
        except Stopped:
            self.store.requeue(build.repository, build.number)
            return
        except Exception as error:  # a mistake of ours must not leave a build running for ever
            LOG.exception("build %s %s failed inside CI", build.repository, build.number)
            state, status, detail = "failure", "error", f"CI itself failed: {error}"
        finally:
            self.store.forget_process(build.repository)
        # Status first: a server killed between the two builds again, and no status stays pending for ever.
        self.post(build, status, detail)
        self.store.finish_build(build, state, detail)
        self._tidy_images()

    def _attempt(self, build: Build) -> tuple[str, str]:
        loop = read_env_file(self.settings.loop_env) if self.settings.loop_env.exists() else None
        secrets = secrets_of({**self.settings.machine, **(loop or {})})
        with BuildLog(self.settings.log(build.repository, build.number), secrets) as log:
            log.say(f"Build {build.number} of {build.repository}: {build.branch} at {build.sha}")
            try:
                if loop is None:
                    raise SettingsError(
                        f"There is no {self.settings.loop_env}; LOOP_ENV must name the loop.env file."
                    )
                state, detail = self._build(build, log, loop)
            except Stopped:
                log.say("The server is ending; this build runs again at its next start.")
                raise
            except StepTimedOut as error:
                state, detail = "aborted", str(error)
            except CiError as error:
                state, detail = "failure", str(error)
            log.say(f"Finished: {state.upper()}: {detail}")
            return state, detail

    def _build(self, build: Build, log: BuildLog, loop: dict[str, str]) -> tuple[str, str]:
        runner = Runner(log, self.stopping, lambda leader: self._note(build, leader))
        workspace = Workspace(
            self.settings.workspace(build.repository), self.repositories.path(build.repository)
        )
        try:
            limit = time.monotonic() + CHECKOUT_SECONDS
            workspace.checkout(build.sha, runner, self.settings.machine, limit)
        except StepFailed as error:
            raise type(error)(f"checkout: {error}") from error
        keep = self.settings.keep_builds
        try:
            pipeline = jenkinsfile.parse(workspace.jenkinsfile())
            keep = pipeline.options.keep_builds or keep
            env = {**self._environment(build, loop), **pipeline.environment}
            return Run(self, build, pipeline, Execution(runner, workspace.folder, env, float("inf"))).stages()
        finally:
            self._forget_old(build.repository, keep)  # before the end, so that a running build is counted

    def _note(self, build: Build, leader: int) -> None:
        self.store.note_process(build.repository, leader, started_at(leader))

    def _forget_old(self, repository: str, keep: int) -> None:
        before = time.time() - self.settings.keep_days * SECONDS_A_DAY
        for number in self.store.forget_builds(repository, keep, before):
            self.settings.log(repository, number).unlink(missing_ok=True)

    def _tidy_images(self) -> None:
        """Remove images and environments beyond the numbers; those of a registry are its own business."""
        loop = read_env_file(self.settings.loop_env) if self.settings.loop_env.exists() else {}
        store = urlsplit(loop.get("IMAGE_STORE", ""))
        if store.scheme != "file":
            return
        settings, needs = self.settings, Needs(self.repositories, self.statuses, loop)
        shelf = Shelf(Path(unquote(store.path)), settings.keep_builds, settings.keep_environments)
        tidy(shelf, needs.refs)

    def _environment(self, build: Build, loop: dict[str, str]) -> dict[str, str]:
        """All that a step gets: the machine, loop.env and the build, nothing of this server."""
        machine = self.settings.machine
        return {
            **machine,
            **loop,
            "PATH": f"{sysconfig.get_path('scripts')}:{machine.get('PATH', '')}",
            "CI": "true",
            "GIT_COMMIT": build.sha,
            "GIT_BRANCH": build.branch,
            "BRANCH_NAME": build.branch,
            "JOB_NAME": build.repository,
            "BUILD_NUMBER": str(build.number),
            "BUILD_URL": self.settings.build_url(build.repository, build.number),
            "WORKSPACE": str(self.settings.workspace(build.repository)),
        }


class Run:
    """The stages of one build."""

    def __init__(self, builder: Builder, build: Build, pipeline: Pipeline, execution: Execution) -> None:
        self.builder = builder
        self.build = build
        self.pipeline = pipeline
        self.execution = execution.until(pipeline.options.timeout)
        self.log = execution.runner.log

    def stages(self) -> tuple[str, str]:
        """Run them; the state and what to say. Raises StepFailed or Stopped, after the pipeline's `post`."""
        self.builder.store.plan_stages(self.build, [stage.name for stage in self.pipeline.stages])
        started = time.monotonic()
        try:
            done = sum(self._stage(position, stage) for position, stage in enumerate(self.pipeline.stages))
        except StepFailed:
            self._finally(False)
            raise
        self._finally(True)
        return "success", f"{done} {'stage' if done == 1 else 'stages'} in {time.monotonic() - started:.0f} s"

    def _stage(self, position: int, stage: Stage) -> bool:
        """Run a stage; whether it was for this branch."""
        if not stage.runs_on(self.build.branch):
            self.log.say(f"[{stage.name}] skipped: only for the branch {stage.branch}")
            self.builder.store.mark_stage(self.build, position, "skipped")
            return False
        self.log.say(f"[{stage.name}]")
        self.builder.store.mark_stage(self.build, position, "running")
        self.builder.post(self.build, "pending", f"stage {stage.name}")
        began = time.time()
        try:
            self._steps(stage)
        except StepFailed as error:
            self.builder.store.mark_stage(self.build, position, "failed")
            tests = self.log.masked(failed_tests(self.execution.folder, stage, began))
            raise type(error)(f"stage {stage.name}: {error}{tests}") from error
        self.builder.store.mark_stage(self.build, position, "passed")
        return True

    def _steps(self, stage: Stage) -> None:
        execution = self.execution.until(stage.options.timeout or self.builder.settings.stage_timeout)
        try:
            execution.run(stage.steps)
        except StepFailed:
            self._after(stage.post.steps(False))
            raise
        self._clean_up().run(stage.post.steps(True))

    def _clean_up(self) -> Execution:
        """Steps of `post` have time of their own: they run after a timeout too."""
        return Execution(
            self.execution.runner, self.execution.folder, self.execution.env, float("inf")
        ).until(self.builder.settings.stage_timeout)

    def _after(self, steps: tuple) -> None:
        """Run steps after a failure; the first failure stays the reason."""
        try:
            self._clean_up().run(steps)
        except StepFailed as error:
            self.log.say(f"post: {error}")

    def _finally(self, passed: bool) -> None:
        steps = self.pipeline.post.steps(passed)
        if not passed:
            self._after(steps)
            return
        try:
            self._clean_up().run(steps)
        except StepFailed as error:
            raise type(error)(f"post: {error}") from error
