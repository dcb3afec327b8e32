"""Signature of a webhook, as Gitea makes it: hex HMAC-SHA256 of the raw body."""

import hashlib
import hmac

HEADER = "X-Gitea-Signature"


def sign(secret: str, body: bytes) -> str:
    """The signature that goes with `body`."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Whether `signature` belongs to `body`, compared in constant time."""
    return hmac.compare_digest(sign(secret, body).encode(), signature.encode())
