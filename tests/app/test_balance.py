"""The balance sheet: pure, so every way in which it may not balance is tried."""

from __future__ import annotations

import msgspec
import pytest

from isthmus.app.balance import Outside, balance
from isthmus.app.site_loader import load_site
from isthmus.journals.port import Position, Tally

SUBSCRIPTION, INTERFACE = "portal.tell", "supply.cabinet"


def tally(noun: str, name: str, **counts: int) -> list[Tally]:
    return [Tally(noun=noun, name=name, state=state.replace("_", "-"), count=count) for state, count in counts.items()]


SOUND = [
    *tally("message", INTERFACE, translated=90, invalid=4, refused=1, failed=2, received=3, duplicate=7),
    *tally("message", "", refused=5),
    *tally("event", "supply.taken", kept=90, superseded=1),
    *tally("delivery", SUBSCRIPTION, delivered=70, due=5, unknown=2, dead=3, abandoned=1, superseded=4),
    *tally("receipt", SUBSCRIPTION, transport=70, application=70, business=60),
    *tally("attempt", "portal", delivered=70, retry=9),
]
POSITIONS = [Position(subscription=SUBSCRIPTION, cursor=85, waiting=5), Position(subscription="of.old", cursor=1, waiting=99)]


@pytest.fixture
def site(make_site):
    return load_site(make_site({})).site


def test_a_sound_sheet(site) -> None:
    sheet = balance(site, SOUND, POSITIONS, Outside(answered=112))
    one = sheet.interfaces[INTERFACE]
    assert (one.received, one.acknowledged, one.duplicates, one.waiting) == (100, 95, 7, 3)
    assert one.received == one.translated + one.invalid + one.refused + one.failed + one.waiting
    assert sheet.interfaces["(none)"].refused == 5
    flow = sheet.subscriptions[SUBSCRIPTION]
    assert (flow.endpoint, flow.events_waiting, flow.deliveries["due"], flow.receipts["business"]) == ("portal", 5, 5, 60)
    assert sheet.events == {"supply.taken": 90}
    assert sheet.attempts == {"portal": {"delivered": 70, "retry": 9}}
    assert (sheet.open, sheet.dead, sheet.lost, sheet.duplicated, sheet.balances) == (3 + 5 + 5 + 2, 3, 0, 0, True)
    assert any("isthmus dead" in one for one in sheet.problems)
    assert any("isthmus reprocess" in one for one in sheet.problems)


def test_an_answered_message_that_is_nowhere_is_lost(site) -> None:
    sheet = balance(site, SOUND, POSITIONS, Outside(answered=115))
    assert (sheet.lost, sheet.balances) == (3, False)
    assert "3 messages were answered and are not in the journal" in sheet.problems[0]


def test_what_was_there_before_is_not_counted_as_answered_now(site) -> None:
    before = tuple(tally("message", INTERFACE, translated=50, duplicate=2))
    assert balance(site, SOUND, POSITIONS, Outside(answered=60, before=before)).lost == 0
    assert balance(site, SOUND, POSITIONS, Outside(answered=61, before=before)).lost == 1


def test_a_message_moves_between_states_without_being_lost(site) -> None:
    """Counters are by the state of now: what was waiting before is translated now, and the sums stay."""
    before = tuple(tally("message", INTERFACE, received=10))
    after = tally("message", INTERFACE, translated=15)
    assert balance(site, after, [], Outside(answered=5, before=before)).lost == 0


def test_senders_that_hung_up_before_the_answer_lose_nothing(site) -> None:
    assert balance(site, SOUND, POSITIONS, Outside(answered=10)).balances


def test_effects_that_are_there_twice(site) -> None:
    sheet = balance(site, SOUND, POSITIONS, Outside(answered=0, duplicated={"odoo": 2, "lab": 0}))
    assert (sheet.duplicated, sheet.balances) == (2, False)
    assert "(odoo)" in sheet.problems[0]


def test_delivered_without_a_receipt_does_not_balance(site) -> None:
    sheet = balance(site, tally("delivery", SUBSCRIPTION, delivered=3) + tally("receipt", SUBSCRIPTION, transport=2), [])
    assert not sheet.balances
    assert "1 deliveries count as delivered without a receipt" in sheet.problems[0]


def test_a_counter_below_zero_does_not_balance(site) -> None:
    assert not balance(site, tally("message", INTERFACE, received=-1), []).balances


def test_a_stopped_subscription_is_told(site) -> None:
    stopped = [Position(subscription=SUBSCRIPTION, cursor=0, waiting=4, stopped="exception")]
    assert any("isthmus resume portal.tell" in one for one in balance(site, [], stopped).problems)


def test_an_empty_journal_balances(site) -> None:
    sheet = balance(site, [], [])
    assert (sheet.balances, sheet.open, sheet.problems) == (True, 0, [])


def test_totals_are_the_sums_of_the_sheet(site) -> None:
    sheet = balance(site, SOUND, POSITIONS)
    assert sheet.totals.received == sum(one.received for one in sheet.interfaces.values()) > 0
    assert sheet.totals.events == sum(sheet.events.values())
    assert sheet.totals.deliveries["delivered"] == sum(one.deliveries["delivered"] for one in sheet.subscriptions.values()) > 0


def test_the_json_shape_is_a_promise(site) -> None:
    data = msgspec.to_builtins(balance(site, SOUND, POSITIONS))
    assert set(data) == {
        "site", "totals", "interfaces", "events", "subscriptions", "attempts", "open", "dead", "lost", "duplicated", "balances", "problems",
    }  # fmt: skip
    assert set(data["totals"]) == {"received", "acknowledged", "invalid", "refused", "duplicates", "events", "deliveries", "receipts"}
    assert set(data["interfaces"][INTERFACE]) == {
        "received", "acknowledged", "translated", "invalid", "refused", "failed", "waiting", "duplicates",
    }  # fmt: skip
    flow = data["subscriptions"][SUBSCRIPTION]
    assert set(flow) == {"endpoint", "events_waiting", "stopped", "deliveries", "receipts"}
    assert set(flow["deliveries"]) == {"due", "sending", "unknown", "delivered", "dead", "abandoned", "superseded"}
    assert set(flow["receipts"]) == {"transport", "application", "business"}
