"""Where raw data lie and the one way to write them: a folder or a bucket, as the address says."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import urlsplit

from sandbox.context import Context

if TYPE_CHECKING:
    from sandbox.clients.s3 import S3Store


class RawStore(Protocol):
    """Raw files by name; a name may hold folders."""

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def put(self, name: str, source: BinaryIO) -> None:
        """Write the file, in place of one of that name; nobody sees half of it."""


class Folder:
    """Raw files in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def put(self, name: str, source: BinaryIO) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.new")
        with draft.open("wb") as sink:
            shutil.copyfileobj(source, sink)
        draft.replace(target)


class Bucket:
    """Raw files in a bucket of the object store."""

    def __init__(self, store: "S3Store", bucket: str) -> None:
        self.store, self.bucket = store, bucket

    def has(self, name: str) -> bool:
        return self.store.has_object(self.bucket, name)

    def put(self, name: str, source: BinaryIO) -> None:
        self.store.put_object(self.bucket, name, source)


def raw_store(context: Context) -> RawStore:
    """The store behind the address of the raw data. Raises ServiceError where it does not answer."""
    address = urlsplit(context.endpoints.data.outside)
    if address.scheme == "file":
        return Folder(context.endpoints.data.folder)
    from sandbox.clients.s3 import S3Store  # loads MinIO's client, half a second that few commands need

    settings = context.settings
    return Bucket(S3Store(settings.minio_port, settings.minio_root_password), address.netloc)
