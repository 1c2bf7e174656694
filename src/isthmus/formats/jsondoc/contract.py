"""Contract for JSON documents: a msgspec struct says what a document must hold; every breach is told with its JSON pointer."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.formats.jsondoc.cures import described
from isthmus.formats.jsondoc.document import Json, JsonDocument


class Contract:
    """``Contract(Json("supply-use"), {"supply-use": SupplyUse})``: which struct each kind of document must be."""

    def __init__(self, format: Json, shapes: Mapping[str, type[Struct]]) -> None:
        self.format = format
        self.kinds = tuple(shapes)
        self._shapes = dict(shapes)
        self._decoders = {kind: msgspec.json.Decoder(shape) for kind, shape in shapes.items()}

    def check(self, document: JsonDocument) -> tuple[Violation, ...]:
        kind = self.format.header(document.body).kind
        decoder = self._decoders.get(kind)
        if decoder is None:
            return (Violation("", "kind", f"send one of: {', '.join(self.kinds)}"),)
        try:
            decoder.decode(document.body)
        except msgspec.MsgspecError:
            return tuple(_violations(document.value, self._shapes[kind], ""))
        return ()


def _violations(value: object, wanted: Any, pointer: str) -> Iterator[Violation]:
    """Where a value is not what is wanted: as deep inside it as can be told, otherwise the value itself."""
    if _fits(value, wanted):
        return
    bare = _bare(wanted)
    inner: list[Violation] = []
    if isinstance(value, dict) and isinstance(bare, type) and issubclass(bare, Struct):
        inner = list(_in_object(value, bare, pointer))
    elif isinstance(value, list) and get_origin(bare) in (list, tuple) and get_args(bare):
        inner = [found for place, item in enumerate(value) for found in _violations(item, get_args(bare)[0], f"{pointer}/{place}")]
    yield from inner or [Violation(pointer or "/", "type", f"send {described(wanted)}")]


def _in_object(value: dict[str, object], shape: type[Struct], pointer: str) -> Iterator[Violation]:
    hints = get_type_hints(shape, include_extras=True)
    fields = msgspec.structs.fields(shape)
    for field in fields:
        place = f"{pointer}/{_escaped(field.encode_name)}"
        if field.encode_name in value:
            yield from _violations(value[field.encode_name], hints[field.name], place)
        elif field.required:
            yield Violation(place, "required", f"send {described(hints[field.name])}")
    if shape.__struct_config__.forbid_unknown_fields:
        known = {field.encode_name for field in fields}
        if any(name not in known for name in value):  # a name may hold anything, so it is not repeated
            yield Violation(pointer or "/", "unknown-field", f"send no other fields than {', '.join(sorted(known))}")


def _fits(value: object, wanted: Any) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(value), type=wanted)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _bare(wanted: Any) -> Any:
    """The type without its constraints, and without the None of an optional."""
    if get_origin(wanted) is Annotated:
        return _bare(get_args(wanted)[0])
    if get_origin(wanted) in (Union, types.UnionType):
        some = [one for one in get_args(wanted) if one is not type(None)]
        return _bare(some[0]) if len(some) == 1 else wanted
    return wanted


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
