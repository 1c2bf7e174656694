"""docs/reference/policy.md: from classification to policy."""

from __future__ import annotations

from typing import get_args

from isthmus.app.cli.policy import WHY, value
from isthmus.app.reference.docstrings import doc, field_docs
from isthmus.app.reference.markdown import code, table
from isthmus.core import Classification, Policy, policy_for
from isthmus.core.classification import Criticality, Latency, Recovery

_INTRO = """# Policy

Nobody types a retry count. An interface and a subscription are classified in a hospital's words; everything the runtime does with a
failure follows from that by one pure function, printed here. `isthmus policy NAME` tells it for one of your own.

"""


def page() -> str:
    names = list(WHY)
    texts = field_docs(Policy)
    parts = [_INTRO, "## Classification\n\n", doc(Classification), "\n\n", table(("part", ""), _classification())]
    parts += [
        "\n## What follows from what\n\n",
        table(("policy", "follows from", "why", "meaning"), [(code(name), *WHY[name], texts.get(name, "")) for name in names]),
    ]
    parts.append("\n## The table\n\nFor recovery `replay` and a volume of 1k/day.\n\n")
    shown = [name for name in names if name not in ("transport", "latency_target", "max_backlog")]
    parts.append(
        table(
            ("criticality", "latency", *shown),
            [
                (
                    criticality,
                    latency,
                    *(value(policy_for(Classification(criticality=criticality, latency=latency)), name) for name in shown),
                )
                for criticality in get_args(Criticality)
                for latency in get_args(Latency)
            ],
        )
    )
    parts.append("\nRecovery `manual` gives up at once, so that a person decides; `skip` gives up when the latency target has passed.\n")
    return "".join(parts)


def _classification() -> list[tuple[str, str]]:
    choices = {"criticality": get_args(Criticality), "latency": get_args(Latency), "recovery": get_args(Recovery)}
    texts = field_docs(Classification)
    return [
        (code(name), " · ".join(map(code, choices[name])) + ". " + texts.get(name, "") if name in choices else texts.get(name, ""))
        for name in Classification.__struct_fields__
    ]
