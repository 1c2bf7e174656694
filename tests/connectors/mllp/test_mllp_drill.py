"""A receiver that does everything wrong in turn, and what a courier makes of it: every message takes effect, each exactly once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from isthmus.connectors.mllp import Mllp, MllpEndpoint
from isthmus.connectors.mllp.client import MllpClient
from isthmus.connectors.mllp.practice import Freeze, HangUp, PracticeReceiver, Raw, Reaction, Say
from isthmus.connectors.suite import Unlimited
from isthmus.core import Delivered, Delivery, Reject, Retry, Unknown
from isthmus.formats.hl7v2 import Hl7

LAB = Mllp("lab")
MESSAGES = 120
PATIENCE = 0.08


class Trouble:
    """Half of the time it behaves."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.did: Counter[str] = Counter()
        self.old = "NOBODY"

    def __call__(self, message: Hl7) -> Reaction | Sequence[Reaction] | None:
        old, self.old = self.old, message.control_id
        faults: dict[str, Reaction | Sequence[Reaction] | None] = {
            "silent": None,
            "late": Say(delay=2 * PATIENCE),
            "hangs up before": HangUp(acts=False),
            "hangs up after": HangUp(),
            "freezes": Freeze(),
            "answers another": Say(control_id=old),
            "answers another, then this": (Say(control_id=old), Say()),
            "answers twice": (Say(), Say()),
            "garbage": Raw(data=b"\x0bwhat?\x1c\r"),
            "busy": Say(code="AR", error="207"),
            "half an answer": (Raw(data=b"\x0bMSH|^~\\&|L"), HangUp()),
        }
        what = self.rng.choice([*faults, *["fine"] * len(faults)])
        self.did[what] += 1
        return faults.get(what, Say())


async def carry(client: MllpClient, receiver: PracticeReceiver, delivery: Delivery, outcomes: Counter[str]) -> None:
    """As the courier does: unknown is checked, retry is sent again, until it is delivered."""
    while True:
        (outcome,) = await client.send([delivery], PATIENCE)
        outcomes[type(outcome).__name__] += 1
        match outcome:
            case Delivered():
                assert receiver.effects_of(delivery.key) == 1, "told to be delivered, and no effect is there"
                return
            case Unknown():
                assert isinstance(await client.check(delivery, PATIENCE), Retry)
            case Reject():
                pytest.fail(f"nothing was refused for good: {outcome}")


@pytest.mark.parametrize("seed", range(3))
async def test_everything_goes_wrong_in_turn(seed: int) -> None:
    trouble = Trouble(seed)
    receiver = PracticeReceiver(trouble)
    await receiver.start()
    client = MllpClient("lab", MllpEndpoint(host="127.0.0.1", port=receiver.port, connections=8), Unlimited())
    await client.open()
    message = b"MSH|^~\\&|A|B|C|D|20260101||OML^O21^OML_O21|X|P|2.5.1\rORC|NW|%d\r"
    deliveries = iter([LAB.send(message % number, key=str(number)) for number in range(MESSAGES)])
    outcomes: Counter[str] = Counter()

    async def work() -> None:
        for delivery in deliveries:
            await carry(client, receiver, delivery, outcomes)

    async def restart() -> None:
        while True:
            await asyncio.sleep(0.3)
            await receiver.stop()
            await asyncio.sleep(0.02)
            await receiver.start()

    restarting = asyncio.create_task(restart())
    await asyncio.gather(*(work() for _ in range(8)))
    restarting.cancel()
    await asyncio.gather(restarting, return_exceptions=True)
    await client.close()
    await receiver.stop()
    assert len(receiver.effects) == MESSAGES
    assert len({Hl7(one).control_id for one in receiver.effects}) == MESSAGES
    assert outcomes["Delivered"] == MESSAGES
    assert outcomes["Unknown"] > 20, "too little was unknown: this drill did not hurt"
    assert outcomes["Retry"] > 0, "nothing was refused or down: this drill did not hurt"
    assert len(receiver.received) > MESSAGES + 20, "too little was sent twice: this drill did not hurt"
    assert len(trouble.did) == 12, f"not every fault came: {trouble.did}"
