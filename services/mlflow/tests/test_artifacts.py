"""Files go through MLflow alone, with MLflow's own client and no setting of its own."""

from pathlib import Path

import mlflow
import pytest
from conftest import Server
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_server.artifacts import ProxiedS3Repository

INFO = "/api/3.0/mlflow/server-info"
API = "/api/2.0/mlflow-artifacts"


def test_mlflow_finds_the_repository_for_s3() -> None:
    assert isinstance(get_artifact_repository("s3://mlflow/artifacts"), ProxiedS3Repository)


def test_no_presigned_address_is_advertised_or_made(server: Server) -> None:
    info = server.ask("loop", "GET", INFO).json()
    assert info["multipart_uploads_enabled"] is False
    assert info["multipart_downloads_enabled"] is False
    assert server.ask("loop", "GET", f"{API}/presigned/0/x").status_code == 501
    answer = server.ask("loop", "POST", f"{API}/mpu/create/0/x", json={"path": "0/x", "num_parts": 2})
    assert answer.status_code == 501


def test_files_and_folders_come_back_as_they_went(
    as_loop: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sizes from which the client would go round the proxy if it were told that it may.
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1")
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", "1")
    content = bytes(range(256)) * 40_000
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "folder/deep/large.bin").write_bytes(content)
    (tmp_path / "folder/small.txt").write_text("ä")
    mlflow.set_tracking_uri(as_loop.url)
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path / "folder"), "files")
    root = f"runs:/{run.info.run_id}/files"
    fetched = Path(mlflow.artifacts.download_artifacts(root, dst_path=str(tmp_path / "back")))
    assert (fetched / "deep/large.bin").read_bytes() == content
    assert (fetched / "small.txt").read_text() == "ä"
    listed = [file.path for file in mlflow.artifacts.list_artifacts(root)]
    assert listed == ["files/deep", "files/small.txt"]


def test_deleted_files_are_gone(server: Server) -> None:
    path = f"{API}/artifacts/0/gone.txt"
    assert server.ask("loop", "PUT", path, data=b"x").status_code == 200
    assert server.ask("loop", "DELETE", path).status_code == 200
    assert server.ask("loop", "GET", path).status_code >= 400
