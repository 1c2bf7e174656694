"""Traffic: the practice hospital's stream, on its way into a running site: over MLLP, and as files into the supply folder."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from isthmus.app.practice.player import Player
from isthmus.app.practice.speech import Utterance


class Traffic:
    """Plays until it is told to ``stop``; ``answered`` counts what the senders hold an answer to."""

    def __init__(self, player: Player, stream: Iterator[Utterance], folder: Path) -> None:
        self.player = player
        self._stream = stream
        self._folder = folder
        self._dropped_off = 0
        self._stopped = False

    def stop(self) -> None:
        """Say nothing new; what has been begun is said to its end."""
        self._stopped = True

    async def play(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        await self.player.play(self._spoken())

    @property
    def answered(self) -> int:
        played = self.player.played
        moved = sum(1 for name in ("done", "refused") for path in (self._folder / name).glob("*.json"))
        return played["taken"] + played["invalid"] + played["refused"] + moved

    async def _spoken(self) -> AsyncIterator[Utterance]:
        """What is spoken goes to the player; a supply cabinet leaves a file instead."""
        for utterance in self._stream:
            if self._stopped:
                return
            if utterance.system == "supply":
                self._drop(utterance)
            else:
                yield utterance

    def _drop(self, utterance: Utterance) -> None:
        self._dropped_off += 1
        hidden = self._folder / f".{self._dropped_off:08d}.tmp"
        hidden.write_bytes(utterance.body)
        os.replace(hidden, self._folder / f"{self._dropped_off:08d}.json")  # noqa: PTH105 - the rename is the point: never half a file
