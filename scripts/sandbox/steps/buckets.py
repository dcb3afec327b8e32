"""The buckets, and the keys of those that use them (docs/architecture.md, seam 10)."""

from collections.abc import Mapping

from sandbox.clients.s3 import S3Store, S3StoreAway, User, policy, readable, writable
from sandbox.context import Context
from sandbox.wait import PATIENCE, patiently

BUCKETS = {"data": False, "dvc": False, "mlflow": True}  # name: versioned


def run(context: Context) -> str:
    """Put buckets, policies, users and secrets right; says what changed, or nothing."""
    settings = context.settings
    secrets = {"mlflow": settings.s3_mlflow_secret, "loop": settings.s3_loop_secret}
    return prepare(settings.minio_port, settings.minio_root_password, secrets)


def prepare(port: int, root_password: str, secrets: Mapping[str, str], patience: float = PATIENCE) -> str:
    """The same with plain values; `secrets` by access key. Raises S3StoreError."""
    store = patiently(lambda: S3Store(port, root_password), S3StoreAway, patience)
    done = [store.put_bucket(name, versioned) for name, versioned in BUCKETS.items()]
    for user in users(secrets):
        done += [store.put_policy(user), store.put_user(user)]
    return ", ".join(filter(None, done))


def users(secrets: Mapping[str, str]) -> list[User]:
    """MLflow owns its artifacts; the loop reads raw data and reads and writes data versions."""
    return [
        User("mlflow", secrets["mlflow"], policy(writable("mlflow"))),
        User("loop", secrets["loop"], policy(readable("data"), writable("dvc"))),
    ]
