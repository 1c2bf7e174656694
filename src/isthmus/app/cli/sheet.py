"""The balance sheet and the live summary, as tables of text."""

from __future__ import annotations

from isthmus.app.balance import UNSETTLED, Balance
from isthmus.app.cli.terminal import Terminal


def show_balance(sheet: Balance, terminal: Terminal) -> None:
    """The whole sheet, for people."""
    style = terminal.style
    terminal.line(f"Balance of {sheet.site}", "bold")
    terminal.table(
        ("interface", "received", "duplicates", "translated", "invalid", "refused", "failed?", "waiting?"),
        [
            (
                name,
                *map(str, (one.received, one.duplicates, one.translated, one.invalid, one.refused)),
                red(one.failed, terminal),
                str(one.waiting),
            )
            for name, one in sheet.interfaces.items()
        ],
    )
    terminal.line()
    terminal.table(
        ("subscription", "waiting?", "delivered", "on the way?", "dead", "abandoned?", "superseded?", "transport", "application", "business"),
        [
            (
                _named(name, one.endpoint) + (style(" stopped", "red") if one.stopped else ""),
                str(one.events_waiting),
                str(one.deliveries["delivered"]),
                str(sum(one.deliveries[state] for state in UNSETTLED)),
                red(one.deliveries["dead"], terminal),
                *map(str, (one.deliveries["abandoned"], one.deliveries["superseded"])),
                *(str(one.receipts[kind]) for kind in ("transport", "application", "business")),
            )
            for name, one in sheet.subscriptions.items()
        ],
    )  # fmt: skip
    terminal.line("Deliveries by state, and the receipts that prove them: transport, application, business.", "dim")
    terminal.line()
    for problem in sheet.problems:
        terminal.line(f"! {problem}", "yellow" if sheet.balances else "red")
    terminal.line(verdict(sheet), "green" if sheet.balances else "red", "bold")


def _named(subscription: str, endpoint: str) -> str:
    """Most names begin with the endpoint already."""
    return subscription if subscription.startswith(f"{endpoint}.") else f"{subscription} → {endpoint}"


def verdict(sheet: Balance) -> str:
    """The last line: does it balance?"""
    rest = f"; {sheet.open} still on their way" if sheet.open else ""
    if sheet.balances:
        return f"It balances: lost 0, duplicated 0{rest}."
    return f"IT DOES NOT BALANCE: lost {sheet.lost}, duplicated {sheet.duplicated}{rest}."


def red(count: int, terminal: Terminal) -> str:
    """A count that should be nought."""
    return terminal.style(str(count), "red", "bold") if count else "0"
