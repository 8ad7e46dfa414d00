"""Samples for a rule that was imported: made of its conditions, until real ones replace them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from activity_center.vocabulary import fields

Document = Mapping[str, Any]


def cases(document: Document) -> list[dict[str, Any]]:
    """A sample made of the conditions, and an activity of another kind."""
    sample: dict[str, Any] = {}
    _add(sample, document["query"])
    times = int(document["at_least"])
    if "distinct" in document:
        sample[document["distinct"].partition("|")[0]] = "value-#"
    for name in document.get("group_by", ()):
        if name != "organization.id" and name not in sample:
            example = fields()[name].example if name in fields() else "sample"
            sample[name] = example[0] if isinstance(example, list) else example
    copies = {"times": min(times, 500), "every": "1s"} if times > 1 else {}
    return [
        {
            "name": "what the rule describes (made by the import; replace it by a real one)",
            "fires": 1,
            "documents": [{"at": f"-{times + 1}s", **copies, **sample}],
        },
        {
            "name": "an activity of another kind",
            "fires": 0,
            "documents": [{"at": "-1m", "event.action": "collector.start"}],
        },
    ]


def _add(sample: dict[str, Any], conditions: Sequence[Document]) -> None:
    """Add fields and values that meet conditions; of alternatives one about a new field."""
    for one in conditions:
        if "all" in one:
            _add(sample, one["all"])
        elif one.get("exists", True) and "field" in one:
            sample[one["field"]] = _meets(one)
    for one in conditions:
        if "any" in one:
            fresh = [part for part in one["any"] if part.get("field") not in sample]
            _add(sample, (fresh or one["any"])[:1])


def _meets(one: Document) -> Any:
    if "is" in one or "any_of" in one:
        value = one["is"] if "is" in one else one["any_of"][0]
        if isinstance(value, str) and "/" in value:
            try:
                return str(next(ipaddress.ip_network(value).hosts()))
            except ValueError:
                return value
        return value
    if "prefix" in one:
        return f"{one['prefix']}x"
    if "like" in one:
        plain = re.sub(r"(?<!\\)\*", "", one["like"])
        return re.sub(r"\\([\\*?])", r"\1", re.sub(r"(?<!\\)\?", "x", plain))
    if "at_least" in one or "below" in one:
        return one["at_least"] if "at_least" in one else one["below"] - 1
    return fields()[one["field"]].example if one["field"] in fields() else "sample"
