"""The engine that builds and runs images, by the docker client."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from ci.errors import ImageError
from ci.images import Say

LAST_LINES = 15


@dataclass(frozen=True)
class Engine:
    """The engine that DOCKER_HOST in `environment` names, else this machine's."""

    environment: Mapping[str, str]
    say: Say

    def check(self) -> None:
        """Raises ImageError where there is no docker client or no engine answers."""
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        try:
            done = subprocess.run(command, env=self.environment, capture_output=True, encoding="utf-8")
        except OSError as error:
            raise ImageError(f"The command docker cannot be run ({error.strerror}); install it.") from error
        if done.returncode:
            where = self.environment.get("DOCKER_HOST") or "this machine"
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ImageError(f"No Docker Engine answers at {where} (DOCKER_HOST): {reason}")

    def call(self, *arguments: str) -> None:
        """Run `docker arguments`, its output said line by line. Raises ImageError with its last lines."""
        last: deque[str] = deque(maxlen=LAST_LINES)
        with subprocess.Popen(
            ["docker", *arguments],
            env={**self.environment, "DOCKER_BUILDKIT": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                self.say(line.rstrip())
                last.append(line.rstrip())
        if process.returncode:
            said = "\n".join(line for line in last if line)
            raise ImageError(f"docker {arguments[0]} failed ({process.returncode}). Its last lines:\n{said}")

    def become(self, arguments: list[str], environment: Mapping[str, str]) -> NoReturn:
        """Become `docker arguments`: signals, streams and the exit code are the command's own."""
        os.execvpe("docker", ["docker", *arguments], {**environment, **self.environment})
