"""Blocks, statements and arguments, which all of a declarative pipeline is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ci.errors import JenkinsfileError
from ci.tokens import Token, complain

Value = str | int | bool
DEPTH_LIMIT = 30


class Reader:
    """Reads blocks, statements and arguments; every method leaves the place after what it read."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.place = 0
        self.depth = 0

    # -- reading tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        token = self.token
        self.place += token.kind != "end"
        return token

    def refuse(self, token: Token, supported: str) -> JenkinsfileError:
        shown = "end of line" if token.kind == "newline" else token.text[:60]
        return complain(token.line, f"found {shown!r}; supported here: {supported}.")

    def expect(self, text: str) -> Token:
        token = self.take()
        if token.text != text or token.kind not in ("mark", "name"):
            raise self.refuse(token, text)
        return token

    def expect_kind(self, kind: str, supported: str) -> Token:
        token = self.take()
        if token.kind != kind:
            raise self.refuse(token, supported)
        return token

    def at(self, text: str) -> bool:
        return self.token.kind in ("mark", "name") and self.token.text == text

    def skip(self, *kinds: str) -> None:
        while self.token.kind in kinds or (";" in kinds and self.at(";")):
            self.take()

    # -- blocks and arguments

    def block(self, read: Callable[[Token], None], supported: str) -> None:
        """`{ … }`: calls `read` with the name that starts each statement."""
        opening = self.expect("{")
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise complain(opening.line, f"blocks are nested deeper than {DEPTH_LIMIT}.")
        self.skip("newline", ";")
        while not self.at("}"):
            if self.token.kind == "end":
                raise complain(opening.line, "the brace '{' opened here is never closed.")
            read(self.expect_kind("name", supported))
            if not (self.at("}") or self.at(";") or self.token.kind in ("newline", "end")):
                raise self.refuse(self.token, "end of line, ';' or '}' after a statement")
            self.skip("newline", ";")
        self.take()
        self.depth -= 1

    def sections(self, readers: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        """A block whose statements each may stand once; the values by name."""
        supported, found = ", ".join(readers), {}

        def read(name: Token) -> None:
            if name.text not in readers:
                raise self.refuse(name, supported)
            if name.text in found:
                raise complain(name.line, f"{name.text!r} is there twice; keep one.")
            found[name.text] = readers[name.text]()

        self.block(read, supported)
        return found

    def arguments(self) -> dict[str, Value]:
        """`'x'`, `('x')`, `name: 'x', …` or `()`: values by name, an unnamed one under the empty name."""
        in_brackets = self.at("(")
        if in_brackets:
            self.take()
            self.skip("newline")
        values: dict[str, Value] = {}
        while not (in_brackets and self.at(")")):
            self.argument(values)
            if in_brackets:
                self.skip("newline")
            if not self.at(","):
                break
            self.take()
            self.skip("newline")
        if in_brackets:
            self.expect(")")
        return values

    def argument(self, values: dict[str, Value]) -> None:
        name = ""
        if self.token.kind == "name" and self.token.text not in ("true", "false"):
            token = self.take()
            if not self.at(":"):
                raise self.refuse(token, "a quoted string, a whole number, true, false or name: value")
            self.take()
            name = token.text
        if name in values:
            raise complain(self.token.line, f"the argument {name or self.token.text!r} is one too many.")
        values[name] = self.value()

    def value(self) -> Value:
        token = self.take()
        if token.kind == "string":
            return token.text
        if token.kind == "number":
            return int(token.text)
        if token.kind == "name" and token.text in ("true", "false"):
            return token.text == "true"
        raise self.refuse(token, "a quoted string, a whole number, true or false")

    def call(self, **kinds: type) -> dict[str, Any]:
        """Arguments of the given names and types; `_` stands for the unnamed one."""
        line = self.token.line
        values = self.arguments()
        for name, value in values.items():
            if not isinstance(value, kinds.get(name or "_", type(None))):
                supported = ", ".join(f"{key}: {kind.__name__}" for key, kind in kinds.items()) or "none"
                shown = f"{name}: {value!r}" if name else repr(value)
                raise complain(line, f"the argument {shown} is not supported; supported here: {supported}.")
        return {name or "_": value for name, value in values.items()}

    def text(self, name: str, **kinds: type) -> str:
        """A call whose argument `name`, or the unnamed one, is a string that has to be there."""
        line = self.token.line
        values = self.call(_=str, **{name: str}, **kinds)
        if ("_" in values) == (name in values):
            raise complain(line, f"needs one quoted string ({name}).")
        return values.get("_", values.get(name))
