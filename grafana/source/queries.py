"""Queries: where they go, and the PromQL that several panels share."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
MYSQL = DataSourceRef(type_val="mysql", uid="mlflow")
RETENTION = "15d"  # of Prometheus (compose.monitoring.yaml): further back no value can be looked for


@dataclass(frozen=True)
class Metric:
    """A PromQL query. `legend` names its series; `now` asks for the newest value alone."""

    expr: str
    legend: str = "__auto"
    now: bool = False
    table: bool = False

    source = PROMETHEUS

    def target(self, ref: str) -> Builder[Dataquery]:
        query = prometheus.Dataquery().expr(self.expr).legend_format(self.legend).ref_id(ref)
        query = query.datasource(PROMETHEUS).format(
            PromQueryFormat.TABLE if self.table else PromQueryFormat.TIME_SERIES
        )
        return query.instant() if self.now or self.table else query.range()


@dataclass(frozen=True)
class Rows:
    """An SQL query; `series` where it has a column `time` in seconds since 1970 and is drawn over it."""

    sql: str
    series: bool = False

    source = MYSQL

    def target(self, ref: str) -> Builder[Dataquery]:
        return _SqlQuery(self, ref)


class _SqlQuery(Builder[Dataquery], Dataquery):
    """A query of Grafana's MySQL plugin, of which the SDK has no model."""

    def __init__(self, rows: Rows, ref: str) -> None:
        self._rows, self._ref = rows, ref

    def build(self) -> Dataquery:
        return self

    def to_json(self) -> dict[str, object]:
        return {
            "refId": self._ref,
            "datasource": MYSQL,
            "rawSql": " ".join(self._rows.sql.split()),
            "format": "time_series" if self._rows.series else "table",
            "rawQuery": True,
            "editorMode": "code",
        }


Query = Metric | Rows


def gained(counter: str, span: str, *by: str) -> str:
    """How much a counter of the monitor, which survives restarts, grew in a span; `increase` misses its first count.

    The value before the span is looked for as far back as Prometheus keeps any, since the machine may have been off.
    """

    def total(back: str) -> str:
        return f"sum by ({', '.join(by)}) (last_over_time({counter}[{RETENTION}]{back}))"

    return f"({total('')} - {total(f' offset {span}')}) or {total('')}"


def counted(counter: str, span: str, *by: str) -> str:
    """How much a counter that starts at zero with its process grew in a span, its first count included."""
    born = f"({counter} unless last_over_time({counter}[{span}] offset {span}))"
    return f"sum by ({', '.join(by)}) ({born} or increase({counter}[{span}]))"


def quantile(share: float, histogram: str, by: str = "", span: str = "$__rate_interval") -> str:
    """A quantile of a histogram over a span."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}[{span}])))"
