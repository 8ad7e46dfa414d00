"""Who asks, what they may see and what they ask for: of the running request.

Before any view runs, its operation decides: nobody gets further without being recognized unless
it is public; a request is counted for its reader, or else its address, and one that changes
something must come from our own page (:mod:`sidecar_api.identity.csrf`). A query parameter that
it does not declare is refused, as is one that stands twice though it has one value: a misspelt
filter would otherwise show everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote_to_bytes

from flask import Flask, Request, Response, current_app, g, request
from werkzeug.exceptions import BadRequest as Malformed
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from sidecar_api.access import Scope
from sidecar_api.failures import (
    BadRequest,
    Forbidden,
    NotFound,
    Unauthenticated,
)
from sidecar_api.identity import csrf
from sidecar_api.limits import MAX_BODY, before_asking, limits
from sidecar_api.openapi.operation import Operation, Parameter, operation_of
from sidecar_api.reader import Reader
from sidecar_api.recording import trails
from sidecar_api.search import FILTERS, Filters, times, turns
from sidecar_api.search.filters import MOST_VALUES, NONE
from sidecar_api.services import services

if TYPE_CHECKING:
    from activity_center.config import SenderConfig

FILTER_NAMES: Final = frozenset(one.name for one in FILTERS)
MANY: Final = frozenset(one.name for one in FILTERS if one.repeats)
"""Filters that may stand several times: any of their values."""
_PERMISSION: Final = "org:audit"
PLACES: Final = frozenset(
    ("page", "size", "cursor", "as_of", "resume", "offset", "since", "format")
)
"""Parameters that say how much of an answer, or in which form: no filters."""
RANGE: Final = Parameter(
    "range",
    "The time up to now; not together with from or to.",
    {"type": "string", "enum": [*times.PRESETS]},
)
_SKEW: Final = timedelta(minutes=1)
"""How far the clocks of two sidecars may be apart."""
OF_NONE: Final = f"{NONE}: what has no organization."
"""Ends the description of every parameter that names an organization."""
SAY_WHICH: Final = f"Say which one; {NONE} is that of no organization."
"""What to do where several organizations have one of an id."""


def reader() -> Reader:
    """Return who asks.

    Raises:
        Unauthenticated: nobody is recognized; the problem's member ``sign_in`` lists the ways.
        BadRequest: there are two kinds of credential.
    """
    if "reader" not in g:
        identity = services().identity
        try:
            found = identity.authenticate(request, before_asking)
        except Unauthenticated as wrong:
            wrong.members.setdefault("sign_in", identity.methods())
            raise
        if found is None:
            raise Unauthenticated(
                "This needs to know who asks.",
                hint="Sign in, or send an API token: Authorization: Bearer ...",
                sign_in=identity.methods(),
            )
        g.reader = found
    return cast(Reader, g.reader)


def lasting() -> Request:
    """Return the running request itself, for what goes on when its context has ended."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def scope() -> Scope:
    """Return what the reader may see.

    Raises:
        Unauthenticated: see :func:`reader`.
    """
    if "scope" not in g:
        g.scope = services().access.scope(reader())
    return cast(Scope, g.scope)


def filters(fixed: Mapping[str, str] | None = None) -> Filters:
    """Return the filters of the request.

    Args:
        fixed: filters that the address itself says; they must not stand in the query too.

    Raises:
        BadRequest: a filter is wrong.
        NotFound: the address names nothing.
        Forbidden: an organization is named of which the reader may see nothing.
    """
    given = {name: request.args.getlist(name) for name in request.args if name in FILTER_NAMES}
    for name, value in (fixed or {}).items():
        if name in given:
            raise BadRequest(
                f"The address says {name} already.", parameter=name, hint=f"Leave {name} out."
            )
        if not value.strip() or value == NONE:
            raise NotFound("The address names nobody and nothing.", hint=f"Say which {name}.")
        given[name] = [value]
    found = Filters.parse(given)
    check_organizations(found.values("organization"))
    return found


def check_organizations(named: Sequence[str]) -> None:
    """Refuse organizations of which the reader may see nothing at all.

    Who is a member without ``org:audit`` sees there what they did themselves; so does who has done
    something there and has no role any more. Whether an organization exists is not said: one that
    does not is refused alike.

    Raises:
        Forbidden: names ``org:audit``.
    """
    mine = scope()
    if mine.everything:
        return
    open_ = {NONE, *mine.organizations, *mine.reader.grants}
    closed = [one for one in named if one not in open_]
    if closed:
        seen = services().search.seen_of(mine, closed)
        closed = [one for one in closed if one not in seen]
    if closed:
        raise Forbidden(
            "You may not see the activities of this organization.",
            permission=_PERMISSION,
            organization=closed[0],
            closed=closed,
            hint=f"Ask its owner for a role with {_PERMISSION}.",
        )


def arguments() -> dict[str, Any]:
    """Return the operation's own query parameters, read by their schemas, with defaults.

    Raises:
        BadRequest: one is not of its form.
    """
    declared = _operation()
    found: dict[str, Any] = {}
    for parameter in declared.parameters if declared else ():
        if parameter.place != "query":
            continue
        texts = request.args.getlist(parameter.name)
        if len(texts) > MOST_VALUES:
            raise BadRequest(f"At most {MOST_VALUES} values.", parameter=parameter.name)
        given = [_value(parameter, text) for text in texts]
        if parameter.many:
            found[parameter.name] = given
        elif given:
            found[parameter.name] = given[0]
        elif parameter.required:
            name = parameter.name
            raise BadRequest(
                f"{name} is missing.", parameter=name, hint=f"It is {_form(parameter.schema)}."
            )
        else:
            found[parameter.name] = parameter.schema.get("default")
    return found


def text(value: str | None, name: str) -> str:
    """Return a text of the query; empty where it is not given.

    Raises:
        BadRequest: it is empty, which by mistake would show everything.
    """
    if value is None:
        return ""
    if not value.strip():
        raise BadRequest(f"{name} is empty.", parameter=name, hint=f"Leave {name} out.")
    return value.strip()


def as_of(text: str) -> datetime:
    """Return the moment of an earlier answer; one to come would hold no page still.

    Raises:
        BadRequest: it is none, or to come.
    """
    moment = times.parse(text, parameter="as_of")
    if moment > datetime.now(UTC) + _SKEW:
        raise BadRequest(
            "This moment is still to come.",
            parameter="as_of",
            hint="Send page.as_of of an earlier answer, or leave as_of out.",
        )
    return moment


def period(asked: Mapping[str, Any], now: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the time range of a query's ``from`` (included) and ``to`` (not included).

    Args:
        asked: with ``range`` too, a name of :data:`~sidecar_api.search.times.PRESETS`.
        now: where that ends.

    Raises:
        BadRequest: one is no time, it ends before it begins, or ``range`` stands beside them.
    """
    start = times.parse(asked["from"], parameter="from") if asked["from"] is not None else None
    end = times.parse(asked["to"], parameter="to", end=True) if asked["to"] is not None else None
    times.check(start, end, asked["range"])
    return (now - times.PRESETS[asked["range"]], None) if asked["range"] else (start, end)


def filters_given() -> list[tuple[str, str]]:
    """Return name and value of each filter of the request, those of its path too, in the API's
    own words: the same list for the same request."""
    query = request.args.items(multi=True)
    filters = sorted((name, value) for name, value in query if name not in PLACES)
    return [*(request.view_args or {}).items(), *filters]


def looked(scope: Scope, named: str, opened: Sequence[str], **more: Any) -> dict[str, Any]:
    """Return what a record of reading says: the filters of the request, and whose trail it is.

    Args:
        named: the organization that they name, or empty.
        opened: as :func:`sidecar_api.recording.trails` has it.
    """
    return {
        "filters": [f"{name}={value}" for name, value in filters_given()],
        "organizations": trails(scope, [named] if named else [], opened),
        **more,
    }


def sender() -> SenderConfig | None:
    """Return the sender whose token the request carries, where the operation takes one."""
    return cast("SenderConfig | None", g.get("sender"))


def json_body() -> dict[str, Any]:
    """Return the body, a JSON object.

    Raises:
        BadRequest: it is none.
        UnsupportedMediaType: it does not say that it is JSON.
        RequestEntityTooLarge: it has no length and does not end within the bound: Werkzeug reads
            that far, and what it has would pass for the whole.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    if request.content_length is None and len(request.get_data()) >= MAX_BODY:
        raise RequestEntityTooLarge(f"A body has less than {MAX_BODY} bytes.")
    try:
        found = request.get_json()
    except (Malformed, RecursionError) as wrong:
        raise BadRequest("The body is no JSON.", parameter="body") from wrong
    if not isinstance(found, dict):
        raise BadRequest("The body is no JSON object.", parameter="body")
    return found


def init_app(app: Flask) -> None:
    """Hold every operation of ``app`` to what it declares."""

    @app.before_request
    def check() -> None:
        declared = _operation()
        if declared is None:
            return
        if declared.senders:
            g.sender = services().identity.sender(request)
        sender = g.get("sender")
        known = None if declared.public or sender is not None else _recognized()
        # For a stream's later searches too: so every request says it anew.
        turns.reader.set(known.id if known else "")
        if declared.counted:
            limits().count(request, known, "" if sender is None else sender.name)
        if known is not None:
            g.slot = limits().work(known)
        csrf.check(request, known, secret=services().secret, sidecar=services().config.sidecar)
        _check_bytes()
        _check_names(declared)

    @app.after_request
    def until_sent(response: Response) -> Response:
        # Who does not read their answers must not have ever more of them wait in our memory.
        if not response.is_streamed and "slot" in g:
            response.call_on_close(g.pop("slot").release)
        return response

    @app.teardown_request
    def over(_: BaseException | None) -> None:
        slot = g.pop("slot", None)
        if slot is not None:
            slot.release()


def _recognized() -> Reader:
    """The reader; a request of nobody counts for its address."""
    try:
        return reader()
    except Unauthenticated:
        limits().count(request, None)
        raise


def _operation() -> Operation | None:
    view = current_app.view_functions.get(request.endpoint or "")
    return operation_of(view)


def _check_bytes() -> None:
    """Refuse what is no UTF-8: Werkzeug would read it as something that finds nothing."""
    path = str(request.environ.get("RAW_URI", "")).partition("?")[0].encode()
    for part in (path, *request.query_string.split(b"&")):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            name = "path" if part is path else part.partition(b"=")[0].decode(errors="replace")
            raise BadRequest(
                "This is no valid UTF-8.", parameter=name[:100], hint="Percent-encode UTF-8."
            ) from None


def _check_names(declared: Operation) -> None:
    known = {one.name: one.many for one in declared.parameters if one.place == "query"}
    if declared.filters:
        known |= {name: name in MANY for name in FILTER_NAMES}
    for name, values in request.args.lists():
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.7)
            hint = f"Did you mean {near[0]}?" if near else _list(known)
            raise BadRequest("There is no such parameter.", parameter=name[:100], hint=hint)
        if len(values) > 1 and not known[name]:
            raise BadRequest(f"{name} may stand once.", parameter=name, hint="Keep one of them.")


def _list(known: Mapping[str, bool]) -> str:
    return f"Known: {', '.join(sorted(known))}." if known else "This address takes none."


def _value(parameter: Parameter, text: str) -> Any:
    schema, name = parameter.schema, parameter.name
    wanted = schema.get("type", "string")
    value: Any = text
    if wanted == "integer":
        # int() also reads "1_000", " 7 " and other scripts' digits.
        plain = text.isascii() and text.isdigit() and len(text) <= 10
        value = int(text) if plain else None
    elif wanted == "boolean":
        value = {"true": True, "false": False}.get(text)
    if value is None or value not in schema.get("enum", (value,)) or not _fits(value, schema):
        raise BadRequest(f"{name} must be {_form(schema)}.", parameter=name)
    return value


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, str):
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 256))
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    return bool(low <= value <= high)


def _form(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(str(one) for one in schema['enum'])}"
    if schema.get("type") == "integer":
        return f"a whole number from {schema.get('minimum')} to {schema.get('maximum')}"
    if schema.get("type") == "boolean":
        return "true or false"
    return f"text of {schema.get('minLength', 0)} to {schema.get('maxLength', 256)} characters"
