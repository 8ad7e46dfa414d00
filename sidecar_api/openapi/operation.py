"""What a view declares of itself: ``@operation(...)`` beside its route."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from sidecar_api.failures import Failure

View = TypeVar("View", bound=Callable[..., Any])
_ATTRIBUTE: Final = "activity_center_operation"

JSON: Final = "application/json"


TOKEN: Final[Mapping[str, Any]] = {"type": "string", "maxLength": 4096}
"""Schema of what we gave out: a cursor, or where an export or a stream goes on."""
MOMENT: Final[Mapping[str, Any]] = {"type": "string", "format": "date-time", "maxLength": 64}
"""Schema of a time."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation (OpenAPI 3.1, section 4.8.12).

    Attributes:
        schema: JSON Schema of one value; query parameters are checked and read by it: type
            ``string``, ``integer`` or ``boolean``, with ``enum``, ``minimum``, ``maximum``,
            ``maxLength`` and ``default``.
        many: it may stand several times; the value is then a list.
        place: where it stands.
    """

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "maxLength": 256})
    many: bool = False
    place: Literal["query", "path", "header"] = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    Attributes:
        summary: a few words, the heading of the readable page.
        description: what a caller must know beyond it.
        parameters: those of its own, apart from the filters.
        filters: whether it takes every filter of the search.
        body: name of the schema of a JSON request body, ``""``: none is taken.
        answer: name of the schema of the answer, ``""``: no body, or not JSON.
        status: status of the wanted answer.
        media: media types of the answer.
        failures: what it may answer beyond what every operation may.
        permission: what the reader needs for more than what they did themselves.
        public: nobody has to sign in.
        counted: how often one may ask is limited.
        senders: the token of a sender (section ``senders``) is taken too.
    """

    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    filters: bool = False
    body: str = ""
    answer: str = ""
    status: int = 200
    media: tuple[str, ...] = (JSON,)
    failures: tuple[type[Failure], ...] = ()
    permission: str = ""
    public: bool = False
    counted: bool = True
    senders: bool = False


def operation(
    summary: str,
    *,
    parameters: Sequence[Parameter] = (),
    media: str | Sequence[str] = JSON,
    failures: Sequence[type[Failure]] = (),
    **rest: Any,
) -> Callable[[View], View]:
    """Declare the operation of a view; stands below the ``route`` decorator.

    Args:
        summary: see :class:`Operation`, as all others.
    """
    made = Operation(
        summary,
        parameters=tuple(parameters),
        media=(media,) if isinstance(media, str) else tuple(media),
        failures=tuple(failures),
        **rest,
    )

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, made)
        return view

    return declare


def operation_of(view: Callable[..., Any] | None) -> Operation | None:
    """Return what a view declares, or ``None``."""
    found = getattr(view, _ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None
