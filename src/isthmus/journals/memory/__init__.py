"""The journal in memory: for tests and dry runs. Simple on purpose: what the contract suite means, it says most plainly."""

from isthmus.journals.memory.journal import MemoryJournal

__all__ = ["MemoryJournal"]
