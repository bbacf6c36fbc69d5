"""What operator and gateway tell Prometheus about their talk with the API server and about their queues."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

API_REQUESTS: Final = Counter(
    "parkade_api_requests",
    "Requests to the API server by verb and answer. 403 is a missing RBAC rule; 0 means that the server did not answer;"
    " many 409 are two writers of one object.",
    ["verb", "code"],
)
API_REQUEST_SECONDS: Final = Histogram(
    "parkade_api_request_seconds",
    "Time until the API server answered; of a watch, until it began. Compare with the API server's own figures before"
    " blaming either side.",
    ["verb"],
    buckets=_SECONDS,
)
QUEUE_DEPTH: Final = Gauge(
    "parkade_queue_depth",
    "Keys that wait for a worker. It goes back to 0 within seconds; one that grows means that reconciling is slower"
    " than changes come.",
    ["queue"],
)
RECONCILE_SECONDS: Final = Histogram(
    "parkade_reconcile_seconds",
    "Time of one reconcile, also of one that failed. Look here first when a queue grows.",
    ["queue"],
    buckets=_SECONDS,
)
RECONCILE_ERRORS: Final = Counter(
    "parkade_reconcile_errors",
    "Reconciles that the API server refused; each is retried with growing patience. The log says which and why.",
    ["queue"],
)
RECONCILE_DEFECTS: Final = Counter(
    "parkade_reconcile_defects",
    "Reconciles that ended in an error of our own code; any but 0 is worth an issue with the traceback from the log.",
    ["queue"],
)
LEADER: Final = Gauge(
    "parkade_leader",
    "1 while this process leads, 0 while it stands by. Over all replicas it sums to 1, and to 0 only for the seconds of"
    " a change.",
    ["lease"],
)


def count_request(verb: str, status: int, seconds: float) -> None:
    """One request that took *seconds* until its answer; *status* 0 is no answer."""
    API_REQUESTS.labels(verb, str(status)).inc()
    API_REQUEST_SECONDS.labels(verb).observe(seconds)
