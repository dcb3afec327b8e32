"""Write every dashboard: `make dashboards`."""

from pathlib import Path

from source.files import render_all

FOLDER = Path(__file__).resolve().parents[1] / "dashboards"

for name, text in render_all().items():
    (FOLDER / name).write_text(text)
