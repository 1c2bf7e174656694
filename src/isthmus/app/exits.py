"""Exit codes of the command line: one table, from which the reference page is generated."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """What a command's exit code says to the script that called it."""

    OK = 0, "Done; the answer is yes; nothing is wrong."
    FINDINGS = 1, "Done, and the answer is no: findings in a check, a plan with violations, nothing found, a balance that does not close."
    USAGE = 2, "Not begun: the command line or the configuration is wrong. The text names each key and its cure."
    UNREACHABLE = 3, "Something outside did not answer: the journal, an endpoint, a port that is taken. Trying again later may work."
    DECLINED = 4, "Not done, because a person said no or was not there to say yes (`--yes` answers in scripts)."
    BUG = 70, "A bug of ours. Run again with `--debug` and report what it prints."
    INTERRUPTED = 130, "Ended by Ctrl-C (or SIGTERM) before it was finished."

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Keep the meaning beside the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member
