"""What the MLflow runs of this project hold."""

from pathlib import Path

from data_preprocessing import layout
from data_preprocessing.description import list_metrics
from data_preprocessing.params import flatten, load_params
from data_preprocessing.settings import Settings
from data_preprocessing.versions import tag_of

ARTIFACTS = (
    layout.DESCRIPTION,
    layout.DESCRIPTION_TEXT,
    layout.VALIDATION,
    layout.DIFFERENCE,
    layout.DIFFERENCE_TEXT,
)


def build_run(settings: Settings, folder: Path, version: str) -> dict:
    """Return the run that describes a data version."""
    files = {str(folder / path): "" for path in ARTIFACTS if (folder / path).exists()}
    files |= {str(path): "figures" for path in sorted((folder / layout.FIGURES).glob("*.png"))}
    return {
        "name": tag_of(version),
        "state": "FINISHED",
        "tags": {**_list_tags(settings), "data_version": version},
        "params": _read_params(folder),
        "metrics": list_metrics(layout.read_json(folder / layout.DESCRIPTION)),
        "files": files,
    }


def build_failed_run(settings: Settings, folder: Path, reason: str) -> dict:
    """Return the run that keeps the reason, and the validation report if it came to that."""
    report = folder / layout.VALIDATION
    return {
        "name": f"rejected_{settings.data_commit[:12]}",
        "state": "FAILED",
        "tags": {**_list_tags(settings), "reason": reason},
        "params": {},
        "metrics": {},
        "files": {str(report): ""} if report.exists() else {},
    }


def _list_tags(settings: Settings) -> dict[str, str]:
    return {
        "data_commit": settings.data_commit,
        "loop_run_id": settings.loop_run_id,
        "build": settings.build_url,
        "image": settings.image,
    }


def _read_params(folder: Path) -> dict[str, str]:
    return flatten(load_params(folder / layout.PARAMS).model_dump(exclude_unset=True))
