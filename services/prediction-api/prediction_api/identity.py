"""Which model version this is: what answers, metrics and copies are labelled with."""

from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import quote

#: Stands where a model version lacks the tag, and in headers while no model is served.
UNKNOWN = "unknown"
NONE = "none"
PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


@dataclass(frozen=True)
class Identity:
    """A registered model version; two that differ in anything here are different versions."""

    name: str
    version: str
    run_id: str
    source: str
    created: int
    git_sha: str
    data_version: str

    @classmethod
    def from_registry(cls, version: dict[str, Any]) -> "Identity":
        """Read MLflow's `model_version` object; KeyError, TypeError or ValueError if it is none."""
        tags = {tag["key"]: tag.get("value", "") for tag in version.get("tags", [])}
        return cls(
            name=str(version["name"]),
            version=str(version["version"]),
            run_id=str(version.get("run_id", "")),
            source=str(version.get("source", "")),
            created=int(version.get("creation_timestamp", 0)),
            git_sha=tags.get("code_commit") or UNKNOWN,
            data_version=tags.get("data_version") or UNKNOWN,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Identity":
        """Read what `as_dict` wrote; KeyError, TypeError or ValueError if it is something else."""
        kinds = {field.name: int if field.name == "created" else str for field in fields(cls)}
        return cls(**{name: kind(values[name]) for name, kind in kinds.items()})

    def as_dict(self) -> dict[str, Any]:
        """The identity as JSON."""
        return asdict(self)

    @property
    def labels(self) -> tuple[str, str, str, str]:
        """Name, version, code commit and data version, fit for a header and a metric."""
        return tuple(printable(text) for text in (self.name, self.version, self.git_sha, self.data_version))

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


def model_headers(labels: tuple[str, str, str, str] = (NONE, NONE, NONE, NONE)) -> list[tuple[str, str]]:
    """The headers that say which model answered."""
    names = ("X-Model-Name", "X-Model-Version", "X-Git-Commit", "X-Data-Version")
    return list(zip(names, labels, strict=True))


def printable(text: str) -> str:
    """The text with everything but printable ASCII percent-encoded, at most 200 characters.

    Names and tags are free text in MLflow; a line break must not reach a header.
    """
    return quote(text, safe=PRINTABLE, errors="replace")[:200]
