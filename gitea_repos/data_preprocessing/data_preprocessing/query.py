"""The rows of a SQL query as a CSV file that is the same for the same rows."""

import csv
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

from sqlalchemy import NullPool, Row, create_engine, exc, text

from data_preprocessing.console import redact
from data_preprocessing.errors import Rejected, Unavailable
from data_preprocessing.params import Raw
from data_preprocessing.settings import read_variable


def write_query(query: str, url_env: str, raw: Raw, path: Path) -> None:
    """Write the query's rows, sorted, in the file format that `raw` describes.

    `url_env` names the variable with the database's URL.
    Raises Rejected for a wrong query, URL or value, Unavailable when the database does not answer.
    """
    url = read_variable(url_env, "the SQLAlchemy URL of the raw database")
    names, rows = _select(query, url, url_env)
    if not rows:
        raise Rejected("The query in raw.query gives no rows: mend it or fill the table.")
    lines = sorted(
        [_write_cell(name, value, raw) for name, value in zip(names, row, strict=True)] for row in rows
    )
    with path.open("w", newline="", encoding=raw.encoding) as sink:
        writer = csv.writer(sink, delimiter=raw.delimiter, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(lines)


def _select(query: str, url: str, url_env: str) -> tuple[list[str], Sequence[Row]]:
    try:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(text(query))
            return list(result.keys()), result.all()
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as error:
        raise Rejected(
            f"{url_env} cannot be used ({redact(str(error))}): mend it or add its driver."
        ) from None
    except (exc.ProgrammingError, exc.ResourceClosedError) as error:
        raise Rejected(f"The query in raw.query fails: {_explain(error)}.") from None
    except exc.OperationalError as error:
        # SQLite reports a missing table or column by this type too, and there is no server to wait for.
        failure = Rejected if url.startswith("sqlite") else Unavailable
        raise failure(f"The query in raw.query fails: {_explain(error)}.") from None
    except exc.SQLAlchemyError as error:
        raise Unavailable(f"The raw database fails: {_explain(error)}.") from None


def _explain(error: Exception) -> str:
    return redact(str(getattr(error, "orig", None) or error)).splitlines()[0]


def _write_cell(name: str, value: object, raw: Raw) -> str:
    """Floats are written by `repr`, the shortest text that reads back as the same number."""
    if value is None:
        return raw.null_values[0] if raw.null_values else ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, str | int | Decimal):
        return str(value)
    raise Rejected(f"Column {name} of raw.query has values of type {type(value).__name__}: cast it to text.")
