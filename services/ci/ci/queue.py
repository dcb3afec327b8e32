"""The build queue: one thread for each repository, builds in the order of their pushes.

Builds of different repositories run side by side, as many as there are processors.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading

from ci.building import Builder
from ci.errors import CiError
from ci.process import end_group, started_at
from ci.repositories import Repositories
from ci.settings import ServerSettings
from ci.statuses import Statuses
from ci.store import Build, Store

LOG = logging.getLogger(__name__)
PAUSE_AFTER_ERROR = 5.0
SECONDS_BETWEEN_LOOKS = 60.0  # for pushes whose hook did not get through
AT_ONCE = max(2, os.cpu_count() or 2)  # more builds than processors only make the first one later


class BuildQueue:
    """Accepts pushes and builds them; `start` first takes up what an earlier server left."""

    def __init__(self, settings: ServerSettings, store: Store) -> None:
        self.store = store
        self.repositories = Repositories(settings.git_root)
        self.stopping = threading.Event()
        self.builder = Builder(settings, store, Statuses(store), self.repositories, self.stopping)
        self._started = False
        self._changed = threading.Condition()
        self._threads: dict[str, threading.Thread] = {}
        self._watcher = threading.Thread(target=self._watch, name="missed-pushes")
        self._places = threading.Semaphore(AT_ONCE)

    def submit(self, repository: str, ref: str, sha: str, delivery: str = "") -> Build:
        """The build of a push; a push that is known already keeps the build it has. Raises CiError."""
        commit = self.repositories.commit(repository, sha)
        with self._changed:  # or the build could end before its first status is written
            build, is_new = self.store.add_build(repository, ref, commit, delivery)
            if is_new:
                self._announce(build)
        return build

    def _announce(self, build: Build) -> None:
        self.builder.post(build, "pending", f"queued as build {build.number}")
        LOG.info("%s %s is build %s", build.repository, build.ref, build.number)
        self._wake(build.repository)

    def start(self) -> None:
        """End what is left of earlier steps, queue unfinished builds and missed pushes, and work."""
        for repository, leader, started in self.store.processes():
            if started and started_at(leader) == started:
                end_group(leader)
            self.store.forget_process(repository)
        with self._changed:  # no thread may take a build before all are in order
            self._started = True
            for build in self.store.unfinished():
                self.store.requeue(build.repository, build.number)
                self._announce(build)
            for repository in self.repositories.names():
                self._find_missed(repository)
        self._watcher.start()

    def _watch(self) -> None:
        """Look for missed pushes now and then until the server ends."""
        while not self.stopping.wait(SECONDS_BETWEEN_LOOKS):
            try:
                for repository in self.repositories.names():
                    self._find_missed(repository)
            except (sqlite3.Error, OSError):
                LOG.exception("cannot look for missed pushes; trying again")

    def _find_missed(self, repository: str) -> None:
        """Queue every branch head that no build was made for."""
        try:
            for ref, sha in self.repositories.heads(repository):
                if not self.store.is_pushed(repository, ref, sha):
                    self.submit(repository, ref, sha)
        except CiError as error:
            LOG.error("cannot look for missed pushes in %s: %s", repository, error)

    def stop(self) -> None:
        """End running steps and wait for the threads; what was running is queued again."""
        with self._changed:
            self.stopping.set()
            self._changed.notify_all()
            threads = list(self._threads.values())
            if self._watcher.is_alive():
                threads.append(self._watcher)
        for thread in threads:
            thread.join()

    def dead_threads(self) -> list[str]:
        """Repositories whose thread has ended although the server has not."""
        with self._changed:
            return sorted(name for name, thread in self._threads.items() if not thread.is_alive())

    def _wake(self, repository: str) -> None:
        if not self._started or self.stopping.is_set():
            return
        if repository not in self._threads:
            thread = threading.Thread(target=self._work, args=(repository,), name=f"build-{repository}")
            self._threads[repository] = thread
            thread.start()
        self._changed.notify_all()

    def _work(self, repository: str) -> None:
        while not self.stopping.is_set():
            try:
                build = self._next(repository)
                if build is not None:
                    self._build(build)
            except (sqlite3.Error, OSError):  # a full disk, say: the thread has to outlive it
                LOG.exception("the queue of %s cannot go on; trying again", repository)
                self.stopping.wait(PAUSE_AFTER_ERROR)

    def _build(self, build: Build) -> None:
        with self._places:
            if not self.stopping.is_set():
                self.builder.build(build)

    def _next(self, repository: str) -> Build | None:
        """The next build, None where the server is ending."""
        with self._changed:
            while not self.stopping.is_set():
                build = self.store.next_build(repository)
                if build is not None:
                    return build
                self._changed.wait()
        return None
