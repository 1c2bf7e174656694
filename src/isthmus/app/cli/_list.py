"""All commands: where each lives and what it is for. Plain text only, so that ``isthmus --help`` loads nothing else."""

from __future__ import annotations

from typing import NamedTuple


class Listed(NamedTuple):
    """A command as the list of all commands shows it."""

    module: str
    summary: str
    group: str


BUILD, RUN, LOOK, ACT, TRY = "Build a site", "Run it", "See what happened", "Act on it", "Try it"
GROUPS = (BUILD, RUN, LOOK, ACT, TRY)

_CLI = "isthmus.app.cli"
_PRACTICE = "isthmus.app.practice"

COMMANDS: dict[str, Listed] = {
    "init": Listed(f"{_CLI}.init", "make a new site that runs", BUILD),
    "check": Listed(f"{_CLI}.check", "everything that is wrong with a site, at once", BUILD),
    "plan": Listed(f"{_CLI}.plan", "what a message would do, without doing it", BUILD),
    "policy": Listed(f"{_CLI}.policy", "how failures are treated, and why so", BUILD),
    "run": Listed(f"{_CLI}.run", "run a site; Ctrl-C drains it and prints the balance sheet", RUN),
    "doctor": Listed(f"{_CLI}.doctor", "is this machine ready, and does everything answer?", RUN),
    "keys": Listed(f"{_CLI}.keys", "the key ring: list and rotate", RUN),
    "balance": Listed(f"{_CLI}.balance", "the balance sheet of the journal: does everything add up?", LOOK),
    "messages": Listed(f"{_CLI}.messages", "find messages", LOOK),
    "show": Listed(f"{_CLI}.show", "a message's whole story", LOOK),
    "dead": Listed(f"{_CLI}.dead", "deliveries that were given up, with reason and owner", LOOK),
    "redeliver": Listed(f"{_CLI}.redeliver", "send the same bytes once more", ACT),
    "abandon": Listed(f"{_CLI}.abandon", "give a dead delivery up for good", ACT),
    "reprocess": Listed(f"{_CLI}.reprocess", "run today's code on an old message; shows the difference first", ACT),
    "resume": Listed(f"{_CLI}.resume", "let a stopped subscription go on after its fix", ACT),
    "demo": Listed(f"{_PRACTICE}.demo", "the reference hospital with a simulated feed", TRY),
    "drill": Listed(f"{_CLI}.drill", "put a site through failures in a sandbox, and count every message by its id", TRY),
    "practice": Listed(f"{_PRACTICE}.stand_in", "a practice Odoo, laboratory or portal, to try a site against", TRY),
    "feed": Listed(f"{_PRACTICE}.feed", "send recorded messages to a listener", TRY),
}
