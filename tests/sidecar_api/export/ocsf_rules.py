"""The rules that events are checked by: OCSF's published schema 1.8.0, and what 1.9.0 changes.

``ocsf-json-schema`` carries the schema exports of schema.ocsf.io up to 1.8.0 and makes JSON
Schemas of them, closed objects and constraints included. 1.9.0 (August 2026) is not among them;
what it adds to the classes and objects that we use is laid over it here, from its changelog and
its sources: the classes user_management and role_management, ``users`` in group_management, the
object iam_role, and the profile ai_operation with the object ai_agent on every class below.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import jsonschema_rs
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.9.0"


def _string(requirement: str = "optional") -> dict[str, Any]:
    return {"type": "string_t", "caption": "", "requirement": requirement}


def _object(name: str, requirement: str = "optional", **more: Any) -> dict[str, Any]:
    return {
        "type": "object_t",
        "object_type": name,
        "caption": "",
        "requirement": requirement,
        **more,
    }


def _activities(captions: str) -> dict[str, Any]:
    found = {str(number): {"caption": one} for number, one in enumerate(captions.split(", "), 1)}
    return {"0": {"caption": "Unknown"}, **found, "99": {"caption": "Other"}}


USER_ACTIVITIES = (
    "Create, Update, Delete, Enable, Disable, Lock, Unlock, Password Change, Password Reset, "
    "Attach Policies, Detach Policies, MFA Factor Enable, MFA Factor Disable, Assign Privileges, "
    "Remove Privileges, Assign Roles, Remove Roles"
)
ROLE_ACTIVITIES = (
    "Create, Update, Delete, Assign Privileges, Remove Privileges, Assign Resources, "
    "Remove Resources, Attach Policies, Detach Policies, Add Programmatic Credentials, "
    "Remove Programmatic Credentials"
)


@cache
def schema() -> dict[str, Any]:
    """Return the export of 1.8.0 with the changes of 1.9.0."""
    known = copy.deepcopy(get_ocsf_schema(version="1.8.0"))
    objects, classes = known["objects"], known["classes"]
    objects["iam_role"] = {
        "caption": "IAM Role",
        "attributes": {"name": _string("recommended"), "uid": _string("recommended")},
        "constraints": {"at_least_one": ["name", "uid"]},
    }
    objects["ai_agent"] = {
        "caption": "AI Agent",
        "attributes": {
            "uid": _string("required"),
            "name": _string("recommended"),
            "version": _string("recommended"),
            "ai_model": _object("ai_model", "recommended"),
        },
    }
    base = classes["account_change"]  # the attributes of every class of the category
    own = {"user", "user_result", "policy", "auth_factors", "activity_id", "class_uid", "type_uid"}
    shared = {name: one for name, one in base["attributes"].items() if name not in own}
    for name, uid, captions, more in (
        (
            "user_management",
            3007,
            USER_ACTIVITIES,
            {
                "user": _object("user", "required"),
                "iam_roles": _object("iam_role", "recommended", is_array=True),
            },
        ),
        ("role_management", 3008, ROLE_ACTIVITIES, {"iam_role": _object("iam_role", "required")}),
    ):
        activities = _activities(captions)
        numbers = {
            "activity_id": activities,
            "class_uid": {str(uid): {"caption": name}},
            "type_uid": {str(uid * 100 + int(one)): {} for one in activities},
        }
        classes[name] = {
            "name": name,
            "uid": uid,
            "caption": name.replace("_", " ").title(),
            "attributes": {
                **copy.deepcopy(shared),
                **{key: {**base["attributes"][key], "enum": enum} for key, enum in numbers.items()},
                **more,
            },
        }
    classes["group_management"]["attributes"]["users"] = _object("user", is_array=True)
    for one in classes.values():
        one["attributes"].setdefault("ai_agent", _object("ai_agent", profiles=["ai_operation"]))
    return known


@cache
def _validator(class_uid: int, profiles: tuple[str, ...]) -> jsonschema_rs.Draft202012Validator:
    made = OcsfJsonSchemaEmbedded(schema())
    rules = made.get_class_schema(made.lookup_class_name_from_uid(class_uid), list(profiles))
    return jsonschema_rs.Draft202012Validator(rules)


def broken(event: dict[str, Any]) -> list[str]:
    """Return which rules an event breaks, as ``path: words``."""
    profiles = tuple(event.get("metadata", {}).get("profiles", ()))
    rules = _validator(event["class_uid"], profiles)
    found = [
        f"{'.'.join(map(str, one.instance_path))}: {one.message}"
        for one in rules.iter_errors(event)
    ]
    captions = schema()["classes"]
    known = next(one for one in captions.values() if one["uid"] == event["class_uid"])
    if known["caption"] != event["class_name"]:
        found.append(f"class_name: {event['class_name']} is not {known['caption']}")
    caption = known["attributes"]["activity_id"]["enum"][str(event["activity_id"])]["caption"]
    if event["activity_id"] != 99 and caption != event["activity_name"]:
        found.append(f"activity_name: {event['activity_name']} is not {caption}")
    if event.get("metadata", {}).get("version") != VERSION:
        found.append("metadata.version: not the version that was checked")
    return found
