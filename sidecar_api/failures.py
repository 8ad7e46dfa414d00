"""Every answer that is not the wanted one, as an exception.

::

    Failure                 status, title, what went wrong, what to do
    ├── BadRequest      400 names the parameter
    ├── Unauthenticated 401 says how to sign in
    ├── Forbidden       403 names the permission
    ├── CrossSite       403 the request may come from another site
    ├── NotFound        404
    │   └── Absent      404 what an id names, which is not there or not to be seen
    ├── Conflict        409
    ├── NotMet          422 names the member of the body that a policy asks for
    ├── RateLimited     429 carries retry_after
    └── Unavailable     503 carries retry_after: OpenSearch or the collector cannot be reached
        └── Incomplete  503 OpenSearch answered with part of the documents

``problems`` renders each as an RFC 9457 problem document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from activity_center.errors import ActivityCenterError
from sidecar_api.ids import LONGEST_ID

_BEARER: Final = 'Bearer realm="Activity Center"'
"""RFC 9110, section 11.6.1, and RFC 6750: a 401 says how to authenticate."""


class Failure(ActivityCenterError):
    """A fault of ours, not of the request; the root of all failures.

    Args:
        detail: what went wrong with this request, in one sentence, for the person who sent it.
        hint: the next step.
        members: further members of the problem document (RFC 9457 section 3.2).

    Attributes:
        headers: further headers of the answer.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something broke here"

    def __init__(self, detail: str, *, hint: str | None = None, **members: Any) -> None:
        super().__init__(detail, hint=hint)
        self.members = members
        self.headers: Mapping[str, str] = {}


class BadRequest(Failure):
    """A parameter or the body is wrong; the member parameter names it."""

    status = 400
    slug = "bad-request"
    title = "The request is wrong"

    def __init__(self, detail: str, *, parameter: str, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint, parameter=parameter)


class TooBig(BadRequest):
    """A search takes too much; named is the parameter with the longest value (problems)."""

    def __init__(self, *, hint: str) -> None:
        super().__init__("This search is too big.", parameter="q", hint=hint)


class Unauthenticated(Failure):
    """Nobody is recognized, or the credential is wrong (which is not said apart)."""

    status = 401
    slug = "unauthenticated"
    title = "Sign in first"

    def __init__(self, detail: str, *, hint: str | None = None, **members: Any) -> None:
        super().__init__(detail, hint=hint, **members)
        self.headers = {"WWW-Authenticate": _BEARER}


class Forbidden(Failure):
    """The reader lacks a permission.

    Args:
        permission: its name.
        organization: the organization that it is wanted in, if in one.
        closed: all organizations that were named and are closed to the reader; default that one.
    """

    status = 403
    slug = "forbidden"
    title = "A permission is missing"

    def __init__(
        self,
        detail: str,
        *,
        permission: str,
        organization: str = "",
        closed: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        where = {"organization": organization} if organization else {}
        super().__init__(detail, hint=hint, permission=permission, **where)
        self.closed = tuple(closed) or tuple(where.values())


class CrossSite(Failure):
    """A browser may have been made to send this: its origin or its X-CSRF-Token is not ours."""

    status = 403
    slug = "cross-site"
    title = "Not sent by this site's own page"


class NotFound(Failure):
    """There is no such thing, or none that this reader may know of."""

    status = 404
    slug = "not-found"
    title = "Not found"


class Absent(NotFound):
    """What an id names is not there, or this reader may not see it; which of both is not told.

    Args:
        id_: as it was asked for; that somebody did is recorded.
    """

    def __init__(self, detail: str, *, id_: str, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.id = id_[:LONGEST_ID]


class Conflict(Failure):
    """It cannot be done as things are now; reload to see how they are."""

    status = 409
    slug = "conflict"
    title = "Not as things are now"


class NotMet(Failure):
    """The body lacks what a policy asks for; the member parameter names it."""

    status = 422
    slug = "not-met"
    title = "A policy asks for more"

    def __init__(self, detail: str, *, parameter: str, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint, parameter=parameter)


class _Later(Failure):
    """A failure that passes by itself.

    Args:
        retry_after: seconds.
    """

    def __init__(self, detail: str, *, retry_after: int = 5, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.headers = {"Retry-After": str(retry_after)}


class RateLimited(_Later):
    """Too many requests, or too many expensive ones at once."""

    status = 429
    slug = "rate-limited"
    title = "Too many requests"


class Unavailable(_Later):
    """What the answer needs cannot be reached now, or answered in part only."""

    status = 503
    slug = "unavailable"
    title = "Not available now"


class Incomplete(Unavailable):
    """OpenSearch answered with part of the documents: no half answer is given."""

    slug = "incomplete"
    title = "The answer would not be whole"
