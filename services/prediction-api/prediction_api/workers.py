"""What every worker serves, in one small file per worker, so that each can answer for all."""

import json
import os
from pathlib import Path
from typing import Any

from prediction_api.challenger import Challenge
from prediction_api.identity import Identity
from prediction_api.storage import write_json


class Workers:
    """The workers of one instance, seen from one of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def announce(self, identity: Identity | None, challenge: Challenge | None = None) -> None:
        """Say what this worker serves, which challenger, and what that one answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        pid = os.getpid()
        name, version = (identity.name, identity.version) if identity else (None, None)
        about = challenge.describe() if challenge else {}
        challenger = {
            "challenger": about.get("version"),
            "challenger_percent": about.get("percent"),
            "challenger_mode": about.get("mode"),
        }
        write_json(self._folder / f"{pid}.json", {"pid": pid, "name": name, "version": version} | challenger)

    def describe(self) -> list[dict[str, Any]]:
        """Every living worker with what it serves."""
        paths = [path for path in sorted(self._folder.glob("[0-9]*.json")) if lives(int(path.stem))]
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def lives(pid: int) -> bool:
    """Whether a process of this id runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
