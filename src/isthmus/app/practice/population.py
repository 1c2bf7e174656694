"""Invented patients. No name, number or address belongs to anybody."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from msgspec import Struct

_FAMILY = [
    "Alderwick",
    "Brandtner",
    "Castellow",
    "Dørum",
    "Eskwith",
    "Fallowby",
    "Grünwald",
    "Hawksmere",
    "Ibbotsen",
    "Jónasdal",
    "Kettlewick",
    "Lindqvarn",
    "Marchbanke",
    "Novotnik",
    "Ostrander",
    "Pellworth",
    "Quennard",
    "Rothwyn",
    "Søndervik",
    "Thackerby",
    "Umberlein",
    "Vasquelle",
    "Wetherholt",
    "Yarborne",
    "Zieglinsk",
]
_GIVEN = [
    "Ada",
    "Bram",
    "Célia",
    "Dario",
    "Edda",
    "Finn",
    "Greta",
    "Hugo",
    "Ilse",
    "Jonas",
    "Kaja",
    "Levi",
    "Mina",
    "Nils",
    "Odile",
    "Pau",
    "Rosa",
    "Sven",
    "Tilda",
    "Ugo",
    "Vera",
    "Wim",
    "Xenia",
    "Yara",
    "Zoë",
]
_STREETS = ["Lantern", "Quarry", "Millrace", "Orchard", "Saddler", "Tidegate", "Weaver"]
PAYERS = (("NORD", "Nordland Health"), ("CIVIC", "Civic Mutual"), ("HARBOUR", "Harbour Insurance"), ("STATE", "State Scheme"))
WARDS = {"SURG": 24, "MED": 30, "CARD": 16, "PAED": 12, "ICU": 8}
"""Wards and their beds."""


class Patient(Struct, frozen=True, kw_only=True):
    number: str
    visit: str
    family: str
    given: str
    born: date
    sex: str
    street: str
    payer: tuple[str, str] | None
    """Code and name; None pays himself."""


def patient(rng: Random, index: int) -> Patient:
    return Patient(
        number=f"P{index:07d}",
        visit=f"V{index:07d}",
        family=rng.choice(_FAMILY),
        given=rng.choice(_GIVEN),
        born=date(1930, 1, 1) + timedelta(days=rng.randrange(94 * 365)),
        sex=rng.choice("FMFMFMO"),
        street=f"{rng.randrange(1, 200)} {rng.choice(_STREETS)} Road",
        payer=rng.choice(PAYERS) if rng.random() < 0.9 else None,
    )


def bed(rng: Random) -> str:
    ward = rng.choice(list(WARDS))
    number = rng.randrange(1, WARDS[ward] + 1)
    return f"{ward}^{(number + 1) // 2:02d}^{number:02d}^PRACTICE"
