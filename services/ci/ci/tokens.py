"""Tokens of a Jenkinsfile: names, strings, numbers, marks and ends of lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ci.errors import JenkinsfileError

PATTERN = re.compile(
    r"""(?P<space>[ \t\r\f\ufeff]+|\\\n|//[^\n]*|/\*.*?\*/)
    |(?P<newline>\n)
    |(?P<string>'''(?:\\.|[^\\])*?'''|\"""(?:\\.|[^\\])*?\"""|'(?:\\.|[^\\'\n])*'|"(?:\\.|[^\\"\n])*")
    |(?P<number>\d+)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<mark>[{}()=,:;])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": "", **{c: c for c in "\\'\"$"}}
INTERPOLATION = re.compile(r"(?<!\\)(?:\\\\)*\$(?:\{|[A-Za-z_])")
SHEBANG = re.compile(r"\A#![^\n]*")


@dataclass(frozen=True)
class Token:
    """A piece of the file; `text` of a string is its value."""

    kind: str
    text: str
    line: int


def complain(line: int, what: str) -> JenkinsfileError:
    """The error about one line, in the form every complaint has."""
    return JenkinsfileError(f"Jenkinsfile line {line}: {what}")


def tokenize(source: str) -> list[Token]:
    """The tokens of `source`, with one of kind `end` last. Raises JenkinsfileError."""
    return list(_scan(SHEBANG.sub("", source.replace("\r\n", "\n"))))


def _scan(source: str) -> Iterator[Token]:
    place, line = 0, 1
    while place < len(source):
        match = PATTERN.match(source, place)
        if match is None:
            raise complain(line, _what_is_wrong(source[place:]))
        kind, text = match.lastgroup or "", match.group()
        if kind == "string":
            yield Token(kind, _value(text, line), line)
        elif kind != "space":
            yield Token(kind, text, line)
        place, line = match.end(), line + text.count("\n")
    yield Token("end", "end of file", line)


def _what_is_wrong(rest: str) -> str:
    shown = rest.split("\n", 1)[0][:60]
    if rest.startswith("/*"):
        return f"the comment {shown!r} has no end; close it with */."
    if rest[0] in "'\"":
        return f"the string {shown!r} has no end; close it on its line, or use three quotes."
    return f"cannot read {shown!r}; only a subset of declarative pipelines is supported, no Groovy code."


def _value(text: str, line: int) -> str:
    width = 3 if text[:3] in ("'''", '"""') else 1
    inner = text[width:-width]
    if text[0] == '"' and INTERPOLATION.search(inner):
        raise complain(
            line,
            f"{text[:60]} interpolates a Groovy value; use single quotes, the shell expands $NAME itself.",
        )
    return ESCAPE.sub(lambda match: _unescape(match.group(1), line), inner)


def _unescape(escape: str, line: int) -> str:
    if escape[0] == "u" and len(escape) == 5:
        return chr(int(escape[1:], 16))
    if escape not in ESCAPES:
        raise complain(line, f"\\{escape} is no escape of a Groovy string; write \\\\{escape}.")
    return ESCAPES[escape]
