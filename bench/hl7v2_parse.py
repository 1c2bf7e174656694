# ruff: noqa: INP001 - a script beside the package
"""What reading HL7 v2 costs, in µs a message: ``python bench/hl7v2_parse.py``. Best and median of many rounds; trust ratios."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from isthmus.formats.hl7v2 import HL7V2, Contract, Hl7, mllp, rule

_ADT = b"\r".join([
    rb"MSH|^~\&|EHR|HOSPITAL|ISTHMUS|HOSPITAL|20240311093000||ADT^A01^ADT_A01|EHR000000001|P|2.5.1|||AL|NE||UNICODE UTF-8",
    b"EVN|A01|20240311093000|||U123^Clerk^Carla",
    b"PID|1||4711^^^HOSPITAL^MR~9999999^^^NATIONAL^NI||Example^Edna^E^^Mrs||19560102|F|||1 Sample Street^^Sampleton^^12345^XX^H||5550100|||M||V4711",
    b"NK1|1|Example^Egon|SPO|1 Sample Street^^Sampleton^^12345|5550101",
    b"PV1|1|I|WARD1^101^A^HOSPITAL||||100^Doctor^Dora^^^Dr|200^Doctor^Dan^^^Dr||MED||||||||INP|V4711|||||||||||||||||||||||||20240311091500",
    *(b"AL1|%d|DA|%d^Substance number %d^L|MO|Rash and swelling" % (i, i, i) for i in range(1, 6)),
    *(b"DG1|%d||I%d.9^A condition with a rather long description^I10||20240311|A" % (i, i) for i in range(1, 6)),
    b"IN1|1|PLAN1|INS1|Insurance Mutual|2 Payer Street^^Sampleton|||||||||||Example^Edna|SEL|19560102",
    b"",
])  # fmt: skip
_ORU = b"\r".join([
    rb"MSH|^~\&|LIS|HOSPITAL|ISTHMUS|HOSPITAL|20240311093000||ORU^R01^ORU_R01|LIS000000001|P|2.5.1",
    b"PID|1||4711^^^HOSPITAL^MR||Example^Edna||19560102|F",
    b"PV1|1|I|WARD1^101^A^HOSPITAL||||||||||||||||V4711",
    b"ORC|RE|A100|L100",
    b"OBR|1|A100|L100|24323-8^Panel^LN|||20240311080000|||||||||||||||20240311092900|||F",
    *(b"OBX|%d|NM|%d-7^An analyte with a long name number %d^LN||%d.5|mmol/L^^UCUM|3.5-5.1|N|||F|||20240311092500|LAB^^L|TECH^Ted" % (i, i, i, i)
      for i in range(1, 95)),
    b"",
])  # fmt: skip
_ASKED = ("PID-3", "PID-3.4", "PID-5.1", "PID-5.2", "PID-7", "PID-8", "PV1-2", "PV1-3.1", "PV1-19", "PV1-44")


def measure(name: str, call: Callable[[], object], rounds: int = 40, loops: int = 500) -> None:
    """Print one line: best and median."""
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(loops):
            call()
        took.append((time.perf_counter() - started) / loops * 1e6)
    sys.stdout.write(f"{name:<42} {min(took):8.2f} {statistics.median(took):8.2f}\n")


def read_ten(body: bytes) -> None:
    """What a translator does first."""
    HL7V2.header(body)
    message = HL7V2.open(body)
    for path in _ASKED:
        message[path]


def read_all_results(body: bytes) -> None:
    """What the results interface does."""
    for group in Hl7(body).groups("ORC", "OBR"):
        for result in group.segments("OBX"):
            result["3.1"], result["5"], result["6.1"], result["11"]


def main() -> None:
    """Print the table."""
    contract = Contract("ADT^A01", "ORU^R01", required=("PID-3", "PID-5", "PID-7", "MSH-10"))
    profile = Contract(
        "ADT^A01", "ORU^R01", version="2.5.1", required=("PID-3", "MSH-10"),
        rules=(rule("PID", min=1, max=1), rule("PID-8", codes="FMOUAN"), rule("PID-7", type="DTM"), rule("OBX-5", type="OBX-2"), rule("OBX-3.1", usage="R")),
    )  # fmt: skip
    sys.stdout.write(f"{'µs a message':<42} {'best':>8} {'median':>8}\n")
    for name, body in (("ADT", _ADT), ("ORU", _ORU)):
        title = f"{name} {len(body) / 1000:.2f} kB"
        framed, document = mllp.frame(body), Hl7(body)
        document["PID-3"]
        calls: dict[str, Callable[[], object]] = {
            "header": lambda body=body: HL7V2.header(body),  # type: ignore[misc] # the loop's value is bound on purpose
            "header + open + 10 fields": lambda body=body: read_ten(body),  # type: ignore[misc]
            "acknowledge": lambda body=body: HL7V2.acknowledge(body, "accepted", (), reply_id="R1", at="20240311093001"),  # type: ignore[misc]
            "MLLP decode": lambda framed=framed: mllp.Decoder().feed(framed),  # type: ignore[misc]
            "open + contract of 4 required": lambda body=body: contract.check(Hl7(body)),  # type: ignore[misc]
            "contract of 4 required, opened": lambda document=document: contract.check(document),  # type: ignore[misc]
            "contract with a profile, opened": lambda document=document: profile.check(document),  # type: ignore[misc]
            "identifiers, opened": lambda document=document: HL7V2.identifiers(document),  # type: ignore[misc]
            "replace PID-8": lambda document=document: document.replace("PID-8", "U"),  # type: ignore[misc]
        }
        for what, call in calls.items():
            measure(f"{title}: {what}", call)
    measure("ORU: every result of every order", lambda: read_all_results(_ORU), loops=50)


if __name__ == "__main__":
    main()
