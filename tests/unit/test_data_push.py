"""`data push`: what is no table is refused before it is put, and only what the loop reads starts it."""

import io
from types import SimpleNamespace

import pytest

from sandbox import data_push
from sandbox.data_push import RawSettings, check_csv, push_data, read_settings
from sandbox.endpoints import Address
from sandbox.errors import LoopError
from sandbox.git import IDENTITY, git
from sandbox.raw_store import Bucket, Folder, raw_store
from sandbox.steps import raw_data

RAW = RawSettings("iris.csv", ",", "utf-8", "species")
TABLE = "a,species\n1,setosa\n"


@pytest.fixture
def context(tmp_path):
    """A data store in a folder, and data_preprocessing with a params.yaml."""
    data = Address("", f"file://{tmp_path / 'data'}")
    endpoints = SimpleNamespace(
        data=SimpleNamespace(outside=data.outside, folder=data.folder),
        clone_url=lambda name: f"file://{tmp_path / name}",
    )
    return SimpleNamespace(endpoints=endpoints)


@pytest.fixture
def started(monkeypatch):
    runs = []
    monkeypatch.setattr(
        data_push, "start_and_follow", lambda _context, dag, conf, _s: runs.append((dag, conf))
    )
    return runs


@pytest.fixture
def params(tmp_path):
    """A function that makes data_preprocessing with a params.yaml."""

    def make(text):
        folder = tmp_path / "data_preprocessing"
        folder.mkdir()
        (folder / "params.yaml").write_text(text)
        git("init", "--quiet", "--initial-branch=main", folder=folder, env=IDENTITY)
        git("add", "params.yaml", folder=folder, env=IDENTITY)
        git("commit", "--quiet", "--message", "One", folder=folder, env=IDENTITY)

    return make


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "new.csv"
    path.write_text(TABLE)
    return path


def test_the_file_replaces_what_the_loop_reads_and_starts_it(context, params, started, table, tmp_path):
    params("raw: {file: in/iris.csv}\ndataset: {target: species}\n")
    (tmp_path / "data/in").mkdir(parents=True)
    (tmp_path / "data/in/iris.csv").write_text("old")
    push_data(context, table, "", 1)
    assert [path.name for path in (tmp_path / "data/in").iterdir()] == ["iris.csv"]
    assert (tmp_path / "data/in/iris.csv").read_text() == TABLE
    assert started == [("train_and_serve", {"reason": "data"})]


def test_a_name_that_the_loop_does_not_read_starts_nothing(context, params, started, table, tmp_path):
    params("raw: {file: iris.csv}\ndataset: {target: species}\n")
    receipt = push_data(context, table, "other.csv", 1)
    assert (tmp_path / "data/other.csv").read_text() == TABLE
    assert (receipt.state, started) == ("skipped", [])
    assert "name other.csv in raw.file" in receipt.stages[0].detail


def test_where_a_query_gives_the_rows_a_file_is_refused(context, params, table, started):
    params("raw: {query: SELECT 1, url_env: X}\ndataset: {target: species}\n")
    with pytest.raises(LoopError, match="by a query"):
        push_data(context, table, "", 1)
    assert started == []


@pytest.mark.parametrize("name", ["../x.csv", "/x.csv", "a/../../x.csv", "."])
def test_a_name_outside_the_store_is_refused(context, params, table, tmp_path, name):
    params("raw: {file: iris.csv}\ndataset: {target: species}\n")
    with pytest.raises(LoopError, match="no name in the data store"):
        push_data(context, table, name, 1)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["", "raw: iris.csv\n", "raw: {file: a}\n", "raw: [\n"])
def test_a_params_file_that_says_nothing_of_the_raw_data_is_named(context, params, text):
    params(text)
    with pytest.raises(LoopError, match=r"params\.yaml of data_preprocessing"):
        read_settings(context)


def test_delimiter_and_encoding_are_those_of_params(context, params):
    params("raw: {file: ./a.csv, delimiter: ';', encoding: latin-1}\ndataset: {target: y}\n")
    assert read_settings(context) == RawSettings("a.csv", ";", "latin-1", "y")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"1,setosa\n2,setosa\n", "names no column 'species'"),
        (b"a;species\n1;setosa\n", "names no column 'species'"),
        (b"a,species\n", "a header and no rows"),
        (b"a,species\n\xff,setosa\n", "is not in utf-8"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, said):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(LoopError, match=said) as caught:
        check_csv(tmp_path / "x.csv", RAW)
    assert caught.value.hint


def test_a_table_is_taken(table):
    check_csv(table, RAW)


class FakeS3:
    """Objects of one bucket."""

    def __init__(self):
        self.objects = {}

    def has_object(self, bucket, name):
        return (bucket, name) in self.objects

    def put_object(self, bucket, name, source):
        self.objects[bucket, name] = source.read()


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_the_first_raw_data_are_put_once_whatever_the_store(monkeypatch, tmp_path, kind):
    store = Folder(tmp_path) if kind == "folder" else Bucket(FakeS3(), "data")
    monkeypatch.setattr(raw_data, "raw_store", lambda _context: store)
    assert raw_data.run(None) == "iris.csv (150 rows)"
    store.put("iris.csv", io.BytesIO(b"mine"))
    assert raw_data.run(None) == ""


def test_the_address_decides_where_raw_data_lie(monkeypatch, context, settings):
    assert isinstance(raw_store(context), Folder)
    context.endpoints.data.outside, context.settings = "s3://data", settings
    opened = []
    monkeypatch.setattr("sandbox.clients.s3.S3Store", lambda *login: opened.append(login))
    store = raw_store(context)
    assert isinstance(store, Bucket)
    assert store.bucket == "data"
    assert opened == [(settings.minio_port, settings.minio_root_password)]
