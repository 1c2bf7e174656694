"""Values: what a field of an Odoo record may be given, and how it is written as JSON.

Records are named in four ways: by our own key (``Ref``, made when absent), by an external id that Odoo already has (``Xml``), by a
code in a field (``By``), or by a database id (``int``). Database ids differ between a test copy and production: prefer the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct, field

from isthmus.core.failure import Bug
from isthmus.core.ids import derive_id

PREFIX = "isthmus_ext"
"""What our external ids begin with. It can never be the name of a module: Odoo deletes records whose external id begins with the
name of an installed module when that module is updated."""

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_LONGEST = 100


def external_id(key: str) -> str:
    """The external id of a business key: ``isthmus_ext.<key>``. Different keys have different ids.

    Whatever is not a letter, digit, ``_``, ``-`` or ``.`` is written ``=XX`` (UTF-8, hexadecimal), since Odoo's import splits ids at
    commas and reads dots as it likes; a key that gets too long that way ends in its hash.
    """
    if not key:
        raise Bug("empty-key", "a record needs a business key: give the order number, the charge id, …")
    safe = "".join(char if char in _PLAIN else "".join(f"={byte:02X}" for byte in char.encode()) for char in key)
    return f"{PREFIX}.{safe}" if len(safe) <= _LONGEST else f"{PREFIX}.{safe[:60]}=={derive_id(key)}"


class Ref(Struct, frozen=True, tag="ref", kw_only=True):
    """A record under a key of ours. ``values`` are for the moment it is made; a record that is there is never overwritten by them."""

    key: str
    model: str
    values: dict[str, Plain] = field(default_factory=dict)
    adopt: str = ""
    """A field, such as ``default_code``: where exactly one record has the same value there already, that one is meant and none is made.
    For what a hospital kept in Odoo before: its products, its partners."""

    def __hash__(self) -> int:
        return hash((self.model, self.key))

    @property
    def xml_id(self) -> str:
        return external_id(self.key)


class Xml(Struct, frozen=True, tag="xml"):
    """A record under an external id that Odoo knows already: ``Xml("uom.product_uom_unit")``."""

    xml_id: str


class By(Struct, frozen=True, tag="by"):
    """The one record whose field has this value: ``By("product.product", "default_code", "GLV-M")``. None or two: rejected."""

    model: str
    field: str
    value: str


class Line(Struct, frozen=True, tag="line", kw_only=True):
    """One row of a one2many, under a key of its own."""

    key: str
    values: dict[str, Plain]

    @property
    def xml_id(self) -> str:
        return external_id(self.key)


Link: TypeAlias = Ref | Xml | By
Plain: TypeAlias = bool | int | float | str | Ref | Xml | By | tuple[Ref | Xml | By | Line, ...] | None
"""What travels in a delivery's body."""

Value: TypeAlias = Plain | date | datetime | Decimal | Iterable[Ref | Xml | By | Line]
"""What an interface may say; lists of links are many2many, lists of lines one2many."""


def ref(model: str, key: str, /, *, adopt: str = "", **values: Value) -> Ref:
    """A record under our key; ``values`` only seed it. ``adopt``: the field by whose value one that is there already is taken."""
    if adopt and adopt not in values:
        raise Bug("adopt", f"adopt={adopt!r} names no field among the values of this reference")
    return Ref(key=key, model=model, values=plain(values), adopt=adopt)


def line(key: str, /, **values: Value) -> Line:
    """One row of a one2many, such as a line of an order, under a key of its own."""
    return Line(key=key, values=plain(values))


def plain(values: Mapping[str, Value]) -> dict[str, Plain]:
    """Values as they travel: dates in Odoo's form and in UTC, amounts as numbers."""
    return {name: _plain(name, value) for name, value in values.items()}


def _plain(name: str, value: object) -> Plain:
    if value is None or isinstance(value, (bool, int, float, str, Ref, Xml, By)):
        return value
    if isinstance(value, datetime):
        return moment(value, name)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Iterable):
        items = tuple(value)
        if all(isinstance(item, (Ref, Xml, By, Line)) for item in items):
            return items
    raise Bug("odoo-value", f"field {name}: {type(value).__name__} cannot be sent to Odoo; give text, a number, a date, a Ref or a Line")


def moment(value: datetime, name: str) -> str:
    """A point in time in Odoo's form, ``YYYY-MM-DD HH:MM:SS`` in UTC."""
    if value.tzinfo is None:
        raise Bug("naive-time", f"field {name}: a time without a zone means another moment in Odoo; attach the zone it was said in")
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
