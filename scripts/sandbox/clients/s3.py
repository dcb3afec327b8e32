"""The object store by its published port: buckets, users and policies put right (S3, MinIO's admin API v3).

Each user has one policy document of its own name and nothing else. Whether a secret is the wanted one is
asked of the server by a request signed with it, so that nothing about it is stored here.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import urllib3
from minio import Minio, MinioAdmin
from minio.commonconfig import ENABLED
from minio.credentials.providers import StaticProvider
from minio.error import InvalidResponseError, MinioAdminException, S3Error, ServerError
from minio.versioningconfig import VersioningConfig

from sandbox.endpoints import OWNER, S3_REGION
from sandbox.errors import ServiceError

ROOT_USER = OWNER
HOST = "127.0.0.1"
REGION = S3_REGION
TIMEOUT = 15.0  # seconds; every call is to this machine
PART = 10 * 1024 * 1024  # bytes sent at once

Policy = Mapping[str, Any]

WRONG_SECRET = {"SignatureDoesNotMatch", "InvalidAccessKeyId"}
UNFIT_SECRET = {"XMinioAdminInvalidSecretKey", "XMinioAdminInvalidAccessKey"}
DISK_FULL = {"XMinioStorageFull", "InsufficientStorage", "XMinioDiskFull"}
NOT_READY = {"XMinioServerNotInitialized", "ServiceUnavailable", "SlowDownRead", "SlowDownWrite"}
READ_BUCKET = ("s3:GetBucketLocation", "s3:ListBucket")
WRITE_BUCKET = ("s3:ListBucketMultipartUploads",)
READ_OBJECT = ("s3:GetObject",)
WRITE_OBJECT = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject")


class S3StoreError(ServiceError):
    """The store refused or could not do something (B11, B13, B14, B15)."""


class S3StoreAway(S3StoreError):
    """No store answers, or it is still starting (B12)."""


@dataclass(frozen=True)
class User:
    """An access key with the only policy it has."""

    name: str
    secret: str = field(repr=False)
    policy: Policy


def readable(bucket: str) -> list[Policy]:
    """The statements that let a user list a bucket and read its objects."""
    return [_allow(READ_BUCKET, bucket), _allow(READ_OBJECT, f"{bucket}/*")]


def writable(bucket: str) -> list[Policy]:
    """The statements that let a user list a bucket and read, write and delete its objects."""
    return [_allow(READ_BUCKET + WRITE_BUCKET, bucket), _allow(READ_OBJECT + WRITE_OBJECT, f"{bucket}/*")]


def policy(*statements: list[Policy]) -> Policy:
    """One policy document (AWS policy language of 2012-10-17)."""
    return {"Version": "2012-10-17", "Statement": [one for group in statements for one in group]}


def _allow(actions: tuple[str, ...], resource: str) -> Policy:
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": [f"arn:aws:s3:::{resource}"]}


class S3Store:
    """One store with its root user. Raises S3StoreAway where nothing answers, else S3StoreError."""

    def __init__(self, port: int, password: str) -> None:
        self.port = port
        self._http = urllib3.PoolManager(timeout=TIMEOUT, retries=False)
        self._s3 = self._client(ROOT_USER, password)
        self._admin = MinioAdmin(
            endpoint=f"{HOST}:{port}",
            credentials=StaticProvider(ROOT_USER, password),
            region=REGION,
            secure=False,
            http_client=self._http,
        )
        with _explained(port):
            self._s3.list_buckets()

    def put_bucket(self, name: str, versioned: bool = False) -> str:
        """Make the bucket, with versioning where asked for; says what it did, or nothing."""
        with _explained(self.port):
            known = name in {bucket.name for bucket in self._s3.list_buckets()}
            if not known:
                self._s3.make_bucket(name)
            unversioned = versioned and self._s3.get_bucket_versioning(name).status != ENABLED
            if unversioned:
                self._s3.set_bucket_versioning(name, VersioningConfig(ENABLED))
        if not known:
            return f"bucket {name}"
        return f"versioning of {name}" if unversioned else ""

    def has_object(self, bucket: str, name: str) -> bool:
        """Whether there is an object of that name."""
        with _explained(self.port):
            try:
                self._s3.stat_object(bucket, name)
            except S3Error as error:
                if error.code != "NoSuchKey":
                    raise
                return False
        return True

    def put_object(self, bucket: str, name: str, source: BinaryIO) -> None:
        """Store what `source` holds to its end, in place of an object of that name."""
        with _explained(self.port):
            self._s3.put_object(bucket, name, source, length=-1, part_size=PART)

    def put_policy(self, user: User) -> str:
        """Store the user's policy document; says what it did, or nothing."""
        with _explained(self.port):
            if _comparable(self._policy(user.name)) == _comparable(user.policy):
                return ""
            self._admin.policy_add(user.name, policy=dict(user.policy))
        return f"policy {user.name}"

    def put_user(self, user: User) -> str:
        """Make the user as it should be; says what it did, or nothing.

        A changed secret alone is replaced. A user that was altered otherwise (other policies, groups,
        disabled) is made anew, as the accounts of MySQL are.
        """
        with _explained(self.port):
            info = self._info(user.name)
            sound = (info.get("policyName"), info.get("status")) == (user.name, "enabled")
            if sound and not info.get("memberOf"):
                return "" if self._accepts(user) else self._set_secret(user)
            if info:
                self._admin.user_remove(user.name)
            self._admin.user_add(user.name, user.secret)
            self._admin.policy_set(user.name, user=user.name)
        return f"rights of {user.name}" if info else f"user {user.name}"

    def _set_secret(self, user: User) -> str:
        self._admin.user_add(user.name, user.secret)
        return f"secret of {user.name}"

    def _policy(self, name: str) -> Policy:
        """The stored document; empty: there is none."""
        try:
            document: Policy = json.loads(self._admin.policy_info(name))
            return document
        except MinioAdminException as error:
            if _admin_code(error) != "XMinioAdminNoSuchPolicy":
                raise
            return {}

    def _info(self, name: str) -> dict[str, Any]:
        """The user's status and policies; empty: no such user."""
        try:
            info: dict[str, Any] = json.loads(self._admin.user_info(name))
            return info
        except MinioAdminException as error:
            if _admin_code(error) != "XMinioAdminNoSuchUser":
                raise
            return {}

    def _accepts(self, user: User) -> bool:
        try:
            self._client(user.name, user.secret).list_buckets()
        except S3Error as error:
            if error.code in WRONG_SECRET:
                return False
            if error.code != "AccessDenied":  # the signature was right, the policy is another matter
                raise
        return True

    def _client(self, user: str, secret: str) -> Minio:
        endpoint = f"{HOST}:{self.port}"
        return Minio(endpoint, user, secret, secure=False, region=REGION, http_client=self._http)


def _comparable(document: Policy) -> list[str]:
    """A policy without the orders that mean nothing; the store gives lists back in its own."""
    return sorted(
        json.dumps({key: sorted(value) if isinstance(value, list) else value for key, value in one.items()})
        for one in (dict(sorted(statement.items())) for statement in document.get("Statement", []))
    )


def _admin_code(error: MinioAdminException) -> str:
    try:
        return str(json.loads(error._body)["Code"])
    except (ValueError, KeyError, TypeError):
        return ""


@contextmanager
def _explained(port: int) -> Iterator[None]:
    """Raise what the library or the store says as an error with a code, a cause and a command."""
    try:
        yield
    except S3Error as error:
        raise _failure(port, error.code or "", error.message or "") from error
    except MinioAdminException as error:
        raise _failure(port, _admin_code(error), str(error).strip()) from error
    except InvalidResponseError as error:
        raise S3StoreError(
            f"B14 What answers on {HOST}:{port} is no object store.", "Run: make status"
        ) from error
    except (ServerError, urllib3.exceptions.HTTPError, OSError) as error:
        raise _failure(port, "ServiceUnavailable", str(error)) from error


def _failure(port: int, code: str, text: str) -> S3StoreError:
    logs = "Run: make logs SERVICE=minio"
    if code in WRONG_SECRET:
        return S3StoreError(
            f"B11 MinIO on {HOST}:{port} refuses MINIO_ROOT_PASSWORD of .env for {ROOT_USER}: {text}",
            "It takes that password when it starts. Run: make down, then make up",
        )
    if code in NOT_READY:
        return S3StoreAway(f"B12 MinIO does not answer on {HOST}:{port}: {text}", logs)
    if code in DISK_FULL:
        return S3StoreError(
            f"B13 MinIO has no disk left: {text}",
            "Make room (docker system df shows what Docker holds), then: make up",
        )
    if code in UNFIT_SECRET:
        return S3StoreError(f"B15 MinIO refuses a secret of .env: {text}", "A secret has 8 to 40 characters")
    return S3StoreError(f"B14 MinIO answered {code or 'an error'}: {text}", logs)
