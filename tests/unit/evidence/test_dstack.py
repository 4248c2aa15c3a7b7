from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import eventlog as build
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import MalformedInputError, TeekitError
from teekit_verify.evidence.dstack import parse_dstack_log, runtime_digest
from teekit_verify.evidence.eventlog import LogKind
from teekit_verify.registers.registers import rtmr
from teekit_verify.registers.replay import replay

REPORT = (build.ASSETS / "dstack-quote-report.json").read_bytes()
EVENTS: list[dict[str, Any]] = json.loads(json.loads(REPORT)["event_log"])
APP_ID = next(event for event in EVENTS if event["event"] == "app-id")
SEPARATOR = next(event for event in EVENTS if event["event_type"] == 4)


def _log(*events: dict[str, Any]) -> bytes:
    return json.dumps(events).encode()


@pytest.mark.parametrize(
    "data",
    [REPORT, json.dumps(EVENTS).encode(), json.dumps({"event_log": EVENTS}).encode()],
    ids=["answer", "list", "field"],
)
def test_a_real_log_replays_to_its_quote(data: bytes) -> None:
    log = parse_dstack_log(data)
    assert log.kind is LogKind.CCEL
    values = replay(log.events, Algorithm.SHA384)
    quoted = build.quote_rtmrs(bytes.fromhex(json.loads(REPORT)["quote"]))
    assert [values[rtmr(index)].value for index in range(4)] == list(quoted)


def test_every_runtime_event_of_a_real_log_has_the_digest_of_its_content() -> None:
    runtime = [event for event in EVENTS if event["event_type"] == 0x08000001]
    assert len(runtime) == 8
    for event in runtime:
        assert runtime_digest(event["event"], bytes.fromhex(event["event_payload"])).hex == event["digest"]


def test_digests_of_runtime_events_may_be_left_out() -> None:
    """As dstack's stripped logs do: then the register follows from names and payloads."""
    stripped = [dict(event, digest="") if event["imr"] == 3 else event for event in EVENTS]
    quoted = build.quote_rtmrs(bytes.fromhex(json.loads(REPORT)["quote"]))
    for events in (stripped, [{k: v for k, v in event.items() if k != "digest" or v} for event in stripped]):
        assert replay(parse_dstack_log(_log(*events)).events, Algorithm.SHA384)[rtmr(3)].value == quoted[3]


def test_words() -> None:
    log = parse_dstack_log(REPORT)
    words = [event.description for event in log.events]
    assert "runtime event app-id: 3763bc34552cf3a27ff71ad5f7a90471562a1a2d" in words
    assert "runtime event system-ready: no payload" in words
    assert 'hand-off tables "TdxTable", 1 of them' in words


def test_a_payload_that_the_digest_does_not_cover_is_not_shown() -> None:
    forged = dict(APP_ID, event_payload="00" * 20)
    (event,) = parse_dstack_log(_log(forged)).events
    assert event.description == "runtime event whose name and payload do not give its digest"
    assert event.digest(Algorithm.SHA384).hex == APP_ID["digest"]


def test_version_2_digests_canonical_json() -> None:
    # printf '{"name":"a\u00fc\\n","payload":"dead","type":134217729}' | sha384sum
    expected = "d7591c68b414c7a1e1a835e21e746ef2ba17847720113e3de6bfab5607e93504d034887ecc05bf1f739eec85be188407"
    assert runtime_digest("a\u00fc\n", b"\xde\xad", 2).hex == expected
    event = {"imr": 3, "event_type": 0x08000001, "event": "a\u00fc\n", "event_payload": "dead", "version": 2}
    assert parse_dstack_log(_log(event)).events[0].digest(Algorithm.SHA384).hex == expected


def test_unknown_version() -> None:
    with pytest.raises(TeekitError, match="of version 3 is not known"):
        runtime_digest("a", b"", 3)


BROKEN = {
    "no list": (b"{}", "event_log at offset 0x0: expected a list of events"),
    "empty": (b"[]", "expected a list of events"),
    "text": (b'{"event_log": "[x"}', "JSON at offset 0x1: Expecting value"),
    "many": (_log(*([{}] * 10_001)), "more than 10000 events"),
    "no event": (b"[1]", "event 0: imr at offset 0x0: expected a number from 0 to 3, found None"),
    "register": (_log(SEPARATOR, dict(SEPARATOR, imr=4)), "event 1: imr .* expected a number from 0 to 3, found 4"),
    "boolean": (_log(dict(SEPARATOR, imr=True)), "event 0: imr .* found True"),
    "type": (_log(dict(SEPARATOR, event_type=1 << 32)), "event 0: event_type .* to 4294967295, found 4294967296"),
    "payload": (_log(dict(SEPARATOR, event_payload="0")), "event 0: event_payload .* is not hexadecimal"),
    "no payload": (_log(dict(SEPARATOR, event_payload=None)), "event 0: event_payload .* expected text, found None"),
    "digest": (_log(dict(SEPARATOR, digest="00")), "event 0: digest .* expected 48 bytes, found 1"),
    "no digest": (_log(dict(SEPARATOR, digest=None)), "event 0: digest .* expected 48 bytes, found 0"),
    "runtime digest": (_log(dict(APP_ID, digest="00")), "event 0: digest .* expected 48 bytes, found 1"),
    "name": (_log(dict(APP_ID, event=1)), "event 0: event .* expected text, found 1"),
    "surrogate": (_log(dict(APP_ID, event="\ud800")), "event 0: event .* its name is not Unicode text"),
    "version": (_log(dict(APP_ID, version=3)), "event 0: version .* from 0 to 2, found 3"),
    "version 0": (_log(dict(APP_ID, version=0)), "of version 0 is not known"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed(name: str) -> None:
    data, message = BROKEN[name]
    with pytest.raises(MalformedInputError, match=message):
        parse_dstack_log(data)


_VALUES = st.none() | st.booleans() | st.integers() | st.text("0af\n\ud800", max_size=5) | st.just([1])


@given(st.lists(st.dictionaries(st.sampled_from(sorted(APP_ID)), _VALUES), max_size=3))
def test_any_json_parses_or_is_our_error(events: list[dict[str, Any]]) -> None:
    try:
        assert len(parse_dstack_log(_log(*events)).events) == len(events)
    except MalformedInputError as error:
        assert error.field  # noqa: PT017 - any other exception is the failure
