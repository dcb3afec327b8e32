"""Errors a person can do something about.

SandboxError
├── SettingsError      a value in .env
├── MachineError       something the machine lacks: Git, disk, a port
├── ServiceError       a service that does not start or does not answer
└── LoopError          a loop, commit or model that is not there or did not pass
    └── UnknownReference   a REF that names nothing
"""


class SandboxError(Exception):
    """What failed and where, in one sentence; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(SandboxError):
    """A value in .env cannot be used."""


class MachineError(SandboxError):
    """The machine lacks something."""


class ServiceError(SandboxError):
    """A service does not start, stop or answer."""


class LoopError(SandboxError):
    """A loop, commit or model is not there or did not pass."""


class UnknownReference(LoopError):
    """No loop has this name."""

    def __init__(self, ref: str) -> None:
        super().__init__(
            f"Nothing here is called {ref!r}.",
            "Give a pushed commit, a tag, a model version (3 or iris/3), a run id, the id of a request,"
            " or nothing: the newest",
        )
        self.ref = ref
