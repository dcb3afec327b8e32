"""Accounts, and what failures of MySQL are called; the work on a real server is in tests/stack."""

import socket
import threading

import pytest
from pymysql.err import InternalError, OperationalError

from sandbox.clients import mysql
from sandbox.clients.mysql import MySqlAway, MySqlError
from sandbox.steps import databases

PASSWORDS = {name: f"secret-of-{name}" for name in databases.USERS}


def grants() -> dict[str, dict[str, tuple[str, ...]]]:
    return {account.name: dict(account.grants) for account in databases.accounts(PASSWORDS)}


def test_owners_may_do_all_in_their_own_database_alone():
    for name in ("mlflow", "airflow", "serving"):
        assert grants()[name] == {f"`{name}`.*": ("ALL PRIVILEGES",)}


def test_grafana_only_reads_and_the_exporter_sees_no_rows():
    assert grants()["grafana"] == {"`mlflow`.*": ("SELECT",), "`serving`.*": ("SELECT",)}
    assert grants()["exporter"] == {"*.*": ("PROCESS", "REPLICATION CLIENT")}
    (exporter,) = [account for account in databases.accounts(PASSWORDS) if account.name == "exporter"]
    assert exporter.connections == 3


def test_no_password_is_shown():
    assert "secret-of" not in repr(databases.accounts(PASSWORDS))


def test_a_line_of_grants_is_read_without_the_order_of_its_privileges():
    line = "GRANT SELECT, INSERT ON `a``b`.* TO `x`@`%`"
    assert mysql._parsed(line) == ("`a``b`.*", ("INSERT", "SELECT"), "`x`@`%`")


@pytest.mark.parametrize(
    "line",
    [
        "GRANT `admin`@`%` TO `x`@`%`",
        "GRANT SELECT ON `x`.* TO `x`@`%` WITH GRANT OPTION",
        "REVOKE SELECT ON `x`.* FROM `x`@`%`",
        "GRANT USAGE ON *.* TO `x`@`%` WITH GRANT OPTION",
    ],
)
def test_a_right_of_another_form_never_equals_a_wanted_one(line):
    assert mysql._grants_something(line)
    assert mysql._parsed(line) != ("`x`.*", ("SELECT",), "`x`@`%`")


def test_a_user_without_rights_has_one_line_that_means_nothing():
    assert not mysql._grants_something("GRANT USAGE ON *.* TO `x`@`%`")


def test_a_name_is_quoted():
    assert mysql.all_of("a`b") == "`a``b`.*"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperationalError(1045, "Access denied for user 'sandbox'@'172.18.0.1'"), "B01"),
        (OperationalError(1227, "Access denied; you need CREATE USER"), "B01"),
        (OperationalError(2003, "Can't connect"), "B02"),
        (OperationalError(2013, "Lost connection to MySQL server during query"), "B02"),
        (OperationalError(1053, "Server shutdown in progress"), "B02"),
        (OperationalError(1021, "Disk full (/tmp); waiting for someone to free some space..."), "B03"),
        (InternalError(3, "Error writing file './x' (OS errno 28 - No space left on device)"), "B03"),
        (OperationalError(1114, "The table 'remembered' is full"), "B03"),
        (OperationalError(3675, "Create table/tablespace 'remembered' failed, as disk is full"), "B03"),
        (InternalError(28, "No space left"), "B03"),
        (OperationalError(1030, "Got error 28 - 'No space left on device' from storage engine"), "B03"),
        (OperationalError(3678, "Schema directory './x/' (errno: 28)"), "B03"),
        (OperationalError(1030, "Got error 280"), "B04"),
        (OperationalError(1819, "Your password does not satisfy the current policy"), "B04"),
        (ConnectionResetError(104, "reset"), "B02"),
        (TimeoutError("timed out"), "B02"),
    ],
)
def test_an_error_has_its_code_and_a_command(error, code):
    with pytest.raises(MySqlError) as caught, mysql._explained(8809):
        raise error
    assert str(caught.value).startswith(f"{code} ")
    assert caught.value.hint
    assert isinstance(caught.value, MySqlAway) == (code == "B02")


def test_no_server_is_away():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MySqlAway, match=rf"^B02 .*127.0.0.1:{port}"):
        databases.prepare(port, "admin", PASSWORDS, patience=0)


@pytest.mark.parametrize("greeting", [b"", b"\x05\x00\x00\x00hello", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_hangs_up_or_speaks_something_else_is_an_error_of_ours(greeting):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(MySqlError, match=r"^B0[24] "):
            databases.prepare(listener.getsockname()[1], "admin", PASSWORDS, patience=0)
        thread.join()
