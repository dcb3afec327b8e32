"""What can go wrong, by what the caller has to do about it.

LoopError
├── Failure       expected: this run cannot go on, trying again would not help
│   ├── Refused   a server understood the request and said no
│   └── Undone    what was begun has been taken back, so that there is nothing to go on with
├── Unreachable   infrastructure: the same step may succeed when it is tried again
└── Crashed       a task's program ended in a way it does not plan for: tried again as well
"""


class LoopError(Exception):
    """Ends a stage with one sentence for people: what, where and how to mend it."""


class Failure(LoopError):
    """The stage has failed for a reason that a retry would not change."""


class Refused(Failure):
    """A server answered with a client error; `status` is the HTTP status, `code` the server's own word."""

    def __init__(self, message: str, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Undone(Failure):
    """A stage was interrupted and took back what it had to answer for; `__cause__` is the interruption."""


class Unreachable(LoopError):
    """A server or repository did not answer, or answered that it cannot work now."""


class Crashed(LoopError):
    """A task's program ended without its result."""
