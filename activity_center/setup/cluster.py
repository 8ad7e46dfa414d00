"""Asking OpenSearch, with our errors, and reading all that the plan compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from activity_center.errors import ClusterError
from activity_center.streams import ALERTS_STREAM, LENS_PATTERNS, REJECTED_STREAM

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.setup import monitors as alerting
    from activity_center.setup.desired import Desired
    from activity_center.setup.ism import Installed, Managed

OLDEST: Final = (2, 15)
"""The first OpenSearch with the ``wildcard`` field."""

FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409
BAD_REQUEST: Final = 400
NO_HANDLER: Final = (400, 404, 405)
"""What a node answers on a path of a plugin that it does not have."""

_NAMES_AT_ONCE: Final = 40
"""Index names in one URL: OpenSearch takes request lines up to 4096 bytes."""


class Answer(NamedTuple):
    """Status and decoded body; the body is text where the answer was no JSON."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether OpenSearch did it."""
        return 200 <= self.status < 300

    @property
    def why(self) -> str:
        """The innermost reason of an error answer."""
        return reason(self.body)


def ask(
    client: OpenSearch,
    method: str,
    path: str,
    *,
    body: Any = None,
    params: Mapping[str, Any] | None = None,
    allow: Sequence[int] = (),
    timeout: float | None = None,
) -> Answer:
    """Make one request.

    Args:
        path: begins with ``/``.
        allow: error statuses that are returned instead of raised.
        timeout: seconds to wait for the answer; default: the client's.

    Raises:
        ClusterError: no answer, or an error status that is not in ``allow``.
    """
    from opensearchpy import exceptions as wrongs

    where = f"{method} {path if len(path) <= 80 else path[:77] + '...'}"
    all_params = {**(params or {}), **({"request_timeout": timeout} if timeout else {})}
    try:
        answer = client.transport.perform_request(method, path, params=all_params, body=body)
        return Answer(200, answer)
    except wrongs.SSLError as wrong:
        raise ClusterError(
            f"TLS: {wrong.error}", where=where, hint="name the authority in OPENSEARCH_CA"
        ) from wrong
    except wrongs.ConnectionError as wrong:
        raise ClusterError(
            f"no answer from OpenSearch: {wrong.error}",
            where=where,
            hint="is the address right, is the node up? activity-center node status",
        ) from wrong
    except wrongs.TransportError as wrong:
        status = wrong.status_code if isinstance(wrong.status_code, int) else 0
        if status in allow:
            return Answer(status, wrong.info)
        hint = {
            401: "check OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD, or OPENSEARCH_API_TOKEN",
            FORBIDDEN: "use an account that may do this",
        }.get(status)
        raise ClusterError(
            f"OpenSearch answered {status}: {reason(wrong.info) or wrong.error}",
            where=where,
            hint=hint,
        ) from wrong
    except wrongs.OpenSearchException as wrong:
        raise ClusterError(f"not an answer of OpenSearch: {wrong}", where=where) from wrong


def reason(body: Any) -> str:
    """The innermost ``caused_by`` of an error answer, which names the culprit."""
    if not isinstance(body, Mapping):
        return str(body or "")[:300]
    error = body.get("error", body)
    if isinstance(error, Mapping) and error.get("reason") == "all shards failed":
        error = next(iter(error.get("root_cause") or ()), error)
    while isinstance(error, Mapping) and isinstance(error.get("caused_by"), Mapping):
        error = error["caused_by"]
    if not isinstance(error, Mapping):
        return str(error)
    return str(error.get("reason") or error.get("message") or error)


class Version(NamedTuple):
    """Of the server, for example ``("3.4.0", (3, 4))``."""

    text: str
    number: tuple[int, int]


def server_version(info: Any) -> Version:
    """Check the answer to ``GET /``.

    Raises:
        ClusterError: not OpenSearch, or older than 2.15.
    """
    version = info.get("version") if isinstance(info, Mapping) else None
    if not isinstance(version, Mapping) or "number" not in version:
        raise ClusterError("this is no OpenSearch: GET / has no version", where="GET /")
    text = str(version["number"])
    if version.get("distribution") != "opensearch":
        raise ClusterError(
            f"this is not OpenSearch ({version.get('distribution') or 'Elasticsearch'} {text})",
            where="GET /",
            hint="an OpenSearch may hide it: turn compatibility.override_main_response_version off",
        )
    parts = text.split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        raise ClusterError(f"the version {text!r} is not understood", where="GET /")
    number = (int(parts[0]), int(parts[1]))
    if number < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ClusterError(
            f"OpenSearch {text} is too old: {oldest} is the first with the wildcard field",
            where="GET /",
            hint=f"upgrade to {oldest} or later",
        )
    return Version(text, number)


@dataclass(frozen=True, slots=True)
class Stream:
    """A data stream that exists.

    Attributes:
        indices: names of its backing indices, oldest first; the last is written to.
        status: ``GREEN``, ``YELLOW`` or ``RED``.
        settings, mappings: of the write index, as OpenSearch returns them.
    """

    name: str
    indices: tuple[str, ...]
    status: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def write_index(self) -> str:
        """The backing index that takes new documents."""
        return self.indices[-1]


@dataclass(frozen=True, slots=True)
class Current:
    """What the cluster holds today.

    Attributes:
        security: whether the security plugin answers.
        templates: all index templates, foreign ones too.
        streams: by name, those under our patterns.
        plain: name -> ``"index"`` or ``"alias"``, those under our patterns.
        state: settings and mappings of the state index, if it exists.
        roles: ``None`` where there is no security plugin or we may not read them.
        policies: ``None`` where ISM does not answer or we may not read them.
        managed: what ISM says of each backing index of our streams, but for those that are
            kept from it, since their archive lies.
        monitors: by rule, those of ours that the Alerting plugin holds; ``None`` without it.
        repositories: names, in the embedded node; ``None`` elsewhere.
        auto_create: ``(value, scope)`` of ``action.auto_create_index``, or ``None`` if
            we may not read settings; scope is ``transient``, ``persistent`` or ``defaults``.
    """

    version: Version
    security: bool
    components: Mapping[str, Mapping[str, Any]]
    templates: Mapping[str, Mapping[str, Any]]
    streams: Mapping[str, Stream]
    plain: Mapping[str, str]
    state: Mapping[str, Any] | None
    roles: Mapping[str, Mapping[str, Any]] | None
    auto_create: tuple[str, str] | None
    policies: Mapping[str, Installed] | None = None
    managed: Mapping[str, Managed] = field(default_factory=dict)
    monitors: Mapping[str, list[alerting.Installed]] | None = None
    repositories: frozenset[str] | None = None


def read_cluster(client: OpenSearch, desired: Desired) -> Current:
    """Read all that the plan needs; changes nothing.

    Raises:
        ClusterError: no answer, a server that we cannot use, or a right is missing.
    """
    from activity_center.setup import ism, monitors, repository  # they ask by this module
    from activity_center.state_documents import kept_from_ism

    version = server_version(ask(client, "GET", "/").body)
    components = ask(client, "GET", "/_component_template").body["component_templates"]
    templates = ask(client, "GET", "/_index_template").body["index_templates"]
    security = ask(client, "GET", "/_plugins/_security/authinfo", allow=NO_HANDLER).ok
    streams = read_streams(client)
    policies = ism.read_policies(client)
    kept = kept_from_ism(client) if policies is not None else set()
    indices = [name for one in streams.values() for name in one.indices if name not in kept]
    return Current(
        version=version,
        security=security,
        components={one["name"]: one["component_template"] for one in components},
        templates={one["name"]: one["index_template"] for one in templates},
        streams=streams,
        plain=read_plain(client, (*desired.streams, desired.state_index)),
        state=_read_index(client, desired.state_index),
        roles=_read_roles(client) if security else None,
        auto_create=_read_auto_create(client),
        policies=policies,
        managed={} if policies is None else ism.read_managed(client, indices),
        monitors=monitors.read_monitors(client),
        repositories=repository.read_repositories(client),
    )


def read_streams(client: OpenSearch, *, contents: bool = True) -> dict[str, Stream]:
    """Our data streams by name; with ``contents``, settings and mappings of write indices."""
    patterns = ",".join((*LENS_PATTERNS, f"{REJECTED_STREAM}*", f"{ALERTS_STREAM}*"))
    found = ask(client, "GET", f"/_data_stream/{patterns}").body["data_streams"]
    streams = [
        Stream(
            name=one["name"],
            indices=tuple(index["index_name"] for index in one["indices"]),
            status=one.get("status", ""),
        )
        for one in found
    ]
    bodies: dict[str, Any] = {}
    for some in _slices([one.write_index for one in streams]) if contents else ():
        bodies |= ask(client, "GET", f"/{','.join(some)}", params={"flat_settings": "true"}).body
    return {
        one.name: Stream(
            one.name,
            one.indices,
            one.status,
            settings=bodies.get(one.write_index, {}).get("settings", {}),
            mappings=bodies.get(one.write_index, {}).get("mappings", {}),
        )
        for one in streams
    }


def read_plain(client: OpenSearch, names: Iterable[str]) -> dict[str, str]:
    """Plain indices and aliases under our patterns or with one of ``names``."""
    others = (f"{REJECTED_STREAM}*", f"{ALERTS_STREAM}*", "activity-center-state*")
    patterns = ",".join((*LENS_PATTERNS, *others))
    found = ask(
        client, "GET", f"/_resolve/index/{patterns}", params={"expand_wildcards": "all"}
    ).body
    plain = {one["name"]: "index" for one in found["indices"] if "data_stream" not in one} | {
        one["name"]: "alias" for one in found["aliases"]
    }
    wanted = set(names)
    lenses = tuple(pattern.rstrip("*") for pattern in LENS_PATTERNS)
    return {
        name: kind
        for name, kind in plain.items()
        if name in wanted or name.startswith(lenses) or name in (REJECTED_STREAM, ALERTS_STREAM)
    }


def _slices(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _NAMES_AT_ONCE):
        yield names[start : start + _NAMES_AT_ONCE]


def _read_index(client: OpenSearch, name: str) -> Mapping[str, Any] | None:
    answer = ask(client, "GET", f"/{name}", params={"flat_settings": "true"}, allow=(NOT_FOUND,))
    if not answer.ok:
        return None
    bodies: Mapping[str, Any] = answer.body
    return bodies.get(name) or next(iter(bodies.values()), None)


def _read_roles(client: OpenSearch) -> Mapping[str, Mapping[str, Any]] | None:
    answer = ask(client, "GET", "/_plugins/_security/api/roles", allow=(FORBIDDEN, *NO_HANDLER))
    roles: Mapping[str, Mapping[str, Any]] | None = answer.body if answer.ok else None
    return roles


def _read_auto_create(client: OpenSearch) -> tuple[str, str] | None:
    settings = cluster_settings(client)
    if settings is None:
        return None
    for scope in ("transient", "persistent", "defaults"):
        if "action.auto_create_index" in settings[scope]:
            return str(settings[scope]["action.auto_create_index"]), scope
    return "true", "defaults"


def cluster_settings(client: OpenSearch) -> Mapping[str, Mapping[str, Any]] | None:
    """Flat cluster settings by scope, or ``None`` if this account may not read them."""
    answer = ask(
        client,
        "GET",
        "/_cluster/settings",
        params={"include_defaults": "true", "flat_settings": "true"},
        allow=(FORBIDDEN,),
    )
    if not answer.ok:
        return None
    return {scope: answer.body.get(scope, {}) for scope in ("transient", "persistent", "defaults")}
