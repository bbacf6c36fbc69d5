"""The dashboard's questions, the alerts and the page of metrics say the same of the same figures."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from parkade_api.figures import LABELS
from parkade_hack.dashboard.grafana import dashboard_json
from parkade_hack.dashboard.picture import draw
from parkade_hack.dashboard.questions import PROMISED_RECLAIM_SECONDS, ROWS
from parkade_hack.dashboard.units import in_unit
from parkade_hack.dashboard.watch import Line
from parkade_hack.demo.driver_returns import RECLAIM_SECONDS
from parkade_hack.metricsdoc import Entry, entries, modules, page
from parkade_operator.door import metrics as door

PANELS = [panel for row in ROWS for panel in row.panels]
ENTRIES = [entry for module in modules() for entry in entries(module)]
SHOWN = [query.expr for panel in PANELS for query in panel.queries]
_METRIC = re.compile(r"\bparkade_[a-z_]+\b")


def alerts(root: Path) -> list[dict[str, str]]:
    """The alerts of the chart."""
    groups = yaml.safe_load((root / "charts/parkade/files/alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def series_of(entry: Entry) -> set[str]:
    """The names of a metric's series."""
    ends = ("_bucket", "_count", "_sum") if entry.kind == "histogram" else ("",)
    return {f"{entry.name}{end}" for end in ends}


def test_every_name_is_one_that_a_process_shows(root: Path) -> None:
    """No panel and no alert asks for a metric that is not there, whatever was renamed."""
    there = {name for entry in ENTRIES for name in series_of(entry)}
    asked = {
        name for expr in [*SHOWN, *(rule["expr"] for rule in alerts(root))] for name in _METRIC.findall(expr)
    }
    assert asked <= there


def test_names_follow_the_rules_of_prometheus() -> None:
    """Counters end in _total, times are seconds, sizes are bytes, and no two processes use one name."""
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    for entry in ENTRIES:
        assert entry.name.startswith("parkade_")
        assert entry.name.endswith("_total") == (entry.kind == "counter")
        assert entry.kind != "histogram" or entry.name.endswith(("_seconds", "_bytes"))
        assert not re.search(r"millis|minute|kilo|mega", entry.name)


def test_every_label_is_of_few_values() -> None:
    """A metric has no label but those whose values are known to be few."""
    assert {label for entry in ENTRIES for label in entry.labels} == set(LABELS)


def test_every_figure_says_what_to_do_with_it() -> None:
    """A help text is a sentence, and the page shows every one of them."""
    for entry in ENTRIES:
        assert entry.text.endswith("."), entry
        assert f"| {entry.text} |" in page()


def test_the_promise_to_owners_is_one_number(root: Path) -> None:
    """Demo, dashboard, histogram and alert measure against the same promise."""
    bound = f'le="{PROMISED_RECLAIM_SECONDS}"'
    assert RECLAIM_SECONDS == PROMISED_RECLAIM_SECONDS
    assert any(bound in expr for expr in SHOWN)
    assert any(bound in rule["expr"] for rule in alerts(root))
    buckets = door.RECLAIM_SECONDS.labels("Driving")._upper_bounds
    assert PROMISED_RECLAIM_SECONDS in buckets


def test_every_alert_has_its_runbook(root: Path) -> None:
    """The link of each alert ends at a page that begins with its name."""
    for rule in alerts(root):
        link = rule["annotations"]["runbook_url"]  # type: ignore[index] # a mapping in the rule
        assert link == f"docs/runbook/{rule['alert']}.md"
        assert (root / link).read_text().startswith(f"# {rule['alert']}\n")


def test_grafana_gets_every_panel_with_its_words() -> None:
    """The file for Grafana holds each panel once, with its description, and asks the chosen data source."""
    made = json.loads(dashboard_json())
    panels = [panel for panel in made["panels"] if panel["type"] == "timeseries"]
    assert [panel["title"] for panel in panels] == [panel.title for panel in PANELS]
    assert [panel["description"] for panel in panels] == [panel.text for panel in PANELS]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert not any("or vector" in expr for expr in SHOWN)


def test_the_picture_shows_what_was_answered() -> None:
    """Each panel is drawn with its lines; what was no number leaves a gap, and a panel without series stays empty."""
    nothing = float("nan")
    answers = {panel: [Line("a <line>", ((0.0, nothing), (1.0, 2.0), (2.0, 4.0)))] for panel in PANELS[1:]}
    picture = draw({PANELS[0]: [], **answers})
    assert picture.count("<polyline") == len(PANELS) - 1
    assert "nan" not in picture
    tree = ET.fromstring(picture)  # noqa: S314 - our own
    words = [element.text for element in tree.iter() if element.text]
    assert {"a <line>", *(panel.title for panel in PANELS), *(row.question for row in ROWS)} <= set(words)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0025, "s", "2.5 ms"),
        (90000.0, "s", "1.04 d"),
        (0.0, "s", "0"),
        (100 * 2.0**20, "bytes", "100 MiB"),
        (0.5, "percentunit", "50 %"),
        (12.0, "short", "12"),
        (1500.0, "short", "1.5 k"),
        (3.0, "reqps", "3 /s"),
    ],
)
def test_numbers_are_said_in_their_unit(value: float, unit: str, words: str) -> None:
    """An axis reads as in Grafana."""
    assert in_unit(value, unit) == words
