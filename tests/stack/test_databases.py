"""Databases and accounts on a real MySQL."""

from contextlib import ExitStack, closing
from typing import Any

import pymysql
import pytest
from pymysql.constants import ER

from sandbox.clients.mysql import MySql, MySqlError
from sandbox.steps import databases

ADMIN = "admin-of-the-test"
PASSWORDS = {name: f"first-{name}" for name in databases.USERS}
DATA = "/var/lib/mysql"
PATIENCE = 90.0  # seconds; the first start makes the data folder
EVERYTHING = (
    "database mlflow, database airflow, database serving,"
    " user mlflow, user airflow, user serving, user grafana, user exporter"
)


def init_file(storage: dict[str, Any], password: str) -> dict[str, str]:
    """The file of `--init-file`, as Compose writes it."""
    text = storage["configs"]["mysql-login"]["content"]
    return {"/etc/sandbox.sql": text.replace("${MYSQL_ADMIN_PASSWORD:?}", password)}


def prepare(server, passwords=PASSWORDS, admin=ADMIN) -> str:
    return databases.prepare(server.port, admin, passwords, PATIENCE)


def login(server, user: str, password: str = "") -> "pymysql.Connection[Any]":
    password = password or PASSWORDS[user]
    return pymysql.connect(
        host="127.0.0.1", port=server.port, user=user, password=password.encode(), autocommit=True
    )


def ask(server, user: str, *statements: str, password: str = "") -> list[tuple[Any, ...]]:
    """Run statements as a user; the rows of the last."""
    with closing(login(server, user, password)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def refusal(server, user: str, statement: str = "SELECT 1", password: str = "") -> int:
    """The number of the error that a statement, or the login itself, ends with."""
    with pytest.raises(pymysql.MySQLError) as caught:
        ask(server, user, statement, password=password)
    return int(caught.value.args[0])


@pytest.fixture(scope="module")
def fresh(start, storage):
    """A new server, and what the first preparation said."""
    with start("mysql", 3306, init_file(storage, ADMIN), []) as server:
        yield server, prepare(server)


@pytest.fixture
def server(fresh):
    """The server as it should be."""
    server, _ = fresh
    prepare(server)
    return server


def test_everything_is_made_once(fresh):
    server, said = fresh
    assert said == EVERYTHING
    assert prepare(server) == ""


def test_an_owner_may_do_all_in_its_own_database_alone(server):
    rows = ask(
        server,
        "mlflow",
        "CREATE TABLE mlflow.t (name TEXT)",
        "INSERT INTO mlflow.t VALUES ('größer 🙂')",
        "SELECT name FROM mlflow.t",
    )
    assert rows == [("größer 🙂",)]
    assert refusal(server, "airflow", "SELECT * FROM mlflow.t") == ER.TABLEACCESS_DENIED_ERROR
    assert refusal(server, "mlflow", "CREATE DATABASE another") == ER.DBACCESS_DENIED_ERROR
    assert ask(server, "grafana", "SELECT name FROM mlflow.t") == rows
    assert refusal(server, "grafana", "DELETE FROM mlflow.t") == ER.TABLEACCESS_DENIED_ERROR
    assert refusal(server, "exporter", "SELECT * FROM mlflow.t") == ER.TABLEACCESS_DENIED_ERROR
    ask(server, "mlflow", "DROP TABLE mlflow.t")


def test_the_exporter_sees_what_its_collectors_read(server):
    for statement in (
        "SHOW GLOBAL STATUS",
        "SHOW GLOBAL VARIABLES",
        "SELECT * FROM information_schema.innodb_cmp",
        "SELECT * FROM information_schema.innodb_cmpmem",
        "SELECT * FROM information_schema.innodb_metrics",
        "SHOW ENGINE INNODB STATUS",
    ):
        assert ask(server, "exporter", statement), statement
    assert ask(server, "exporter", "SHOW REPLICA STATUS") == []


def test_the_exporters_connections_are_limited_and_using_them_up_changes_nothing(server):
    with ExitStack() as open_ones:
        for _ in range(databases.EXPORTER_CONNECTIONS):
            open_ones.enter_context(closing(login(server, "exporter")))
        assert refusal(server, "exporter") in {ER.USER_LIMIT_REACHED, ER.TOO_MANY_USER_CONNECTIONS}
        assert prepare(server) == ""


@pytest.mark.parametrize("new", ["plain", """'; DROP DATABASE mlflow; -- \\' " ` %s %""", "pässword 🙂"])
def test_a_changed_password_is_set_without_the_old_one(server, new):
    assert prepare(server, PASSWORDS | {"mlflow": new}) == "password of mlflow"
    assert prepare(server, PASSWORDS | {"mlflow": new}) == ""
    assert ask(server, "mlflow", "SELECT schema()", "USE mlflow", "SELECT 1", password=new) == [(1,)]
    assert refusal(server, "mlflow") == ER.ACCESS_DENIED_ERROR


@pytest.mark.parametrize(
    "change",
    [
        "GRANT SELECT ON airflow.* TO mlflow",
        "GRANT SELECT ON *.* TO mlflow",
        "GRANT BACKUP_ADMIN ON *.* TO mlflow",
        "GRANT GRANT OPTION ON mlflow.* TO mlflow",
        "GRANT helper TO mlflow",
        "REVOKE INSERT ON mlflow.* FROM mlflow",
        "REVOKE ALL, GRANT OPTION FROM mlflow",
        "CREATE USER mlflow@'172.%' IDENTIFIED BY 'x'",
        "ALTER USER mlflow ACCOUNT LOCK",
        "ALTER USER mlflow PASSWORD EXPIRE",
        "ALTER USER mlflow REQUIRE X509",
        "ALTER USER mlflow WITH MAX_USER_CONNECTIONS 1",
        "ALTER USER mlflow IDENTIFIED BY 'second' RETAIN CURRENT PASSWORD",
        "ALTER USER mlflow IDENTIFIED WITH sha256_password BY 'x'",
        "DROP USER mlflow",
    ],
)
def test_an_account_altered_by_hand_is_put_right(server, change):
    before = accounts_of_mlflow(server)
    ask(server, "sandbox", "CREATE ROLE IF NOT EXISTS helper", change, password=ADMIN)
    assert accounts_of_mlflow(server) != before
    expected = "user mlflow" if change.startswith("DROP") else "rights of mlflow"
    assert prepare(server) == expected
    assert accounts_of_mlflow(server) == before
    assert prepare(server) == ""


def accounts_of_mlflow(server) -> Any:
    """Grants and attributes of every account of that name, without times and hashes."""
    columns = "host, plugin, account_locked, password_expired, ssl_type, user_attributes"
    query = f"SELECT {columns}, max_user_connections FROM mysql.user WHERE user='mlflow'"
    rows = ask(server, "sandbox", query, password=ADMIN)
    grants = [ask(server, "sandbox", f"SHOW GRANTS FOR mlflow@'{row[0]}'", password=ADMIN) for row in rows]
    return rows, grants


def test_an_account_that_owns_a_routine_is_made_anew_and_the_routine_still_runs(server):
    ask(server, "mlflow", "CREATE PROCEDURE mlflow.answer() SELECT 42")
    ask(server, "sandbox", "GRANT SELECT ON airflow.* TO mlflow", password=ADMIN)
    assert prepare(server) == "rights of mlflow"
    assert ask(server, "mlflow", "CALL mlflow.answer()") == [(42,)]
    ask(server, "mlflow", "DROP PROCEDURE mlflow.answer")


def test_a_database_of_another_character_set_gets_utf8mb4(server):
    ask(server, "sandbox", "ALTER DATABASE serving CHARACTER SET latin1", password=ADMIN)
    assert prepare(server) == "character set of serving"
    assert prepare(server) == ""


def test_a_wrong_admin_password_is_said(server):
    with pytest.raises(MySqlError, match=r"^B01 .*MYSQL_ADMIN_PASSWORD") as caught:
        databases.prepare(server.port, "not-the-password", PASSWORDS, patience=0)
    assert "not-the-password" not in str(caught.value)


def test_a_lost_env_file_rotates_every_password_and_keeps_the_data(server, storage):
    ask(server, "mlflow", "CREATE TABLE mlflow.kept AS SELECT 7 AS n")
    for path, text in init_file(storage, "another-admin").items():
        server.write(path, text)
    server.container.restart(timeout=60)
    new = {name: f"second-{name}" for name in PASSWORDS}
    assert prepare(server, new, "another-admin") == ", ".join(
        f"password of {name}" for name in databases.USERS
    )
    assert ask(server, "mlflow", "SELECT n FROM mlflow.kept", password=new["mlflow"]) == [(7,)]
    assert refusal(server, "sandbox", password=ADMIN) == ER.ACCESS_DENIED_ERROR


def test_a_full_disk_and_a_server_without_tls(start, storage):
    """Without TLS the passwords go by the server's RSA key; then the disk is filled to the last byte."""
    small = {"tmpfs": {DATA: "size=400m"}, "user": "root"}  # root gives the folder to mysql
    with start("mysql", 3306, init_file(storage, ADMIN), ["--tls-version="], **small) as server:
        assert prepare(server) == EVERYTHING
        assert prepare(server) == ""
        with MySql(server.port, ADMIN) as admin:
            admin.put_database("sandbox")
        server.run("sh", "-c", f"cat /dev/zero >{DATA}/filler 2>/dev/null; test -s {DATA}/filler")
        with MySql(server.port, ADMIN) as admin:
            with pytest.raises(MySqlError, match=r"^B03 "):
                admin.remembered()  # makes a table; a database is but a folder and a user a row
            server.run("rm", f"{DATA}/filler")
            assert admin.remembered() == {}
            admin.remember({"a key": "its digest"})
            assert admin.remembered() == {"a key": "its digest"}
