"""Statements over both tables that are more than a line."""

from datetime import UTC
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from prediction_api.challenger import SHADOW
from prediction_api.prediction_log.listing import Wanted
from prediction_api.prediction_log.rows import first_entry
from prediction_api.prediction_log.tables import feedback, predictions


def newest_rows(wanted: Wanted, *columns: ColumnElement[Any]) -> Select[Any]:
    """Columns of the wanted rows, the newest first, without a limit."""
    found = select(*columns).order_by(predictions.c.entry.desc(), predictions.c.row.desc())
    for column in ("model", "version"):
        if (value := getattr(wanted, column)) is not None:
            found = found.where(predictions.c[column] == value)
    if wanted.since:
        # By the primary key, which is in order of time: the rest of the log is not looked at.
        found = found.where(predictions.c.entry >= first_entry(wanted.since.replace(tzinfo=UTC).timestamp()))
    return found


def told_label() -> ColumnElement[Any]:
    """The label that was told of a row, as column `label`: of an id used again, of its newest request."""
    later = predictions.alias("later")
    own = (later.c.request_id == predictions.c.request_id, later.c.role != SHADOW)
    newest = select(func.max(later.c.entry)).where(*own).correlate(predictions)
    same = and_(
        *(feedback.c[name] == predictions.c[name] for name in ("request_id", "row", "model", "version")),
        predictions.c.entry == newest.scalar_subquery(),
    )
    return select(feedback.c.label).where(same).correlate(predictions).scalar_subquery().label("label")
