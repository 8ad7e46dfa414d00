"""The plan: what ``install`` would create, change, leave or refuse, and why.

A function over what should be and what is; it asks the cluster only to try templates out
(``_simulate``), which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from activity_center.policies import Policy, patterns
from activity_center.setup import compare, ism, monitors, repository
from activity_center.setup.auto_create import forbidding
from activity_center.setup.cluster import Current, Stream
from activity_center.setup.compare import Difference
from activity_center.setup.desired import Desired, owned_version, role_version
from activity_center.setup.steps import Action, Kind, Plan, Step
from activity_center.streams import ORGANIZATION_ID

AUTO_CREATE: Final = "action.auto_create_index"

TryOut = Callable[[str, Mapping[str, Any]], str]
"""(name, index template without components) -> why the node refuses it, or ``""``."""


def make_plan(
    desired: Desired, current: Current, *, adopt: bool = False, try_out: TryOut | None = None
) -> Plan:
    """Compare ``desired`` with ``current``.

    Args:
        adopt: take over objects of our names that are not marked as ours.
        try_out: asks the node whether it would take a template.
    """
    return Plan(
        (
            _state_index(desired, current, adopt),
            *_components(desired, current, adopt),
            *_templates(desired, current, adopt, try_out),
            *repository.steps(desired, current.repositories),
            *_policies(desired, current, adopt),
            *_streams(desired, current, adopt),
            *_managed(desired, current),
            _auto_create(desired, current),
            *_roles(desired, current, adopt),
            *monitors.steps(
                desired.monitors,
                current.monitors,
                relied=desired.plugin_evaluates,
                unevaluated=desired.unevaluated,
            ),
        )
    )


def _owned(
    kind: Kind,
    name: str,
    body: Any,
    versions: tuple[int | None, int | None],
    changes: Iterable[Difference],
    adopt: bool,
) -> Step:
    """The step for an object that exists: ours or not, newer, same or different."""
    there, wanted = versions
    changes = tuple(changes)
    if there is None and not adopt:
        return Step(
            kind,
            name,
            Action.REFUSE,
            "exists and is not ours; rename it, or take it over with --adopt",
            changes,
        )
    if there is not None and wanted is not None and there > wanted:
        return Step(
            kind,
            name,
            Action.REFUSE,
            f"version {there} is installed, this program brings {wanted}: "
            "it does not downgrade; use a newer activity-center",
            changes,
        )
    if not changes:
        return Step(kind, name, Action.LEAVE, f"version {wanted}")
    if there is None:
        why = "adopted"
    elif there != wanted:
        why = f"version {there} → {wanted}"
    else:
        why = f"differs from version {wanted}: is put right"
    return Step(kind, name, Action.CHANGE, why, changes, body)


def _components(desired: Desired, current: Current, adopt: bool) -> Iterator[Step]:
    for name, body in desired.components.items():
        there = current.components.get(name)
        version = owned_version(body.get("_meta"))
        if there is None:
            yield Step(Kind.COMPONENT, name, Action.CREATE, f"version {version}", body=body)
            continue
        yield _owned(
            Kind.COMPONENT,
            name,
            body,
            (owned_version(there.get("_meta")), version),
            compare.differences(compare.template_body(there), compare.template_body(body)),
            adopt,
        )


def _templates(
    desired: Desired, current: Current, adopt: bool, try_out: TryOut | None
) -> Iterator[Step]:
    for name, body in desired.templates.items():
        there = current.templates.get(name)
        version = owned_version(body.get("_meta"))
        if there is None:
            step = Step(Kind.TEMPLATE, name, Action.CREATE, f"version {version}", body=body)
        else:
            step = _owned(
                Kind.TEMPLATE,
                name,
                body,
                (owned_version(there.get("_meta")), version),
                compare.differences(compare.template_body(there), compare.template_body(body)),
                adopt,
            )
        if step.action is not Action.REFUSE:
            why = _rival(name, body, desired, current) or _unfit(name, body, desired, try_out)
            if why:
                step = Step(Kind.TEMPLATE, name, Action.REFUSE, why, step.differences)
        yield step


def _rival(name: str, body: Mapping[str, Any], desired: Desired, current: Current) -> str:
    """A foreign template that would win for one of our streams."""
    ours = [stream for stream in desired.streams if matches(body, stream)]
    for other, rival in sorted(current.templates.items()):
        if other in desired.templates or owned_version(rival.get("_meta")) is not None:
            continue
        if int(rival.get("priority") or 0) < int(body.get("priority") or 0):
            continue
        for stream in ours:
            if matches(rival, stream):
                return (
                    f"the index template {other} has priority {rival.get('priority')} and "
                    f"would decide for {stream}: lower its priority or narrow its patterns"
                )
    return ""


def _unfit(name: str, body: Mapping[str, Any], desired: Desired, try_out: TryOut | None) -> str:
    missing = [one for one in body.get("composed_of", ()) if one not in desired.components]
    if missing:
        return f"names component templates that are not among ours: {', '.join(missing)}"
    if try_out is None:
        return ""
    why = try_out(name, whole_template(body, desired))
    return f"this OpenSearch does not take it: {why}" if why else ""


def whole_template(body: Mapping[str, Any], desired: Desired) -> dict[str, Any]:
    """``body`` with its components' settings and mappings inside, for trying out."""
    composed = compare.compose(body, desired.components)
    whole = {key: value for key, value in body.items() if key not in ("composed_of", "template")}
    whole["template"] = {
        **{k: v for k, v in (body.get("template") or {}).items() if k == "aliases"},
        "settings": composed.settings,
        "mappings": composed.mappings,
    }
    return whole


def matches(template: Mapping[str, Any], name: str) -> bool:
    """Whether an index template's patterns take ``name``."""
    return any(fnmatchcase(name, pattern) for pattern in template.get("index_patterns", ()))


def template_of(stream: str, desired: Desired) -> Mapping[str, Any] | None:
    """Our index template for ``stream``: of several the one with the highest priority."""
    ours = [body for body in desired.templates.values() if matches(body, stream)]
    return max(ours, key=lambda body: int(body.get("priority") or 0), default=None)


def stream_differences(name: str, desired: Desired, there: Stream) -> list[Difference]:
    """Where a stream's write index differs from what a new one would get."""
    template = template_of(name, desired)
    if template is None:
        return []
    return compare.index_differences(
        compare.compose(template, desired.components),
        compare.Composed(compare.flat_settings(there.settings), compare.mapping(there.mappings)),
    )


def _streams(desired: Desired, current: Current, adopt: bool) -> Iterator[Step]:
    for name in (*desired.streams, *_organizations_streams(desired, current)):
        template = template_of(name, desired)
        if name in current.plain:
            yield Step(
                Kind.STREAM,
                name,
                Action.REFUSE,
                f"a plain {current.plain[name]} has this name: copy it away with _reindex, "
                "delete it, and run install again",
            )
        elif template is None:
            yield Step(Kind.STREAM, name, Action.REFUSE, "none of our templates matches this name")
        elif name not in current.streams:
            yield Step(Kind.STREAM, name, Action.CREATE)
        else:
            yield _existing_stream(name, desired, current, adopt)


def _organizations_streams(desired: Desired, current: Current) -> list[str]:
    """Streams of organizations that this run was not told of: they follow a template too."""
    return sorted(
        name
        for name in current.streams
        if name not in desired.streams
        and any(
            name.startswith(f"{shared}-") and ORGANIZATION_ID.fullmatch(name[len(shared) + 1 :])
            for shared in desired.streams
        )
    )


def _existing_stream(name: str, desired: Desired, current: Current, adopt: bool) -> Step:
    changes = tuple(stream_differences(name, desired, current.streams[name]))
    if not changes:
        return Step(Kind.STREAM, name, Action.LEAVE)
    ours = any(
        owned_version(body.get("_meta")) is not None and matches(body, name)
        for body in current.templates.values()
    )
    if not (ours or adopt):
        return Step(
            Kind.STREAM,
            name,
            Action.REFUSE,
            "exists and was made from another template; rename it, or take it over with --adopt",
            changes,
        )
    return Step(
        Kind.STREAM,
        name,
        Action.CHANGE,
        "rolls over: the write index differs from the template",
        changes,
    )


def _state_index(desired: Desired, current: Current, adopt: bool) -> Step:
    name, body = desired.state_index, desired.state
    version = owned_version(body["mappings"].get("_meta"))
    if name in current.plain and current.plain[name] == "alias":
        return Step(Kind.STATE_INDEX, name, Action.REFUSE, "an alias has this name: remove it")
    if current.state is None:
        return Step(Kind.STATE_INDEX, name, Action.CREATE, f"version {version}", body=body)
    there = compare.mapping(current.state.get("mappings", {}))
    wanted = compare.merge(there, compare.mapping(body["mappings"]))
    meta = current.state.get("mappings", {}).get("_meta")
    step = _owned(
        Kind.STATE_INDEX,
        name,
        {"mappings": body["mappings"]},
        (owned_version(meta), version),
        [
            *compare.differences(there, wanted),
            *compare.differences(
                {"_meta": compare.canonical(meta)},
                {"_meta": compare.canonical(body["mappings"].get("_meta"))},
            ),
        ],
        adopt,
    )
    clash = [
        one for one in step.differences if one.there is not None and one.path != "_meta.version"
    ]
    if step.action is Action.CHANGE and any(one.path.endswith(".type") for one in clash):
        return Step(
            Kind.STATE_INDEX,
            name,
            Action.REFUSE,
            "has a field of another type: _reindex it away, delete it, install, _reindex it back",
            step.differences,
        )
    return step


def _policies(desired: Desired, current: Current, adopt: bool) -> Iterator[Step]:
    if current.policies is None:
        return
    for name, policy in desired.policies.items():
        there = current.policies.get(name)
        if there is None:
            reason = f"version {policy.version}"
            yield Step(Kind.POLICY, name, Action.CREATE, reason, body=policy.body)
            continue
        yield _owned(
            Kind.POLICY,
            name,
            policy.body,
            (there.version, policy.version),
            compare.differences(
                ism.canonical_policy(there.policy), ism.canonical_policy(policy.body["policy"])
            ),
            adopt,
        )


def _managed(desired: Desired, current: Current) -> Iterator[Step]:
    """The indices that do not follow their class's policy as it will be."""
    if current.policies is None:
        return
    for name, policy in desired.policies.items():
        there = current.policies.get(name)
        indices = policy_indices(policy, current.streams)
        managed = {one: current.managed[one] for one in indices if one in current.managed}
        new, old = ism.sort_out(managed, name, there.seq_no if there else None)
        changes = there is not None and ism.canonical_policy(there.policy) != ism.canonical_policy(
            policy.body["policy"]
        )
        if changes:
            old = [one for one, facts in managed.items() if facts.policy == name]
        if not (new or old):
            continue
        reason = f"{len(new)} without a policy, {len(old)} on an older version of it"
        yield Step(Kind.MANAGED, name, Action.CHANGE, reason, body=list(managed))


def policy_indices(policy: Policy, streams: Mapping[str, Stream]) -> list[str]:
    """The backing indices of the streams of a policy's class."""
    wanted = patterns(policy.retention_class)
    return [
        index
        for name, stream in streams.items()
        if any(fnmatchcase(name, pattern) for pattern in wanted)
        for index in stream.indices
    ]


def _auto_create(desired: Desired, current: Current) -> Step:
    if current.auto_create is None:
        return Step(
            Kind.SETTING, AUTO_CREATE, Action.SKIP, "this account may not read cluster settings"
        )
    value, scope = current.auto_create
    wanted = forbidding(value, (*desired.streams, desired.state_index))
    if wanted == value:
        return Step(Kind.SETTING, AUTO_CREATE, Action.LEAVE, value)
    change = Difference(AUTO_CREATE, value, wanted)
    if scope == "transient":
        return Step(
            Kind.SETTING,
            AUTO_CREATE,
            Action.SKIP,
            "a transient setting stands before ours: remove it, or add ours to it",
            (change,),
        )
    return Step(
        Kind.SETTING,
        AUTO_CREATE,
        Action.CHANGE,
        "a misspelt or missing stream must not become a plain index",
        (change,),
        {"persistent": {AUTO_CREATE: wanted}},
    )


def _roles(desired: Desired, current: Current, adopt: bool) -> Iterator[Step]:
    if not current.security:
        return
    for name, body in desired.roles.items():
        version = role_version(body)
        if current.roles is None:
            yield Step(
                Kind.ROLE,
                name,
                Action.SKIP,
                "this account may not manage roles: have an administrator run install",
            )
        elif name not in current.roles:
            yield Step(Kind.ROLE, name, Action.CREATE, f"version {version}", body=body)
        else:
            there = current.roles[name]
            yield _owned(
                Kind.ROLE,
                name,
                body,
                (role_version(there), version),
                compare.differences(compare.role_body(there), compare.role_body(body)),
                adopt,
            )
