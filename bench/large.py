"""Large messages and large files through a running site: peak memory of its process, and how fast.

    python -m bench.large                         # a message of 100 MB, a file of 500,000 rows
    python -m bench.large --mb 30 --rows 100000 --per 100

The message is an MDM^T02 with a PDF as base64 in OBX-5, sent over MLLP; its document is put to an HTTP sink. The rows come through a
folder, become messages, events and files of one delivery each. ``isthmus run`` is a process of its own; VmHWM is what the kernel says
its memory was at most. Journal: SQLite, synchronous, sealed.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

MB = 1 << 20
_SITE = """
from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from isthmus.connectors.http.words import Http
from isthmus.core import ClaimCheck, Classification, Delivery, Event, Interface, subscribe
from isthmus.core.event import canonical
from isthmus.formats import rows
from isthmus.formats.hl7v2 import Contract, Hl7, embedded

sink = Http("sink", owner="bench")
CLASS = Classification(criticality="operations", latency="minutes", volume="1000k/day", failure="a bench", recovery="replay")


@canonical("document.filed", version=1, owner="bench", key=("number",), ordered_by="patient")
class DocumentFiled(Event, frozen=True, kw_only=True):
    number: str
    patient: str
    document: ClaimCheck


@canonical("price.listed", version=1, owner="bench", key=("item",))
class PriceListed(Event, frozen=True, kw_only=True):
    item: str
    price: Decimal


@canonical("prices.listed", version=1, owner="bench", key=("file",))
class PricesListed(Event, frozen=True, kw_only=True):
    file: str
    rows: int
    taken: int


scans = Interface("bench.scans", source="scans", owner="bench", classification=CLASS, contract=Contract("MDM^T02", required=("OBX-5",)))


@scans.translate("MDM^T02")
def filed(message: Hl7) -> Iterator[Event]:
    document = embedded(message, "OBX-5")
    if document is not None:
        yield DocumentFiled(number=message["TXA-12"], patient=message["PID-3"], document=document)


prices = Interface(
    "bench.prices", source="prices", owner="bench", classification=CLASS,
    contract=rows.Contract("price-list", rows.column("item", required=True), rows.column("price", "decimal", least=0)),
)


@prices.translate("price-list")
def listed(part: rows.Rows) -> Iterator[Event]:
    for row in part:
        yield PriceListed(item=row["item"], price=row.number_at("price"))


@prices.translate("price-list.manifest")
def all_listed(part: rows.Rows) -> Iterator[Event]:
    yield PricesListed(file=part.file, rows=part.manifest.rows, taken=part.manifest.taken)


@subscribe(DocumentFiled, to=sink, owner="bench", classification=CLASS)
def archive(event: DocumentFiled) -> Iterator[Delivery]:
    yield sink.put(f"/documents/{event.number}", event.document, key=event.number)


@subscribe(PriceListed, to=sink, owner="bench", classification=CLASS)
def price(event: PriceListed) -> Iterator[Delivery]:
    if DELIVERED:
        yield sink.put(f"/prices/{event.item}", {"price": str(event.price)}, key=event.item)


@subscribe(PricesListed, to=sink, owner="bench", classification=CLASS)
def total(event: PricesListed) -> Iterator[Delivery]:
    yield sink.put(f"/files/{event.file}", {"rows": event.rows, "taken": event.taken}, key=event.file)
"""
_CONFIG = """
[site]
name = "large"

[journal]
kind = "sqlite"
path = "var/journal.sqlite"
keyring = "var/keyring.json"

[sources.scans]
kind = "mllp"
port = {mllp}
max_bytes = {most}

[sources.prices]
kind = "file"
folder = "var/in"
every = 0.1
settle = 0.2
split = "rows"
max_bytes = {most}
[sources.prices.rows]
kind = "price-list"
totals = ["price"]
rows_per_message = {per}

[endpoints.sink]
kind = "http"
url = "http://127.0.0.1:{http}"
in_flight = 8
"""


class Figures(Struct, frozen=True, kw_only=True):
    """Memory in bytes, times in seconds."""

    idle: int
    """Resident before anything came."""
    peak: int
    """VmHWM at the end."""
    seconds: float
    acknowledged: float = 0.0
    """From the first byte sent to the answer."""

    @property
    def growth(self) -> int:
        return self.peak - self.idle


class Sink(http.server.ThreadingHTTPServer):
    """Counts what is put, and takes the digest of large bodies while they come."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", _free_port()), _Handler)
        self.digests: dict[str, str] = {}
        self.bodies: dict[str, bytes] = {}
        self.prices = 0
        self.items: set[str] = set()
        """That were priced."""
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        sink = self.server
        if not isinstance(sink, Sink):
            raise TypeError
        left, digest, kept = int(self.headers["Content-Length"]), hashlib.sha256(), b""
        while left and (data := self.rfile.read(min(left, MB))):
            left -= len(data)
            digest.update(data)
            kept = data
        with sink.lock:
            if self.path.startswith("/prices/"):
                sink.prices += 1
                sink.items.add(self.path.rpartition("/")[2])
            else:
                sink.digests[self.path], sink.bodies[self.path] = digest.hexdigest(), kept[:1000]
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


class Running:
    """``isthmus run`` on the site of this bench."""

    def __init__(self, folder: Path, sink: Sink, *, per: int = 1, most: int = 256 * MB, delivered: bool = True) -> None:
        self.folder, self.mllp = folder, _free_port()
        interface = folder / "interfaces" / "large"
        interface.mkdir(parents=True, exist_ok=True)
        for init in (folder, folder / "interfaces", interface):
            (init / "__init__.py").write_text("")
        (interface / "interface.py").write_text(_SITE.replace("if DELIVERED", f"if {delivered}"))
        (folder / "isthmus.toml").write_text(_CONFIG.format(mllp=self.mllp, http=sink.server_port, most=most, per=per))
        self.log = folder / "run.log"
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name("isthmus")), "run", str(self.folder)], stdout=log, stderr=log, env=os.environ
            )
        until = time.monotonic() + 60
        while not self._listens():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(self.log.read_text())
            time.sleep(0.05)
        self.process = process
        return process

    def memory(self, name: str) -> int:
        """VmRSS or VmHWM, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def balance_line(self) -> str:
        """What it said last, once it has ended."""
        return next(line for line in reversed(self.log.read_text().splitlines()) if "balance" in line.lower())

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.mllp)) == 0


@contextlib.contextmanager
def running(folder: Path, *, per: int = 1, delivered: bool = True) -> Iterator[tuple[Running, Sink]]:
    sink = Sink()
    site = Running(folder, sink, per=per, delivered=delivered)
    try:
        yield site, sink
    finally:
        site.end()
        sink.shutdown()
        sink.server_close()


def message(size: int, number: int = 1) -> tuple[bytes, str]:
    """An MDM^T02 of about so many bytes, and the SHA-256 of its document."""
    document = random.Random(number).randbytes(size * 3 // 4)
    encoded = base64.b64encode(document)
    head = f"MSH|^~\\&|SCAN|HOSP|EHR|HOSP|20260301083000||MDM^T02^MDM_T02|D{number}|P|2.5.1\rEVN||20260301083000\rPID|||P{number}\r"
    rest = f"PV1||I\rTXA|1|DS||||||||||D{number}\rOBX|1|ED|SCAN||^application^pdf^Base64^"
    return (head + rest).encode() + encoded + b"\r", hashlib.sha256(document).hexdigest()


def send(port: int, body: bytes, *, timeout: float = 300) -> bytes:
    """Over MLLP; the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(b"\x0b")
        connection.sendall(body)
        connection.sendall(b"\x1c\r")
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += connection.recv(65_536) or b"\x1c\r"
        return answer


def wait_for(condition: object, *, timeout: float, what: str) -> None:
    until = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        if time.monotonic() > until:
            raise TimeoutError(f"{what} within {timeout:.0f} s")
        time.sleep(0.02)


def measure_message(folder: Path, size: int) -> Figures:
    """One message of so many bytes to the sink; the document that arrives is compared."""
    with running(folder) as (site, sink):
        body, digest = message(size)
        idle = site.memory("VmRSS")
        begun = time.monotonic()
        answer = send(site.mllp, body)
        acknowledged = time.monotonic() - begun
        if b"|AA|" not in answer:
            raise RuntimeError(answer.decode(errors="replace"))
        wait_for(lambda: "/documents/D1" in sink.digests, timeout=60, what="the document")
        if sink.digests["/documents/D1"] != digest:
            raise RuntimeError("another document arrived")
        return Figures(idle=idle, peak=site.memory("VmHWM"), seconds=time.monotonic() - begun, acknowledged=acknowledged)


def write_rows(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("item,name,price,unit,supplier\n")
        file.writelines(f'I{n:07},"Gloves, nitrile, size {n % 9}",{n % 1000}.{n % 100:02},BOX,S{n % 40:03}\n' for n in range(rows))


def measure_rows(folder: Path, rows: int, *, per: int = 1, delivered: bool = True, timeout: float = 600) -> Figures:
    """A file of so many rows, each an event and (``delivered``) a delivery; until the manifest and every row have arrived."""
    with running(folder, per=per, delivered=delivered) as (site, sink):
        write_rows(folder / "prices.csv", rows)
        idle = site.memory("VmRSS")
        begun = time.monotonic()
        (folder / "prices.csv").rename(site.folder / "var" / "in" / "prices.csv")
        wait_for(lambda: len(sink.bodies) == 1 and sink.prices >= (rows if delivered else 0), timeout=timeout, what="all rows")
        (told,) = sink.bodies.values()
        if json.loads(told) != {"rows": rows, "taken": rows}:
            raise RuntimeError(told.decode())
        return Figures(idle=idle, peak=site.memory("VmHWM"), seconds=time.monotonic() - begun)


def _free_port() -> int:
    """Below the range from which the kernel takes ports for connections."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randint(20_000, 32_000)))
            return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mb", type=int, default=100, help="size of the message")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--per", type=int, nargs="*", default=[1, 100], help="rows in one message")
    parser.add_argument("--folder", type=Path, default=None, help="where to work (and leave nothing)")
    parser.add_argument("--delivered", action="store_true", help="send each row to the sink; otherwise rows become events only")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="isthmus-large-", dir=args.folder))
    try:
        if args.mb:
            found = measure_message(folder / "message", args.mb * MB)
            print(
                f"message of {args.mb} MB   idle {found.idle / MB:.0f} MB, peak {found.peak / MB:.0f} MB: "
                f"{found.growth / MB / args.mb:.2f} x its size more; AA after {found.acknowledged:.2f} s, delivered after {found.seconds:.2f} s"
            )
        for per in args.per if args.rows else ():
            found = measure_rows(folder / f"rows-{per}", args.rows, per=per, delivered=args.delivered)
            print(
                f"file of {args.rows:,} rows, {per} a message   idle {found.idle / MB:.0f} MB, peak {found.peak / MB:.0f} MB "
                f"(+{found.growth / MB:.0f}); {found.seconds:.1f} s, {args.rows / found.seconds:,.0f} rows/s"
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
