"""What only the owner may read is in no message: every word, hour, plan, place and path is looked for in the bytes."""

from dataclasses import replace
from typing import Any

import grpc
import pytest

from parkade_agent import wire
from parkade_agent.runner import report
from parkade_api import vss
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_core.vehicle.consent import Consent
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.guard import decide, initial
from parkade_core.vehicle.hours import hours_of
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.readings import Reading, Value
from parkade_core.vehicle.rules import ConsentTerms
from support.facts import NOON, OWN, RULES, readings

TERMS = ConsentTerms("3", renew_after=86400)
AT = NOON.timestamp()
AGREED = Consent(7, "v1", "3", frozenset({"public-data"}), AT - 60, AT + 60)
HOURS = (hours_of("21:47-05:13"),)
HERE: dict[str, Value] = {vss.LATITUDE: 52.377956, vss.LONGITUDE: 4.897070}
LEAVES: dict[str, Value] = {vss.TIMER_MODE: "END_TIME", vss.TIMER_TIME: "2026-11-22T12:01:37Z"}
CANARIES = (
    *("52.377956", "4.89707", "at work", "home", "mother"),
    *("12:00", "Sun", "21:47", "05:13", "47 21"),
    *("12:01", "11:5", "2026-11", "in 97 s"),
    *("/media/", ".json", ".sqlite"),
)
Told = dict[str, Any]


@pytest.mark.parametrize(
    ("own", "rules", "signals", "shown"),
    [
        ({"paused_because": "the owner paused: at my mother's, 52.377956"}, {}, {}, "mother"),
        ({"problem": "/media/stick/places.json: home.latitude: 52.377956 4.89707"}, {}, {}, "/media/"),
        ({"place": "work", "limits": OwnerLimits(places=frozenset({"home"}))}, {}, {}, "at work"),
        ({"limits": OwnerLimits(hours=HOURS)}, {}, {}, "Sun 12:00"),
        ({"limits": OwnerLimits(hours=HOURS), "wall": None}, {}, {}, "time of day is not known"),
        ({"consent": replace(AGREED, hours=HOURS)}, {"consent": TERMS}, {}, "Sun 12:00"),
        (
            {"consent": replace(AGREED, places=frozenset({"home"})), "place": "work"},
            {"consent": TERMS},
            {},
            "at work",
        ),
        ({}, {"windows": HOURS}, {}, "Sun 12:00"),
        ({}, {"respect_schedule": True}, LEAVES, "leaves at 12:01"),
        ({"wall": None}, {"respect_schedule": True}, LEAVES, "a departure is planned"),
        ({}, {"respect_schedule": True}, LEAVES | {vss.TIMER_MODE: "to mother"}, "to mother"),
        ({}, {"respect_schedule": True}, LEAVES | {vss.TIMER_TIME: "mother's day"}, "no time of departure"),
        ({"no_consent_because": "/media/stick/consent.json is refused"}, {"consent": TERMS}, {}, "/media/"),
        (
            {"consent": replace(AGREED, granted_at=AT + 30)},
            {"consent": TERMS},
            {},
            "good from 2026-11-22 12:00",
        ),
        ({"consent": replace(AGREED, expires_at=AT)}, {"consent": TERMS}, {}, "ended on 2026-11-22 12:00"),
        ({"consent": replace(AGREED, granted_at=AT - 86400)}, {"consent": TERMS}, {}, "agreed on 2026-11-21"),
        (
            {"consent": replace(AGREED, terms_version="mother's")},
            {"consent": TERMS},
            {},
            "agreed to mother's",
        ),
        ({"trouble": "the journal /media/stick/journal.sqlite cannot be used"}, {}, {}, "/media/"),
        ({}, {}, {}, ""),
    ],
)
def test_a_canary_is_in_no_telemetry(own: Told, rules: Told, signals: dict[str, Value], shown: str) -> None:
    """The owner reads it in the guard's causes; the cluster is told a fixed sentence, and a cell of the position."""
    values = {path: Reading(value, 1.0) for path, value in (HERE | signals).items()}
    facts = Facts({**readings(), **values}, replace(RULES, **rules), replace(OWN, **own))
    state = decide(facts, initial(0), 0)
    message = wire.telemetry(facts.readings, state)
    assert [canary for canary in CANARIES if canary.encode() in message.SerializeToString()] == []
    assert [canary for canary in CANARIES if canary in str(message)] == []
    assert "52.35" in str(message)
    assert shown in " ".join(cause.message for cause in state.causes)
    assert bool(shown) == (not state.may_start)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN]
)
def test_a_canary_is_in_no_handback(code: grpc.StatusCode) -> None:
    """Of a lost sidecar gRPC says where its socket lies; the cluster hears that there was no answer."""
    shard = vehicle_pb2.NextReply(lease="l", shard=7, attempt="a", input_name="in-7")
    finish = report.failed(shard, code, "failed to connect to unix:/media/stick/sidecar/s: places.json")
    told = wire.handback("batch", "l", [7], finish.reason, finish.message).SerializeToString()
    assert [canary for canary in CANARIES if canary.encode() in told] == []
