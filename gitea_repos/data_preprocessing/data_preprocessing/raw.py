"""Bring the raw table to data/raw.csv: a file below $DATA_URL, or the rows of a SQL query."""

from pathlib import Path

from data_preprocessing.console import redact, say
from data_preprocessing.errors import Rejected, Unavailable
from data_preprocessing.layout import RAW
from data_preprocessing.params import Raw, load_params
from data_preprocessing.settings import read_variable

CHUNK = 1 << 20
PROGRESS = 256 * CHUNK


def fetch_raw(raw: Raw, folder: Path = Path()) -> Path:
    """Write data/raw.csv below the folder and return its path.

    Raises Rejected when the source has no data, Unavailable when it does not answer.
    """
    path = folder / RAW
    path.parent.mkdir(parents=True, exist_ok=True)
    if raw.query and raw.url_env:  # params.py refuses the first without the second
        from data_preprocessing.query import write_query

        write_query(raw.query, raw.url_env, raw, path)
    else:
        root = read_variable("DATA_URL", f"the URL of the folder with {raw.file}")
        copy_file(f"{root.rstrip('/')}/{raw.file}", path)
    say(f"raw: {path.stat().st_size:,} bytes")
    return path


def copy_file(url: str, path: Path) -> None:
    """Stream the file at an fsspec URL to the path; raise Rejected when it is missing or empty."""
    import fsspec

    where = redact(url)
    try:
        with fsspec.open(url, "rb") as source, path.open("wb") as sink:
            size = _stream(source, sink)
    except FileNotFoundError:
        raise Rejected(f"There is no {where}: put the raw file there or change raw.file.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise Rejected(f"{where} cannot be read ({error.strerror}): it must be a readable file.") from None
    except ValueError as error:
        raise Rejected(f"{where} cannot be read ({redact(str(error))}): mend DATA_URL.") from None
    except Exception as error:  # fsspec lets each file system raise its own types
        raise Unavailable(f"{where} cannot be read now: {redact(str(error))}.") from error
    if size == 0:
        raise Rejected(f"{where} is empty: put the raw rows there.")


def _stream(source, sink) -> int:
    size = 0
    while chunk := source.read(CHUNK):
        sink.write(chunk)
        if size // PROGRESS != (size := size + len(chunk)) // PROGRESS:
            say(f"raw: {size:,} bytes so far")
    return size


if __name__ == "__main__":
    from data_preprocessing.stage import run_stage

    run_stage("raw", lambda: fetch_raw(load_params().raw))
