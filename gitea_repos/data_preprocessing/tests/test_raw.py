import sqlite3

import pytest

from data_preprocessing.errors import Rejected
from data_preprocessing.params import Raw
from data_preprocessing.raw import fetch_raw


@pytest.fixture
def source(tmp_path, monkeypatch):
    folder = tmp_path / "source"
    folder.mkdir()
    monkeypatch.setenv("DATA_URL", folder.as_uri() + "/")
    return folder


@pytest.fixture
def database(tmp_path, monkeypatch):
    path = tmp_path / "raw.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE flowers (width REAL, name TEXT)")
        connection.executemany(
            "INSERT INTO flowers VALUES (?, ?)", [(0.1 + 0.2, "b, c"), (None, "a"), (2.0, "a")]
        )
    connection.close()
    monkeypatch.setenv("RAW_DATABASE_URL", f"sqlite:///{path}")


def ask(query):
    return Raw(query=query, url_env="RAW_DATABASE_URL")


def test_a_file_is_copied_byte_by_byte(source, tmp_path):
    (source / "iris.csv").write_bytes(b"a,b\r\n1,\xff\n" * 300_000)
    assert fetch_raw(Raw(file="iris.csv"), tmp_path).read_bytes() == (source / "iris.csv").read_bytes()


@pytest.mark.usefixtures("source")
def test_a_missing_file_is_named_with_its_place(tmp_path):
    with pytest.raises(Rejected, match=r"There is no file://.*/source/iris.csv: put the raw file there"):
        fetch_raw(Raw(file="iris.csv"), tmp_path)


def test_an_empty_file_is_refused(source, tmp_path):
    (source / "iris.csv").touch()
    with pytest.raises(Rejected, match=r"iris.csv is empty"):
        fetch_raw(Raw(file="iris.csv"), tmp_path)


def test_an_unknown_kind_of_url_is_refused_without_its_password(monkeypatch, tmp_path):
    monkeypatch.setenv("DATA_URL", "nfs5://me:secret@host/data")
    with pytest.raises(Rejected, match="mend DATA_URL") as caught:
        fetch_raw(Raw(file="iris.csv"), tmp_path)
    assert "secret" not in str(caught.value)


def test_without_a_data_url_the_message_says_what_it_is_for(monkeypatch, tmp_path):
    monkeypatch.delenv("DATA_URL", raising=False)
    with pytest.raises(
        Rejected, match=r"DATA_URL is not set: it must hold the URL of the folder with iris.csv"
    ):
        fetch_raw(Raw(file="iris.csv"), tmp_path)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_a_query_gives_the_same_file_in_whatever_order_the_rows_come(tmp_path, order):
    query = f"SELECT name, width FROM flowers ORDER BY width {order}"  # noqa: S608 -- the two words above
    path = fetch_raw(ask(query), tmp_path)
    assert path.read_text() == 'name,width\na,\na,2.0\n"b, c",0.30000000000000004\n'


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT x FROM flowers", "no such column: x"),
        ("SELECT * FROM trees", "no such table: trees"),
        ("SELECT * FROM flowers WHERE width > 9", "gives no rows"),
        ("SELECT x'00' AS picture", "Column picture .* cast it to text"),
    ],
)
def test_a_query_that_gives_no_table_says_why(tmp_path, query, reason):
    with pytest.raises(Rejected, match=reason):
        fetch_raw(ask(query), tmp_path)


@pytest.mark.parametrize("url", ["nonsense", "martian://me:secret@host/db"])
def test_an_unusable_database_url_is_refused_without_its_password(monkeypatch, tmp_path, url):
    monkeypatch.setenv("RAW_DATABASE_URL", url)
    with pytest.raises(Rejected, match="RAW_DATABASE_URL cannot be used") as caught:
        fetch_raw(ask("SELECT 1"), tmp_path)
    assert "secret" not in str(caught.value)
