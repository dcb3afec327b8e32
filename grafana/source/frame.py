"""What all dashboards have in common: times, links, marks of what the loop did."""

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.common import DataSourceRef

from source.queries import MYSQL, PROMETHEUS

TAG = "sandbox"


def frame(uid: str, title: str, question: str, since: str = "now-6h") -> Dashboard:
    """An empty dashboard that knows the others."""
    page = Dashboard(title).uid(uid).description(question).tags([TAG]).readonly()
    page.time(since, "now").timezone("browser").refresh("30s").tooltip(
        dashboard.DashboardCursorSync.CROSSHAIR
    )
    page.link(_others()).link(_pages())
    for name, outcome, color in (
        ("Served", "served", "green"),
        ("Rejected", "rejected", "orange"),
        ("Failed", "failed", "red"),
    ):
        page.annotation(_mark(name, outcome, color))
    return page


def row(title: str) -> Row:
    """A heading."""
    return Row(title)


def model_choice() -> QueryVariable:
    """The registered model to look at: the variable `$model`."""
    names = "SELECT m.name FROM registered_models m ORDER BY m.last_updated_time DESC"
    choice = QueryVariable("model").label("Model").datasource(MYSQL).query(names)
    return choice.refresh(dashboard.VariableRefresh.ON_DASHBOARD_LOAD).sort(dashboard.VariableSort.DISABLED)


def _others() -> DashboardLink:
    link = DashboardLink("Dashboards").type(dashboard.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(False).keep_time(True).include_vars(False).icon("dashboard")


def _pages() -> DashboardLink:
    link = DashboardLink("MLflow, Airflow, CI …").type(dashboard.DashboardLinkType.LINK).url("/d/pages")
    return link.tooltip("Addresses of this sandbox's other pages").icon("external link")


class _Mark(AnnotationQuery):
    """An annotation whose time is the metric's value: a timestamp says when, even between two scrapes."""

    def build(self) -> dashboard.AnnotationQuery:
        return _ValueIsTime(**vars(super().build()))


class _ValueIsTime(dashboard.AnnotationQuery):
    """The SDK has no model of these keys of the Prometheus plugin."""

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {
            "useValueForTime": True,
            "titleFormat": f"{self.name}: {{{{dag}}}}",
            "textFormat": "",
            "tagKeys": "dag,outcome",
            "step": "15s",
        }


def _mark(name: str, outcome: str, color: str) -> AnnotationQuery:
    mark = _Mark().name(name).datasource(DataSourceRef(PROMETHEUS.type_val, PROMETHEUS.uid)).enable(True)
    expr = f'loop_last_run_timestamp_seconds{{outcome="{outcome}"}} * 1000'
    return mark.expr(expr).icon_color(color)
