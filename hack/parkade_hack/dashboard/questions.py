"""What the dashboard asks: a row is a question, a panel one part of its answer, a query one PromQL expression.

`$__rate_interval` is Grafana's: a window that holds some scrapes.
"""

from dataclasses import dataclass
from typing import Final

PROMISED_RECLAIM_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, and the name of each of its series, with {{label}}s."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Series over time with one unit, as Grafana names units; *text* says how to read them."""

    title: str
    text: str
    unit: str
    queries: tuple[Query, ...]
    is_stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A question, and the panels that answer it."""

    question: str
    panels: tuple[Panel, ...]


_WORK: Final = (
    Panel(
        "Records a second",
        "Records whose result became durable. Failed ones are explained in each batch's errors.jsonl.",
        "short",
        (Query("sum by (outcome) (rate(parkade_records_total[$__rate_interval]))", "{{outcome}}"),),
        is_stacked=True,
    ),
    Panel(
        "Batches",
        "InferenceBatches by phase. InProgress with no records a second: see the next row for vehicles.",
        "short",
        (
            Query(
                'sum by (phase) (parkade_inferencebatches{phase=~"Queued|InProgress|Suspended|Finalizing"})',
                "{{phase}}",
            ),
        ),
        is_stacked=True,
    ),
    Panel(
        "Work that is left",
        "Records of running batches that have no result yet.",
        "short",
        (Query("sum(parkade_records_left)", "records"),),
    ),
    Panel(
        "Attempts at shards",
        "What became of leased shards, a second. Lost, expired and returned ones are work that was done in vain.",
        "short",
        (Query("sum by (outcome) (rate(parkade_shards_total[$__rate_interval]))", "{{outcome}}"),),
    ),
)
_VEHICLES: Final = (
    Panel(
        "Vehicles",
        "All that have a Node, those that are heard, those that may work, and those that have a slot.",
        "short",
        (
            Query("sum(parkade_vehicles)", "all"),
            Query("sum(parkade_vehicles_online)", "online"),
            Query("sum(parkade_vehicles_eligible)", "eligible"),
            Query("sum(parkade_vehicles_busy)", "busy"),
        ),
    ),
    Panel(
        "Why vehicles may not work",
        "Vehicles that are not eligible, by their first reason.",
        "short",
        (Query("sum by (reason) (parkade_vehicles_ineligible)", "{{reason}}"),),
        is_stacked=True,
    ),
    Panel(
        "Slots",
        "Slots that start, that work, that find no shard, and that are on vehicles that are not heard.",
        "short",
        (Query("sum by (state) (parkade_slots)", "{{state}}"),),
        is_stacked=True,
    ),
)
_OWNERS: Final = (
    Panel(
        "Time until a vehicle is its owner's again",
        f"From the signal to the last CPU time of work, over the last hour. Promised: {PROMISED_RECLAIM_SECONDS} s.",
        "s",
        (
            Query(
                "histogram_quantile(0.99, sum by (le) (increase(parkade_reclaim_seconds_bucket[1h])))",
                "99 of 100",
            ),
            Query(
                "histogram_quantile(0.5, sum by (le) (increase(parkade_reclaim_seconds_bucket[1h])))", "half"
            ),
        ),
    ),
    Panel(
        "Reclaims an hour",
        "How often owners took a vehicle back while it worked, and for what.",
        "short",
        (Query("sum by (reason) (increase(parkade_reclaim_seconds_count[1h]))", "{{reason}}"),),
        is_stacked=True,
    ),
    Panel(
        "Reclaims as promised",
        f"Share of the reclaims of the last hour that took at most {PROMISED_RECLAIM_SECONDS} s.",
        "percentunit",
        (
            Query(
                f'sum(increase(parkade_reclaim_seconds_bucket{{le="{PROMISED_RECLAIM_SECONDS}"}}[1h]))'
                " / sum(increase(parkade_reclaim_seconds_count[1h]))",
                "as promised",
            ),
        ),
    ),
)
_CONTROL_PLANE: Final = (
    Panel(
        "Leaders",
        "One operator and one gateway lead at any time. 0 for more than seconds: see the runbook of ParkadeNoLeader.",
        "short",
        (Query("sum by (lease) (parkade_leader)", "{{lease}}"),),
    ),
    Panel(
        "Time to a durable commit",
        "From a piece's arrival until its shards are in the commit log. It is the platform store's time.",
        "s",
        (
            Query(
                "histogram_quantile(0.99, sum by (le) (rate(parkade_commit_seconds_bucket[$__rate_interval])))",
                "99 of 100",
            ),
            Query(
                "histogram_quantile(0.5, sum by (le) (rate(parkade_commit_seconds_bucket[$__rate_interval])))",
                "half",
            ),
        ),
    ),
    Panel(
        "Platform store in use",
        "Share of its file system. What ended goes after a day; nearly full: see the runbook of ParkadeStoreFilling.",
        "percentunit",
        (
            Query(
                "max(parkade_store_used_bytes / (parkade_store_used_bytes + parkade_store_free_bytes))",
                "used",
            ),
        ),
    ),
    Panel(
        "Requests to the API server a second",
        "By answer. 403 is a missing RBAC rule, 0 is no answer; 409 now and then is normal.",
        "reqps",
        (Query("sum by (code) (rate(parkade_api_requests_total[$__rate_interval]))", "{{code}}"),),
        is_stacked=True,
    ),
    Panel(
        "Keys that wait to be reconciled",
        "They come in bursts; a queue that only grows is too slow.",
        "short",
        (Query("sum by (queue) (parkade_queue_depth)", "{{queue}}"),),
    ),
    Panel(
        "Open sessions",
        "Connections of vehicles. Fewer than vehicles that are online: connections break.",
        "short",
        (Query("sum(parkade_sessions)", "sessions"),),
    ),
    Panel(
        "Memory",
        "Resident memory of operator and gateway; of several replicas the largest.",
        "bytes",
        (
            Query(
                "max by (lease) (process_resident_memory_bytes * on (job, instance) group_left (lease)"
                " (parkade_leader >= bool 0))",
                "{{lease}}",
            ),
        ),
    ),
    Panel(
        "Certificates end in",
        "Of the vehicles' ports and of the kubelet port: renewed at two thirds of their life.",
        "s",
        (
            Query(
                'min by (certificate) (parkade_certificate_expiry_timestamp_seconds{certificate!="authority"})'
                " - time()",
                "{{certificate}}",
            ),
        ),
    ),
)
ROWS: Final = (
    Row("Is work being done?", _WORK),
    Row("How many vehicles may work, and why not the others?", _VEHICLES),
    Row("How fast do owners get their vehicle back?", _OWNERS),
    Row("Is the control plane healthy?", _CONTROL_PLANE),
)
