"""supervisord's configuration file (http://supervisord.org/configuration.html)."""

import sys
from pathlib import Path

from sandbox.drivers import clean_start
from sandbox.drivers.processes import Process
from sandbox.errors import SettingsError
from sandbox.settings import Settings

STOP_SECONDS = 15  # from SIGTERM to SIGKILL


def render(processes: list[Process], settings: Settings, state: Path, socket: Path) -> str:
    """The whole file. Raises SettingsError for a value that it cannot carry."""
    rotation = (f"{settings.log_megabytes}MB", str(settings.log_files))
    logs = state / "logs"
    server = {
        "logfile": str(logs / "supervisord.log"),
        "pidfile": str(state / "supervisord.pid"),
        "childlogdir": str(logs),
        "logfile_maxbytes": rotation[0],
        "logfile_backups": rotation[1],
    }
    sections = [
        _section("unix_http_server", {"file": str(socket), "chmod": "0600"}),
        _section("supervisord", server),
        _section("supervisorctl", {"serverurl": f"unix://{socket!s}"}),
        _section("rpcinterface:supervisor", {"supervisor.rpcinterface_factory": RPC}),
    ]
    sections += [_program(process, logs, rotation) for process in processes]
    return "\n".join(sections)


RPC = "supervisor.rpcinterface:make_main_rpcinterface"


def _program(process: Process, logs: Path, rotation: tuple[str, str]) -> str:
    values = sorted(process.environment.items())
    argv = [sys.executable, "-I", clean_start.__file__, *process.argv]
    return _section(
        f"program:{process.name}",
        {
            "command": " ".join(quote("the command", word) for word in argv),
            "directory": str(process.directory),
            "environment": ",".join(f"{name}={quote(name, value)}" for name, value in values),
            "autorestart": "true",
            "startretries": "10",
            "stopwaitsecs": str(STOP_SECONDS),
            "stopasgroup": "true",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(logs / f"{process.name}.log"),
            "stdout_logfile_maxbytes": rotation[0],
            "stdout_logfile_backups": rotation[1],
        },
    )


def _section(name: str, values: dict[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())


def quote(name: str, value: str) -> str:
    """supervisord's own quoting: one kind of quote around a value that lacks it, per cent signs doubled."""
    mark = "'" if '"' in value else '"'
    if mark in value or "\n" in value or " ;" in value or " #" in value:
        raise SettingsError(
            f"supervisord cannot be given the value of {name}: it mixes both kinds of quotes, or holds a "
            "line break, a semicolon or a hash after a space.",
            f"Change {name} in .env or in your shell, then: make up",
        )
    return mark + value.replace("%", "%%") + mark
