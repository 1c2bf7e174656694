"""The catalogue: every drill, in the words of whoever runs a hospital's integration."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from isthmus.app.drill.field import DoStrike
from isthmus.app.drill.strikes import answers, clocks, disks, kills, restarts

Need = Literal["gates", "mllp", "odoo", "image", "postgres", "sqlite"]
"""What a drill cannot do without: endpoints with a port · an endpoint of this kind · a disk on an image file · a journal of this kind."""


class Drill(Struct, frozen=True, kw_only=True):
    name: str
    title: str
    words: str
    """What happens, and what has to be true afterwards."""
    strike: DoStrike
    needs: tuple[Need, ...] = ()
    times: int = 1
    """How often it strikes, unless told otherwise."""
    disk: Literal["small", "image", ""] = ""
    """On what kind of disk the journal lies."""


_ALL = (
    Drill(
        name="outage",
        title="receivers are off",
        words="Every receiver is switched off under load and on again. Senders must notice nothing, nothing may be hammered, and what"
        " piled up leaves in order.",
        strike=answers.outage,
        needs=("gates",),
    ),
    Drill(
        name="slow",
        title="receivers are slow",
        words="Answers take up to one and a half seconds. Nothing is given up, nothing is sent twice, and senders are acknowledged as fast"
        " as ever.",
        strike=answers.spoiling("slow", "{n} answers were held back", share=0.8, delay=answers.slowly),
        needs=("gates",),
    ),
    Drill(
        name="hang",
        title="receivers take it and say nothing",
        words="A receiver takes the message, does what it says, and never answers. After the time-out nobody knows: it must be looked up,"
        " not sent blindly again.",
        strike=answers.spoiling("hang", "{n} answers never came", share=0.15),
        needs=("gates",),
    ),
    Drill(
        name="malformed",
        title="answers are rubbish",
        words="What comes back is no answer at all. The effect may be there: unknown, and looked up.",
        strike=answers.spoiling("garble", "{n} answers were rubbish"),
        needs=("gates",),
    ),
    Drill(
        name="truncated",
        title="messages and answers break off",
        words="Senders hang up in the middle of a message, receivers in the middle of an answer. Half a message is no message; half an"
        " answer proves nothing.",
        strike=answers.truncated,
        needs=("gates",),
    ),
    Drill(
        name="duplicate",
        title="everything comes twice",
        words="Senders repeat what was acknowledged, receivers acknowledge twice. Each message is kept once and has one effect, and its"
        " sender hears the first answer again.",
        strike=answers.duplicate,
    ),
    Drill(
        name="delayed-ack",
        title="acknowledgements come late",
        words="Acknowledgements come late, some when we have stopped waiting. A late one must not be taken for the answer to the next.",
        strike=answers.spoiling("slow", "{n} acknowledgements were late", share=0.15, delay=answers.too_late),
        needs=("gates",),
    ),
    Drill(
        name="lost-ack",
        title="acknowledgements are lost",
        words="The connection breaks after the message and before its acknowledgement, on the way in and on the way out. The sender says"
        " it again: kept once. We look it up: sent once.",
        strike=answers.lost,
        needs=("gates",),
    ),
    Drill(
        name="foreign-ack",
        title="acknowledgements of other messages",
        words="A receiver acknowledges a message that we did not send (MSA-2). It must not count for ours.",
        strike=answers.spoiling("foreign", "{n} acknowledgements named another message", only="mllp", share=0.3),
        needs=("mllp",),
    ),
    Drill(
        name="clock",
        title="the clock jumps",
        words="The wall clock is set forward and back by up to thirty days. What is due goes on, nothing is given up for its age,"
        " nothing is pruned.",
        strike=clocks.jump,
    ),
    Drill(
        name="disk-full",
        title="the disk is full",
        words="The journal's disk fills up. Senders are told to wait, nobody is acknowledged what was not kept, and with room it goes on by"
        " itself.",
        strike=disks.full,
        disk="small",
        needs=("sqlite",),
    ),
    Drill(
        name="power",
        title="the power goes",
        words="The power fails at random moments: whatever was written to the disk and not synced is gone. What was acknowledged is there.",
        strike=disks.cut,
        disk="image",
        needs=("sqlite", "image"),
        times=5,
    ),
    Drill(
        name="odoo-restart",
        title="Odoo is restarted in the middle of a batch",
        words="Odoo's process dies while it works on a batch, and comes back with what it had committed. Each record is there once.",
        strike=restarts.odoo,
        needs=("odoo",),
        times=2,
    ),
    Drill(
        name="postgres-restart",
        title="PostgreSQL is restarted",
        words="The journal's database ends every session and refuses new ones for a while. Senders wait, nothing is acknowledged that is not"
        " kept, and it goes on by itself.",
        strike=restarts.postgres,
        needs=("postgres",),
        times=2,
    ),
    Drill(
        name="kill",
        title="kill -9 under load",
        words="The process is killed again and again at random moments. What was acknowledged is there at the next start, what was being"
        " sent is looked up first.",
        strike=kills.kill,
        times=20,
    ),
    Drill(
        name="writes",
        title="death at every write",
        words="The process dies at its first write, at its second, and so on: before it, in the middle, and after it. There is no moment"
        " at which a death costs anything.",
        strike=kills.writes,
        times=15,
    ),
)
DRILLS: dict[str, Drill] = {one.name: one for one in _ALL}
