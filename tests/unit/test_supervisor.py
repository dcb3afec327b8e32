"""supervisord's configuration carries any value, and one that it cannot carry is refused by name."""

from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from sandbox.drivers.processes import Process
from sandbox.drivers.supervisor_config import quote, render
from sandbox.errors import SettingsError


def read_back(text: str, folder: Path) -> ServerOptions:
    """The configuration as supervisord itself understands it."""
    path = folder / "supervisord.conf"
    path.write_text(text)
    options = ServerOptions()
    options.realize(["-c", str(path)])
    return options


@pytest.mark.filterwarnings("ignore:Supervisord is running as root:UserWarning")
@pytest.mark.parametrize("place", ["plain", "with space", "it's"])
def test_every_value_reads_back_as_it_was(tmp_path, settings, place):
    state = tmp_path / place
    (state / "logs").mkdir(parents=True)
    environment = {
        "JSON": '[{"name": "x"}]',
        "URL": "http://h:1/?a=b,c",
        "PLAIN": "a b",
        "APOSTROPHE": "it's",
        "PERCENT": "50%",
        "EMPTY": "",
    }
    argv = ["/bin/echo", str(state / "a file"), "50%"]
    card = Process("echo", argv, environment, directory=state)
    options = read_back(render([card], settings, state, state / "s.sock"), tmp_path)
    (program,) = options.process_group_configs[0].process_configs
    assert program.environment == environment
    assert program.directory == str(state)
    assert program.stdout_logfile == str(state / "logs/echo.log")


@pytest.mark.parametrize("value", ['it\'s "so"', "a\nb", "x ;y", "x #y"])
def test_a_value_that_cannot_be_carried_is_refused_by_name_and_not_shown(value):
    with pytest.raises(SettingsError) as caught:
        quote("RAW_DATABASE_URL", value)
    assert "RAW_DATABASE_URL" in str(caught.value)
    assert value not in str(caught.value)
