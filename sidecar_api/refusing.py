"""What the reader does not get: the same answer whether it is not there or not theirs to see,
counted and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import request

from sidecar_api.access import DENIED
from sidecar_api.asking import reader, scope, sender
from sidecar_api.failures import Absent, Failure, RateLimited
from sidecar_api.limits import limits
from sidecar_api.services import services

GONE: Final = "It may be past its retention, or its id is another one."
"""Said of what is not there to who sees everything."""


def absent(what: str, id_: str, may: str = "see") -> Absent:
    """Return the failure of what is not there, or not for the reader or the program.

    Args:
        what: of which kind it would be, for example "activity".
        may: what the reader may not do with it, if it is there.
    """
    if sender() is None and scope().everything:
        return Absent(f"There is no such {what}.", id_=id_, hint=GONE)
    hint = f"Somebody who may {may} it can tell you its organization."
    return Absent(f"There is no such {what}, or none that you may {may}.", id_=id_, hint=hint)


def refused(failure: Failure, said: Mapping[str, Any]) -> Failure:
    """Count and record that the reader was refused something; return what to answer.

    Who is refused too often is told to wait instead, and that is one entry a minute in each trail.

    Args:
        said: details of the record; ``organizations``: those that were named.
    """
    named = said.get("organizations", ())
    try:
        limits().refuse(reader(), len(named))
    except RateLimited as wrong:
        services().recording.too_often(reader(), request, named)
        return wrong
    services().recording.read(reader(), DENIED, request, said)
    return failure
