"""The copies on disk: sound or refused, never a crash."""

import json
from collections.abc import Iterator
from pathlib import Path

import models
import pytest

from prediction_api.copies import Copies
from prediction_api.errors import Refusal, RegistryError
from prediction_api.identity import Identity
from prediction_api.service import Service
from prediction_api.settings import Settings

ONE = models.identity("1")


class Files:
    """A registry reduced to files: what `Copies` asks of it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.content = files
        self.downloads = 0

    def artifact_root(self, identity: Identity) -> str:
        return identity.version

    def files(self, _: str) -> list[tuple[str, int]]:
        return [(path, len(content)) for path, content in self.content.items()]

    def download(self, _: str, path: str) -> Iterator[bytes]:
        self.downloads += 1
        yield self.content[path]


@pytest.fixture
def files() -> Files:
    return Files({"MLmodel": b"flavors: {}", "data/part": b"12345"})


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path / "models", keep=2)


def test_a_sound_copy_is_not_downloaded_again(copies: Copies, files: Files) -> None:
    folder = copies.fetch(ONE, files)
    assert (folder / "data/part").read_bytes() == b"12345"
    copies.fetch(ONE, files)
    assert files.downloads == 2


def test_a_damaged_copy_is_refused_and_mended_by_the_next_download(copies: Copies, files: Files) -> None:
    part = copies.fetch(ONE, files) / "data/part"
    part.write_bytes(b"12346")
    with pytest.raises(Refusal, match="checksum of data/part differs"):
        copies.verified(ONE)
    assert (copies.fetch(ONE, files) / "data/part").read_bytes() == b"12345"


def test_a_version_of_the_same_number_from_another_registry_is_downloaded(
    copies: Copies, files: Files
) -> None:
    copies.fetch(ONE, files)
    with pytest.raises(Refusal, match="another version"):
        copies.verified(models.identity("1", created=2))


def test_a_download_that_breaks_off_leaves_the_old_copy_alone(
    copies: Copies, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies.fetch(ONE, files)

    def broken(*_: str) -> Iterator[bytes]:
        yield b"1"
        raise RegistryError("gone")

    monkeypatch.setattr(files, "download", broken)
    with pytest.raises(RegistryError):
        copies.fetch(models.identity("1", created=2), files)
    assert copies.verified(ONE)


def test_a_short_file_is_refused(copies: Copies, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "files", lambda _: [("MLmodel", 99)])
    with pytest.raises(Refusal, match="11 bytes of 99"):
        copies.fetch(ONE, files)


def test_only_the_newest_copies_are_kept(copies: Copies, files: Files, tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        copies.fetch(models.identity(version), files)
        copies.serve(models.identity(version))
    assert sorted(path.name for path in (tmp_path / "models/iris").iterdir()) == ["2", "3"]
    assert copies.current() == models.identity("3")


@pytest.mark.parametrize("name", ["..", ".", "a/../../b", "ü" * 20])
def test_a_model_name_stays_below_the_folder(copies: Copies, files: Files, tmp_path: Path, name: str) -> None:
    folder = copies.fetch(models.identity("1", name=name), files)
    assert folder.resolve().is_relative_to((tmp_path / "models").resolve())
    assert len(folder.relative_to(tmp_path / "models").parts) == 3


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"identity": {"name": 1}}', '{"identity": null}', "\x00"]
)
def test_an_unreadable_note_is_a_refusal_not_a_crash(settings: Settings, text: str) -> None:
    settings.models_folder.mkdir()
    (settings.models_folder / "current.json").write_text(text)
    service = Service(settings)
    service.follower.start_from_copy()
    assert service.serving.model is None
    assert "current.json" in service.serving.last_refusal["reason"]


def test_a_note_without_its_copy_is_a_refusal(settings: Settings) -> None:
    settings.models_folder.mkdir()
    (settings.models_folder / "current.json").write_text(json.dumps({"identity": ONE.as_dict()}))
    service = Service(settings)
    service.follower.start_from_copy()
    assert service.serving.last_refusal["version"] == "1"
