"""Errors a person can do something about.

SandboxError
├── SettingsError      a value in .env
├── MachineError       something the machine lacks: Git, disk, a port
├── ServiceError       a service that does not start or does not answer
└── LoopError          a loop, commit or model that is not there or did not pass
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
