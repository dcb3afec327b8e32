"""MySQL by its published port: databases and accounts put right, in the SQL of MySQL 8.4 and 9.7.

Every account is `name@'%'` with caching_sha2_password. Whether a password is the wanted one is asked of the
server by a login, so that nothing about it is stored here.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from sandbox.endpoints import OWNER
from sandbox.errors import ServiceError

ADMIN = OWNER
MEMORY = "sandbox.remembered"  # a table that only the administrator sees
HOST = "127.0.0.1"
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 10, 60  # seconds

REFUSED = {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, 1227, 1698}
AWAY = {
    *(CR.CR_CONNECTION_ERROR, CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST),
    *(ER.SERVER_SHUTDOWN, ER.CON_COUNT_ERROR),
}
DISK_FULL = {
    ER.DISK_FULL,
    ER.RECORD_FILE_FULL,
    28,
    3,
    20,
}  # below 1000: mysys' own, EE_WRITE is 3 and EE_DISK_FULL is 20
NO_SPACE = re.compile(r"(errno:? |error )28\b|No space left|disk is full", re.IGNORECASE)
LOGGED_IN = {ER.USER_LIMIT_REACHED, ER.TOO_MANY_USER_CONNECTIONS}  # answered after the password was checked
GRANT = re.compile(r"GRANT (?P<privileges>.+) ON (?P<target>\S+) TO (?P<rest>.+)")

Grants = Mapping[str, tuple[str, ...]]


class MySqlError(ServiceError):
    """MySQL refused or could not do something (B01, B03, B04)."""


class MySqlAway(MySqlError):
    """Nothing that speaks MySQL answers: down, or still starting (B02)."""


@dataclass(frozen=True)
class Account:
    """A login. `grants`: targets as `SHOW GRANTS` writes them, to privileges; nothing else is allowed."""

    name: str
    password: str = field(repr=False)
    grants: Grants
    connections: int = 0  # at once; 0 has no limit


def all_of(database: str) -> str:
    """The target of a grant on a whole database."""
    return f"{_quoted(database)}.*"


class MySql:
    """One connection as the administrator. Raises MySqlAway where there is no server, else MySqlError."""

    def __init__(self, port: int, password: str) -> None:
        self.port = port
        with _explained(port):
            self._connection = self._login(ADMIN, password)

    def __enter__(self) -> "MySql":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def put_database(self, name: str) -> str:
        """Make the database, or give it utf8mb4; says what it did, or nothing."""
        query = "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = %s"
        rows = self._ask(query, name)
        if rows == [("utf8mb4",)]:
            return ""
        verb = "ALTER" if rows else "CREATE"
        self._ask(f"{verb} DATABASE {_quoted(name)} CHARACTER SET utf8mb4")
        return f"character set of {name}" if rows else f"database {name}"

    def put_account(self, account: Account) -> str:
        """Make the account as it should be; says what it did, or nothing.

        A changed password alone is replaced. An account that was altered otherwise is made anew: what it may
        have gathered (roles, other hosts, a second password) has too many forms to be taken away singly.
        """
        hosts = self._ask("SELECT host FROM mysql.user WHERE user = %s", account.name)
        if not (self._has_attributes(account) and self._has_grants(account)):
            self._make(account, [host for (host,) in hosts])
            return f"rights of {account.name}" if hosts else f"user {account.name}"
        if self._accepts(account):
            return ""
        self._ask("ALTER USER %s@'%%' IDENTIFIED BY %s", account.name, account.password)
        return f"password of {account.name}"

    def remembered(self) -> dict[str, str]:
        """What was remembered beside the data, by name."""
        self._ask(f"CREATE TABLE IF NOT EXISTS {MEMORY} (name VARCHAR(64) PRIMARY KEY, value TEXT NOT NULL)")
        return dict(self._ask(f"SELECT name, value FROM {MEMORY}"))

    def remember(self, values: Mapping[str, str]) -> None:
        """Remember more, beside the data and as long as it."""
        for name, value in values.items():
            self._ask(f"INSERT INTO {MEMORY} VALUES (%s, %s)", name, value)

    def _has_attributes(self, account: Account) -> bool:
        query = (
            "SELECT host, plugin, account_locked, password_expired, password_lifetime, ssl_type,"
            " user_attributes, max_user_connections, max_questions, max_updates, max_connections"
            " FROM mysql.user WHERE user = %s"
        )
        right = ("%", "caching_sha2_password", "N", "N", None, "", None, account.connections, 0, 0, 0)
        return self._ask(query, account.name) == [right]

    def _has_grants(self, account: Account) -> bool:
        lines = [line for (line,) in self._ask("SHOW GRANTS FOR %s@'%%'", account.name)]
        return sorted(map(_parsed, filter(_grants_something, lines))) == sorted(
            (target, tuple(sorted(privileges)), f"{_quoted(account.name)}@`%`")
            for target, privileges in account.grants.items()
        )

    def _make(self, account: Account, hosts: list[str]) -> None:
        for host in hosts:
            self._ask("DROP USER %s@%s", account.name, host)
        self._ask(
            "CREATE USER %s@'%%' IDENTIFIED WITH caching_sha2_password BY %s WITH MAX_USER_CONNECTIONS %s",
            *(account.name, account.password, account.connections),
        )
        for target, privileges in account.grants.items():
            self._ask(f"GRANT {', '.join(privileges)} ON {target} TO %s@'%%'", account.name)

    def _accepts(self, account: Account) -> bool:
        with _explained(self.port):
            try:
                self._login(account.name, account.password).close()
            except pymysql.MySQLError as error:
                if error.args[0] == ER.ACCESS_DENIED_ERROR:
                    return False
                if error.args[0] not in LOGGED_IN:
                    raise
            return True

    def _ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with _explained(self.port), self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def _login(self, user: str, password: str) -> "pymysql.Connection[Any]":
        """Over TLS where the server has it; else caching_sha2_password encrypts with the server's RSA key."""
        return pymysql.connect(
            host=HOST,
            port=self.port,
            user=user,
            password=password.encode(),
            sql_mode="STRICT_ALL_TABLES",  # ANSI_QUOTES would change what SHOW GRANTS prints
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=ANSWER_TIMEOUT,
            write_timeout=ANSWER_TIMEOUT,
        )


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _grants_something(line: str) -> bool:
    return not line.startswith("GRANT USAGE ON *.* TO ") or " WITH " in line


def _parsed(line: str) -> tuple[str, tuple[str, ...], str]:
    """Target, sorted privileges and the rest of a line; a line that is no such grant is all rest."""
    found = GRANT.fullmatch(line)
    if not found:
        return "", (), line
    return found["target"], tuple(sorted(found["privileges"].split(", "))), found["rest"]


@contextmanager
def _explained(port: int) -> Iterator[None]:
    """Raise what the driver or the server says as an error with a code, a cause and a command."""
    try:
        yield
    except pymysql.MySQLError as error:
        raise _failure(port, *(*error.args, "")[:2]) from error
    except OSError as error:
        raise _failure(port, CR.CR_SERVER_LOST, str(error)) from error
    except (struct.error, ValueError, IndexError) as error:  # the driver read what no MySQL writes
        raise _failure(port, "nonsense", str(error)) from error


def _failure(port: int, number: object, text: str) -> MySqlError:
    """`number` is the server's or the driver's; without one the driver did not understand the answer."""
    logs = "Run: make logs SERVICE=mysql"
    if not isinstance(number, int):
        return MySqlError(
            f"B04 What answers on {HOST}:{port} is no MySQL: {number} {text}", "Run: make status"
        )
    if number in DISK_FULL or NO_SPACE.search(text):
        return MySqlError(
            f"B03 MySQL has no disk left: {text}",
            "Make room (docker system df shows what Docker holds), then: make up",
        )
    if number in AWAY:
        return MySqlAway(f"B02 MySQL does not answer on {HOST}:{port}: {text}", logs)
    if number in REFUSED:
        return MySqlError(
            f"B01 MySQL on {HOST}:{port} refuses MYSQL_ADMIN_PASSWORD of .env for {ADMIN}: {text}",
            "It takes that password when it starts. Run: make down, then make up",
        )
    return MySqlError(f"B04 MySQL answered {number}: {text}", logs)
