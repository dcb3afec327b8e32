"""The challenger: a second version that answers a share of the requests, or none of them."""

import hashlib
from dataclasses import dataclass

from prediction_api.identity import Identity
from prediction_api.model import Model

CHAMPION, CHALLENGER, SHADOW = "champion", "challenger", "shadow"
ROLES = (CHAMPION, CHALLENGER)  # those that answer
SPACE = 1 << 64


@dataclass(frozen=True)
class Challenge:
    """What MLflow asks for: a version, its share of the requests in percent, or the shadow."""

    identity: Identity
    percent: float
    shadow: bool

    def describe(self) -> dict[str, object]:
        """The challenge as JSON."""
        mode = "shadow" if self.shadow else "split"
        return {"name": self.identity.name, "version": self.identity.version} | {
            "git_sha": self.identity.git_sha,
            "data_version": self.identity.data_version,
            "percent": self.percent,
            "mode": mode,
        }


@dataclass(frozen=True)
class Challenger:
    """A loaded challenger."""

    model: Model
    challenge: Challenge

    def takes(self, key: str) -> bool:
        """Whether requests of this key are its own; the same key always gives the same answer.

        Another version draws its keys anew, so that not the same users meet every experiment.
        """
        if self.challenge.shadow:
            return False
        salted = f"{self.challenge.identity.name}/{self.challenge.identity.version}:{key}".encode()
        place = int.from_bytes(hashlib.blake2b(salted, digest_size=8).digest(), "big")
        return place * 100 < self.challenge.percent * SPACE
