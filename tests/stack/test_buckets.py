"""Buckets, keys and policies on a real object store."""

import io
from typing import Any

import pytest
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig

from sandbox.clients.s3 import S3Store, S3StoreError, policy, readable
from sandbox.steps import buckets

ROOT_PASSWORD = "root-of-the-test"
SECRETS = {"mlflow": "first-mlflow", "loop": "first-loop"}
PATIENCE = 120.0  # seconds
EVERYTHING = "bucket data, bucket dvc, bucket mlflow, policy mlflow, user mlflow, policy loop, user loop"


def prepare(server, secrets=SECRETS, root=ROOT_PASSWORD) -> str:
    return buckets.prepare(server.port, root, secrets, PATIENCE)


def client(server, user: str, secret: str = "") -> Minio:
    return Minio(f"127.0.0.1:{server.port}", user, secret or SECRETS[user], secure=False, region="us-east-1")


def root(server) -> Minio:
    return client(server, "sandbox", ROOT_PASSWORD)


def admin(server) -> MinioAdmin:
    login = StaticProvider("sandbox", ROOT_PASSWORD)
    return MinioAdmin(endpoint=f"127.0.0.1:{server.port}", credentials=login, secure=False)


def put(store: Minio, bucket: str, name: str = "a/b") -> None:
    store.put_object(bucket, name, io.BytesIO(b"content"), 7)


def get(store: Minio, bucket: str, name: str = "a/b") -> bytes:
    answer = store.get_object(bucket, name)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def refusal(call: Any, *arguments: Any) -> str | None:
    with pytest.raises(S3Error) as caught:
        call(*arguments)
    return caught.value.code


@pytest.fixture(scope="module")
def fresh(start):
    """A new store, and what the first preparation said."""
    login = {"MINIO_ROOT_USER": "sandbox", "MINIO_ROOT_PASSWORD": ROOT_PASSWORD}
    with start("minio", 9000, {}, [], environment=login) as server:
        yield server, prepare(server)


@pytest.fixture
def server(fresh):
    """The store as it should be."""
    server, _ = fresh
    prepare(server)
    return server


def test_everything_is_made_once(fresh):
    server, said = fresh
    assert said == EVERYTHING
    assert prepare(server) == ""


def test_mlflow_reads_and_writes_its_versioned_bucket_alone(server):
    mlflow = client(server, "mlflow")
    put(mlflow, "mlflow")
    assert get(mlflow, "mlflow") == b"content"
    assert root(server).stat_object("mlflow", "a/b").version_id
    assert [found.object_name for found in mlflow.list_objects("mlflow", recursive=True)] == ["a/b"]
    mlflow.remove_object("mlflow", "a/b")
    for bucket in ("data", "dvc"):
        assert refusal(put, mlflow, bucket) == "AccessDenied"
        assert refusal(get, mlflow, bucket) == "AccessDenied"


def test_the_loop_reads_data_and_writes_data_versions(server):
    loop = client(server, "loop")
    put(root(server), "data")
    assert get(loop, "data") == b"content"
    assert refusal(put, loop, "data") == "AccessDenied"
    assert refusal(loop.remove_object, "data", "a/b") == "AccessDenied"
    large = 11 * 1024 * 1024  # in parts
    loop.put_object("dvc", "a/b", io.BytesIO(bytes(large)), large, part_size=5 * 1024 * 1024)
    assert len(get(loop, "dvc")) == large
    assert refusal(get, loop, "mlflow") == "AccessDenied"


def test_a_changed_secret_is_set_without_the_old_one(server):
    new = SECRETS | {"loop": 'second "loop" \\ ü'}
    assert prepare(server, new) == "secret of loop"
    assert prepare(server, new) == ""
    put(client(server, "loop", new["loop"]), "dvc")
    assert refusal(put, client(server, "loop"), "dvc") == "SignatureDoesNotMatch"
    assert prepare(server) == "secret of loop"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda admin: admin.policy_set("consoleAdmin", user="loop"), "rights of loop"),
        (lambda admin: admin.policy_set("loop,readwrite", user="loop"), "rights of loop"),
        (lambda admin: admin.user_disable("loop"), "rights of loop"),
        (lambda admin: admin.policy_add("loop", policy=policy(readable("mlflow"))), "policy loop"),
        (lambda admin: admin.user_remove("loop"), "user loop"),
    ],
)
def test_a_key_altered_by_hand_is_put_right(server, change, said):
    change(admin(server))
    assert prepare(server) == said
    assert prepare(server) == ""
    put(client(server, "loop"), "dvc")
    assert refusal(get, client(server, "loop"), "mlflow") == "AccessDenied"


def test_versioning_is_switched_on_again(server):
    root(server).set_bucket_versioning("mlflow", VersioningConfig(SUSPENDED))
    assert prepare(server) == "versioning of mlflow"
    assert prepare(server) == ""


def test_raw_data_are_put_and_replaced(server):
    store = S3Store(server.port, ROOT_PASSWORD)
    assert not store.has_object("data", "iris.csv")
    store.put_object("data", "iris.csv", io.BytesIO(b"first"))
    assert store.has_object("data", "iris.csv")
    assert get(client(server, "loop"), "data", "iris.csv") == b"first"
    store.put_object("data", "iris.csv", io.BytesIO(b"second"))
    assert get(client(server, "loop"), "data", "iris.csv") == b"second"


def test_a_wrong_root_password_is_said(server):
    with pytest.raises(S3StoreError, match=r"^B11 .*MINIO_ROOT_PASSWORD") as caught:
        prepare(server, root="not-the-password")
    assert "not-the-password" not in str(caught.value)


def test_a_secret_that_is_too_short_is_said(server):
    with pytest.raises(S3StoreError, match=r"^B15 "):
        prepare(server, SECRETS | {"loop": "short"})


def test_a_lost_env_file_rotates_every_secret_and_keeps_the_data(start, engine):
    """Compose makes the container anew on the same volume: the root user is in its environment."""
    volume = engine.volumes.create()
    try:
        for number, changes in (("1", EVERYTHING), ("2", "secret of mlflow, secret of loop")):
            login = {"MINIO_ROOT_USER": "sandbox", "MINIO_ROOT_PASSWORD": f"root-password-{number}"}
            secrets = {"mlflow": f"mlflow-secret-{number}", "loop": f"loop-secret-{number}"}
            with start("minio", 9000, {}, [], environment=login, volumes=[f"{volume.name}:/data"]) as server:
                assert prepare(server, secrets, f"root-password-{number}") == changes
                loop = client(server, "loop", secrets["loop"])
                if number == "1":
                    put(loop, "dvc")
                assert get(loop, "dvc") == b"content"
    finally:
        volume.remove()
