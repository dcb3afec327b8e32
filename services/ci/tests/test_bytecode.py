"""An image starts with what the tests compiled already."""

from __future__ import annotations

import py_compile
from pathlib import Path

from ci.bytecode import share_bytecode

PACKAGES = "lib/python3.11/site-packages"


def environment(folder: Path, *modules: str) -> Path:
    for name in modules:
        source = folder / PACKAGES / name
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text("ANSWER = 42\n")
    return folder


def test_compiled_modules_are_linked_where_the_package_is_there_too(tmp_path: Path) -> None:
    tested = environment(tmp_path / "tested", "both/__init__.py", "dev_only/__init__.py")
    image = environment(tmp_path / "image", "both/__init__.py")
    for source in tested.rglob("*.py"):
        py_compile.compile(str(source))
    assert share_bytecode(tested, image) == 1
    assert list((image / PACKAGES / "both" / "__pycache__").glob("*.pyc"))
    assert not (image / PACKAGES / "dev_only").exists()


def test_what_is_compiled_already_stays(tmp_path: Path) -> None:
    tested = environment(tmp_path / "tested", "both/__init__.py")
    image = environment(tmp_path / "image", "both/__init__.py")
    py_compile.compile(str(tested / PACKAGES / "both/__init__.py"))
    own = Path(py_compile.compile(str(image / PACKAGES / "both/__init__.py"), doraise=True) or "")
    before = own.stat().st_ino
    assert share_bytecode(tested, image) == 0
    assert own.stat().st_ino == before


def test_an_environment_that_is_not_there_gives_nothing(tmp_path: Path) -> None:
    assert share_bytecode(tmp_path / "none", environment(tmp_path / "image", "both/__init__.py")) == 0
