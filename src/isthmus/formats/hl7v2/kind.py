"""Kind: what MSH-9 says a message is, ``ADT^A03``; the structure in MSH-9.3 does not matter."""

from __future__ import annotations

import re

_STRUCTURE = re.compile(r"([A-Z]{3})_([A-Z0-9]{3})")

_SHARED = frozenset((
    "ADT_A01", "ADT_A05", "ADT_A06", "ADT_A09", "ADT_A21", "ADT_A39", "ADT_A43", "ADT_A45", "ADT_A50", "ADT_A52", "ADT_A54", "ADT_A61",
    "SIU_S12", "SRM_S01", "SRR_S01", "MDM_T01", "MDM_T02", "RDE_O11", "REF_I12", "PGL_PC6", "PPR_PC1", "PPG_PCG", "PPP_PCB",
    "CRM_C01", "CSU_C09", "QBP_Q21", "QBP_Q11", "RSP_K21", "RSP_K11", "MFN_ZNN", "SSU_U03", "TCU_U10", "LSU_U12",
))  # fmt: skip
"""Structures that several trigger events share (table 0354): they do not tell which one happened."""


def kind(message_type: str, trigger: str, structure: str, event: str = "") -> str:
    """Type and trigger as ``ADT^A03``; just the type where no trigger can be known; empty where nothing is said.

    Senders leave the trigger out (``ORU^^ORU_R01``) or put the structure in place of the type (``ADT_A40``): then EVN-1
    (``event``) says it, or the structure does where only one trigger has it.
    """
    message_type, trigger, structure = message_type.strip().upper(), trigger.strip().upper(), structure.strip().upper()
    if not trigger:
        found = _STRUCTURE.fullmatch(message_type) or _STRUCTURE.fullmatch(structure)
        if found is not None and found[1] == (message_type or found[1])[:3]:
            message_type = found[1]
            trigger = event.strip().upper() or ("" if found[0] in _SHARED else found[2])
        elif message_type:
            trigger = event.strip().upper()
    return f"{message_type}^{trigger}" if message_type and trigger else message_type
