"""The only place that prints."""

import json
import re


def say(message: str) -> None:
    """Print one line of progress."""
    print(message, flush=True)


def answer(result: dict) -> None:
    """Print the result as the one line of JSON that ends the output."""
    print(json.dumps(result, ensure_ascii=False), flush=True)


def redact(text: str) -> str:
    """Return the text without the user and password of any URL in it."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)
