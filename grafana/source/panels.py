"""Panels in one style: a question as the title, its unit, what it means, and why it may be empty."""

from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common, dashboard

from source.queries import Metric, Query

WIDE, HALF, THIRD, SIXTH = 24, 12, 8, 4  # of a row's 24 columns
GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"
P = TypeVar("P", stat.Panel, timeseries.Panel, table.Panel, bargauge.Panel, statetimeline.Panel)


@dataclass(frozen=True)
class Text:
    """What a panel says: the question, how to read the answer, and why there may be none."""

    title: str
    description: str
    empty: str


@dataclass(frozen=True)
class Steps:
    """Colours by value: the first from below, each next from its value on."""

    base: str = BLUE
    steps: tuple[tuple[float, str], ...] = ()

    def config(self) -> ThresholdsConfig:
        first = [dashboard.Threshold(value=None, color=self.base)]
        rest = [dashboard.Threshold(value=value, color=color) for value, color in self.steps]
        return ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(first + rest)


PLAIN = Steps()


def bad_above(*limits: float) -> Steps:
    """Green, orange from the first limit on and red from the last; red alone for one limit."""
    return Steps(GREEN, tuple(zip(limits, (ORANGE, RED)[-len(limits) :], strict=True)))


def bad_below(*limits: float) -> Steps:
    """Red, orange from the first limit on and green from the last; no orange for one limit."""
    return Steps(RED, tuple(zip(limits, (ORANGE, GREEN)[-len(limits) :], strict=True)))


def figure(text: Text, unit: str, query: Query, steps: Steps = PLAIN, width: int = SIXTH) -> stat.Panel:
    """One number, or one for each series."""
    panel = _dress(stat.Panel(), text, unit, (query,), steps, width, height=4)
    panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.VALUE)
    return panel.color_scheme(FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))


def words(text: Text, query: Metric, width: int = SIXTH) -> stat.Panel:
    """The names of a query's series, for metrics that are always 1."""
    return figure(text, "string", query, PLAIN, width).text_mode(common.BigValueTextMode.NAME)


def lines(
    text: Text, unit: str, *queries: Query, steps: Steps = PLAIN, width: int = HALF
) -> timeseries.Panel:
    """Values over time; limits are dashed lines."""
    panel = _dress(timeseries.Panel(), text, unit, queries, steps, width, height=8)
    panel.color_scheme(FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    panel.fill_opacity(8).line_width(2).show_points(common.VisibilityMode.AUTO).span_nulls(3_600_000)
    panel.legend(_legend())
    if steps.steps:
        dashed = GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(dashed)
    return panel


def bars(text: Text, unit: str, *queries: Query, width: int = HALF) -> timeseries.Panel:
    """Counts over time, on top of each other."""
    panel = lines(text, unit, *queries, width=width).draw_style(common.GraphDrawStyle.BARS).fill_opacity(70)
    return panel.stacking(StackingConfig().mode(common.StackingMode.NORMAL).group("A"))


def ranking(text: Text, unit: str, query: Query, steps: Steps = PLAIN, width: int = THIRD) -> bargauge.Panel:
    """One bar a series, with its newest value."""
    panel = _dress(bargauge.Panel(), text, unit, (query,), steps, width, height=8)
    panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    return panel.color_scheme(FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)).min(0)


def timeline(text: Text, query: Metric, steps: Steps = PLAIN, width: int = WIDE) -> statetimeline.Panel:
    """A state over time, one strip a series."""
    panel = _dress(statetimeline.Panel(), text, "none", (query,), steps, width, height=6)
    panel.color_scheme(FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
    return panel.show_value(common.VisibilityMode.NEVER).legend(VizLegendOptions().show_legend(False))


def listing(text: Text, query: Query, unit: str = "none", width: int = HALF) -> table.Panel:
    """Rows with their columns."""
    panel = _dress(table.Panel(), text, unit, (query,), PLAIN, width, height=8)
    if isinstance(query, Metric):
        hidden = {"Time": True, "__name__": True, "instance": True, "job": True, "Value": True}
        organize = dashboard.DataTransformerConfig("organize", {"excludeByName": hidden})
        panel.with_transformation(organize)
    return panel


def _dress(
    panel: P, text: Text, unit: str, queries: tuple[Query, ...], steps: Steps, width: int, height: int
) -> P:
    panel.title(text.title).description(text.description).no_value(text.empty).unit(unit)
    panel.datasource(queries[0].source).span(width).height(height).thresholds(steps.config())
    for ref, query in zip("ABCDEFGH"[: len(queries)], queries, strict=True):
        panel.with_target(query.target(ref))
    return panel


def _legend() -> VizLegendOptions:
    shown = VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM)
    return shown.display_mode(common.LegendDisplayMode.LIST).calcs(["lastNotNull"])
