"""What people copy from a table is whole, however narrow the terminal is."""

import io

from rich.console import Console

from sandbox import console


def test_only_details_are_broken_in_a_narrow_terminal():
    narrow = Console(file=io.StringIO(), width=40)
    password, address = "p" * 32, "http://127.0.0.1:8803"
    console.show(
        console.table(["Address", "Password", "Detail"], [[address, password, "word " * 20]]), narrow
    )
    printed = narrow.file.getvalue()
    assert password in printed
    assert address in printed


def test_json_is_left_as_it_is(capsys):
    console.emit_json({"detail": "tests/x.py:100: [red]error[/]"})
    assert "tests/x.py:100: [red]error[/]" in capsys.readouterr().out
