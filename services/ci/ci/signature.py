"""Signature of a webhook, as Gitea makes it: hex HMAC-SHA256 of the raw body."""

import hashlib
import hmac
import uuid

HEADER = "X-Gitea-Signature"


def sign(secret: str, body: bytes) -> str:
    """The signature that goes with `body`."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Whether `signature` belongs to `body`, compared in constant time."""
    return hmac.compare_digest(sign(secret, body).encode(), signature.encode())


def push_headers(secret: str, body: bytes) -> dict[str, str]:
    """The headers of a delivery that is a push."""
    return {
        "Content-Type": "application/json",
        "X-Gitea-Event": "push",
        "X-Gitea-Delivery": str(uuid.uuid4()),
        HEADER: sign(secret, body),
    }
