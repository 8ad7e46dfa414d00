"""Evidence: proposals with all their entries, as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, request

from sidecar_api import asking, refusing
from sidecar_api import asking_chains as shared
from sidecar_api.access import Scope
from sidecar_api.agents.chains import Chains, Read
from sidecar_api.agents.judging import Judge
from sidecar_api.agents.places import Key
from sidecar_api.agents.query import DEEPEST, Wanted
from sidecar_api.conditional import PRIVATE
from sidecar_api.export import proposals as files
from sidecar_api.export.manifest import Tally
from sidecar_api.failures import BadRequest, Forbidden, NotFound, RateLimited, Unavailable
from sidecar_api.limits import limits
from sidecar_api.moments import written
from sidecar_api.openapi import Parameter, operation
from sidecar_api.recording import EXPORT
from sidecar_api.search.filters import NONE
from sidecar_api.services import services

blueprint = Blueprint("evidence", __name__, url_prefix="/api/v1/proposals")

PERMISSION: Final = "org:audit:export"
_FORMS: Final = {"type": "string", "enum": sorted(files.FORMS)}
_MEDIA: Final = ["text/csv", "application/x-ndjson"]
_FILE: Final = (
    "NDJSON has each chain with what is said of it, then each of its entries; CSV a row for each "
    "chain. The last line is a manifest with count and SHA-256: a file without it was cut off. "
    "It is recorded before its first byte."
)


@blueprint.get("/export")
@operation(
    "Export proposals",
    description=f"All that the filters find, newest first, streamed. {_FILE}",
    parameters=[Parameter("format", "Form of the file.", _FORMS, required=True), *shared.FILTERS],
    media=_MEDIA,
    failures=[Forbidden, RateLimited, Unavailable],
    permission=PERMISSION,
)
def export() -> Response:
    """The file of a period."""
    asked, as_of = asking.arguments(), shared.now()
    wanted = shared.wanted(asked, as_of)
    scope = asking.scope()
    own = wanted.initiator == scope.reader.id
    scope = scope.for_export([wanted.organization] if wanted.organization else [], own=own)
    places, more = shared.chains().places(scope, wanted, as_of)
    if more:
        raise BadRequest(
            f"There are more than {DEEPEST:,} proposals.",
            parameter="to",
            hint="Export shorter periods, one after the other.",
        )
    keys = [one.key for one in places]
    name = {"": "all", NONE: "none"}.get(wanted.organization, wanted.organization)
    return _file(asked["format"], scope, keys, wanted, as_of, name)


@blueprint.get("/<path:proposal>/evidence")
@operation(
    "Export the evidence of one proposal",
    description=_FILE,
    parameters=[
        shared.PROPOSAL,
        shared.IN,
        Parameter("format", "Form of the file.", {**_FORMS, "default": "ndjson"}),
    ],
    media=_MEDIA,
    failures=[Forbidden, NotFound, RateLimited, Unavailable],
    permission=PERMISSION,
)
def evidence(proposal: str) -> Response:
    """The file of one chain."""
    asked, scope = asking.arguments(), asking.scope()
    key = shared.key_of(scope, proposal)
    exported = scope.for_export([key.organization])
    if key not in shared.chains().keys(exported, proposal, key.organization):
        raise refusing.absent("proposal", proposal)
    wanted = Wanted(organization=key.organization or NONE)
    return _file(asked["format"], exported, [key], wanted, shared.now(), key.shown, proposal)


def _file(
    form: str,
    scope: Scope,
    keys: Sequence[Key],
    wanted: Wanted,
    as_of: datetime,
    name: str,
    proposal: str = "",
) -> Response:
    response = Response(content_type=files.FORMS[form])
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)
    stem = f"proposals-{plain[:80]}-{as_of:%Y%m%dT%H%M%SZ}"
    response.headers["Content-Disposition"] = f'attachment; filename="{stem}.{form}"'
    response.headers["Cache-Control"] = PRIVATE
    if request.method != "HEAD":
        _begin(response, form, scope, keys, wanted, as_of, proposal)
    return response


def _begin(
    response: Response,
    form: str,
    scope: Scope,
    keys: Sequence[Key],
    wanted: Wanted,
    as_of: datetime,
    proposal: str,
) -> None:
    """Make the record; only then is there an answer at all."""
    slot = limits().export(scope.reader)
    details = asking.looked(
        scope, wanted.organization, scope.organizations, of="proposals", format=form
    )
    if proposal:
        details["resource"] = proposal
    try:
        services().recording.must(scope.reader, EXPORT, request, {**details, "stage": "begun"})
    except BaseException:
        slot.release()
        raise
    judge = shared.judge()
    columns = len(files.COLUMNS) if form == "csv" else None
    tally = Tally(form, asking.filters_given(), as_of, columns=columns, what="proposals")
    reads = _reads(shared.chains(), keys, wanted, judge, as_of)
    response.response = files.written(form, reads, judge, tally)
    recording, asked = services().recording, asking.lasting()

    def end() -> None:
        slot.release()
        result: dict[str, Any] = {
            **details,
            "stage": "ended",
            "as_of": written(as_of),
            "count": tally.count,
            "complete": tally.closed,
        }
        recording.read(scope.reader, EXPORT, asked, result)

    response.call_on_close(end)


def _reads(
    chains: Chains, keys: Sequence[Key], wanted: Wanted, judge: Judge, as_of: datetime
) -> Iterator[Read]:
    """The chains, whole, that fit as they are now."""
    for start in range(0, len(keys), files.AT_ONCE):
        for read in chains.read(keys[start : start + files.AT_ONCE], as_of):
            if wanted.states and read.chain.state not in wanted.states:
                continue
            if wanted.verdicts and judge.of(read).kinds.isdisjoint(wanted.verdicts):
                continue
            yield read
