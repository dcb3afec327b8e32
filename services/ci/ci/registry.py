"""A registry over plain HTTP: https://distribution.github.io/distribution/spec/api, tags and digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from ci.errors import ImageError
from ci.sessions import session_for

SECONDS = 30
KINDS = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)


@dataclass(frozen=True)
class Registry:
    """The registry at `host:port`."""

    address: str

    def digest(self, repository: str, tag: str) -> str | None:
        """`sha256:…` of the image that a tag names; None where there is none. Raises ImageError."""
        response = self._call("HEAD", repository, tag, headers={"Accept": KINDS})
        if response.status_code == 404:
            return None
        self._check(response)
        digest = response.headers.get("Docker-Content-Digest", "")
        if not digest:
            raise ImageError(f"The registry {self.address} gives no digest of {repository}:{tag}.")
        return digest

    def tag(self, repository: str, reference: str, tag: str) -> None:
        """Let a tag name the image that is there as `reference`. Raises ImageError."""
        found = self._call("GET", repository, reference, headers={"Accept": KINDS})
        self._check(found)
        kind = {"Content-Type": found.headers["Content-Type"]}
        self._check(self._call("PUT", repository, tag, data=found.content, headers=kind))

    def _call(self, method: str, repository: str, reference: str, **options: Any) -> requests.Response:
        url = f"http://{self.address}/v2/{repository}/manifests/{reference}"
        try:
            return session_for(url).request(method, url, timeout=SECONDS, allow_redirects=False, **options)
        except requests.RequestException as error:
            raise ImageError(
                f"The registry {self.address} (IMAGE_STORE) does not answer ({type(error).__name__});"
                " start it, and where a proxy is set name its host in NO_PROXY."
            ) from error

    def _check(self, response: requests.Response) -> None:
        if response.status_code >= 300:
            path = urlsplit(response.url).path
            raise ImageError(f"The registry {self.address} answers {response.status_code} for {path}.")
