"""Checks of the registry by its published port (OCI distribution specification 1.1)."""

import hashlib
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests

from sandbox.doctor.check import Broken, Case
from sandbox.drivers.images import BASE, BASE_TAG
from sandbox.http import ApiError, Http

KINDS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def pull(case: Case) -> str:
    """The base of users' images is there, and a blob of it is what its digest says."""
    _base_blob(_registry(case))
    return f"{BASE}:{BASE_TAG} is there and whole"


def push(case: Case) -> str:
    """That blob is taken again: a cancelled upload leaves files behind, one of a known blob leaves none."""
    http = _registry(case)
    digest, blob = _base_blob(http)
    upload = _place(http.call("POST", f"/v2/{BASE}/blobs/uploads/"))
    stream = {"Content-Type": "application/octet-stream"}
    try:
        http.call("PUT", upload, params={"digest": digest}, data=blob, headers=stream)
    except ApiError:
        with suppress(ApiError):
            http.call("DELETE", upload)
        raise
    return f"a part of {BASE}:{BASE_TAG} was taken again"


def _base_blob(http: Http) -> tuple[str, bytes]:
    """The configuration of the base image with its digest. Raises Broken or ApiError."""
    if BASE_TAG not in ((http.find(f"/v2/{BASE}/tags/list") or {}).get("tags") or ()):
        raise Broken(f"there is no {BASE}:{BASE_TAG}, which users' images are built on", "Run: make up")
    digest: str = _manifest(http, BASE_TAG)["config"]["digest"]
    blob = http.call("GET", f"/v2/{BASE}/blobs/{digest}").content
    if f"sha256:{hashlib.sha256(blob).hexdigest()}" != digest:
        raise Broken(f"the blob {digest} of {BASE}:{BASE_TAG} is not what its name says")
    return digest, blob


def _registry(case: Case) -> Http:
    return Http("registry", f"http://{case.context.endpoints.images.outside}")


def _manifest(http: Http, reference: str) -> dict[str, Any]:
    """Of an image; of the first platform where the tag names several."""
    path = f"/v2/{BASE}/manifests/{reference}"
    found: dict[str, Any] = http.call("GET", path, headers={"Accept": ", ".join(KINDS)}).json()
    return _manifest(http, found["manifests"][0]["digest"]) if "manifests" in found else found


def _place(answer: requests.Response) -> str:
    """Path and query of Location, whose host may be the inner one."""
    place = urlsplit(answer.headers["Location"])
    return f"{place.path}?{place.query}" if place.query else place.path
