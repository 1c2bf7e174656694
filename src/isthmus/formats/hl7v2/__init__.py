"""HL7 version 2, sans-I/O: lossless lazy parsing and writing, batches, MLLP framing, acknowledgements, contracts."""

from isthmus.formats.hl7v2 import mllp
from isthmus.formats.hl7v2.acknowledge import acknowledge, application_acknowledgement
from isthmus.formats.hl7v2.acknowledgement import Acknowledgement, read_acknowledgement
from isthmus.formats.hl7v2.batch import Batch, Piece, split
from isthmus.formats.hl7v2.batch_stream import BatchStream
from isthmus.formats.hl7v2.claims import claim, embedded
from isthmus.formats.hl7v2.contract import Contract
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.encoding import NULL
from isthmus.formats.hl7v2.field import Component, Field, Repetition
from isthmus.formats.hl7v2.format import HL7V2, Hl7v2
from isthmus.formats.hl7v2.group import Group
from isthmus.formats.hl7v2.rules import Rule, rule
from isthmus.formats.hl7v2.segment import Segment

__all__ = [
    "HL7V2", "NULL", "Acknowledgement", "Batch", "BatchStream", "Component", "Contract", "Field", "Group", "Hl7", "Hl7v2", "Piece", "Repetition",
    "Rule", "Segment", "acknowledge", "application_acknowledgement", "claim", "embedded", "mllp", "read_acknowledgement", "rule", "split",
]  # fmt: skip
