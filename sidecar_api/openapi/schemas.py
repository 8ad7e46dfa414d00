"""The schemas of answers and bodies (JSON Schema 2020-12, as OpenAPI 3.1 takes it)."""

from __future__ import annotations

import copy
from typing import Any, Final

from activity_center.vocabulary import event_schema
from sidecar_api.openapi import processes

TEXT: Final[dict[str, Any]] = {"type": "string"}
COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}


def reference(name: str) -> dict[str, Any]:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(items: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Return the schema of an object that has these members and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def activity() -> dict[str, Any]:
    """Return the schema of an activity: the stored one, and what reading adds.

    Adds ``id``, ``partial``, ``activity.resource.deleted`` and ``activity.decided``; old and new
    value are the values themselves, which are stored inside an object.
    """
    schema = copy.deepcopy(event_schema())
    for name in ("$schema", "$id"):
        schema.pop(name, None)
    schema["description"] = "One activity, in fields of ECS and, where it has none, activity.*."
    schema["properties"]["id"] = {**TEXT, "description": "Its id, for /api/v1/activities/{id}."}
    schema["properties"]["partial"] = {
        "const": True,
        "description": "A list leaves out every field that may be long of an entry over 16 KiB "
        "(objects, lists of free text, long texts): the entry itself has it.",
    }
    schema["required"] = sorted({*schema.get("required", ()), "id"})
    inner = schema["properties"]["activity"]["properties"]
    for name in ("old_value", "new_value"):
        inner[name] = {"description": f"{name.partition('_')[0].capitalize()} state; any JSON."}
    inner["resource"]["properties"]["deleted"] = {
        "type": "boolean",
        "description": "Whether it is deleted as of now; computed when read.",
    }
    person = dict.fromkeys(("id", "name", "full_name", "email"), TEXT)
    inner["decided"] = {
        **closed(
            {
                "at": TIME,
                "outcome": TEXT,
                "source": _or_null(TEXT),
                "authenticated": {"type": "boolean"},
                "approver": _or_null(closed({}, **person)),
            }
        ),
        "description": "The last decision that counted when this run of a proposal began, where "
        "the entry itself names neither decision nor approver; computed when read.",
    }
    return schema


_PAGE: Final = closed(
    {
        "number": {"type": "integer", "minimum": 1},
        "size": {"type": "integer", "minimum": 1},
        "total": {**COUNT, "description": "How many match, exactly."},
        "from": {**COUNT, "description": "Number of the first entry on the page; 0: none."},
        "to": {**COUNT, "description": "Number of the last one."},
        "as_of": {**TIME, "description": "Entries that came in later are not on any page."},
        "next": {**_or_null(TEXT), "description": "Value of cursor for the next page."},
        "previous": {**_or_null(TEXT), "description": "Value of cursor for the one before."},
    }
)
_FACET: Final = closed(
    {
        "value": {
            **_or_null(TEXT),
            "description": "For the filter of that name; -: none; null: all further values.",
        },
        "count": COUNT,
        "label": TEXT,
    }
)
_HISTOGRAM: Final = closed(
    {
        "interval": TEXT,
        "from": _or_null(TIME),
        "to": _or_null(TIME),
        "buckets": listed(closed({"at": TIME, "count": COUNT, "failed": COUNT})),
    }
)
_ORGANIZATION: Final = closed(
    {
        "id": TEXT,
        "name": TEXT,
        "roles": listed(TEXT),
        "permissions": listed(TEXT),
        "lenses": {
            **listed({**TEXT, "enum": ["agent", "audit", "process"]}),
            "description": "What the reader's roles open of its trail; of the rest the reader "
            "sees their own deeds.",
        },
        "trail": {
            "type": "boolean",
            "description": "Whether its trail is open; else the reader sees their own deeds.",
        },
        "processes": {
            "type": "boolean",
            "description": "Whether the reader's roles show processes of others there, a part "
            "at least; else the reader sees those that they started.",
        },
    }
)
_READER: Final = closed(
    {
        "id": TEXT,
        "name": TEXT,
        "full_name": TEXT,
        "email": TEXT,
        "platform_roles": listed(TEXT),
        "provider": {**TEXT, "description": "Who recognized the reader."},
        "session": {"type": "boolean", "description": "Whether there is one to sign out of."},
    }
)
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457. Further members say more: parameter, permission, sign_in.",
    "properties": {
        "type": {**TEXT, "description": "Explained at this address."},
        "title": TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": TEXT,
        "instance": {**TEXT, "description": "Id of the request."},
        "hint": {**TEXT, "description": "The next step."},
        "parameter": {**TEXT, "description": "What is wrong, on 400."},
        "permission": {**TEXT, "description": "What is missing, on 403."},
        "organization": TEXT,
        "sign_in": listed({"type": "object"}),
    },
    "required": ["type", "title", "status", "detail", "instance"],
}
_ACTION: Final = closed(
    {
        "name": TEXT,
        "label": TEXT,
        "type": TEXT,
        "verb": TEXT,
        "lens": TEXT,
        "resource_type": TEXT,
        "severity": COUNT,
        "critical": {"type": "boolean"},
        "description": TEXT,
    }
)
_FILTER: Final = closed(
    {
        "name": TEXT,
        "label": TEXT,
        "kind": TEXT,
        "description": TEXT,
        "values": listed(closed({"value": TEXT, "label": TEXT})),
        "repeats": {"type": "boolean", "description": "Whether it may stand several times."},
        "facet": {"type": "boolean", "description": "Whether /facets has its values."},
    }
)


_ASKED: Final = {
    "id": TEXT,
    "kind": {**TEXT, "enum": ["cancel", "retry", "cleanup"]},
    "attempt": {
        "type": ["integer", "null"],
        "description": "Of which attempt it is asked; it is void once a later one has begun.",
    },
    "by": closed({"id": _or_null(TEXT), "name": _or_null(TEXT)}),
    "reason": _or_null(TEXT),
    "at": TIME,
    "expires_at": {**_or_null(TIME), "description": "Until when somebody must take it."},
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return every schema by name."""
    facets = {"type": "object", "additionalProperties": listed(reference("FacetValue"))}
    histogram = reference("Histogram")
    return {
        "Activity": activity(),
        "ActivityList": closed({"activities": listed(reference("Activity"))}),
        "ActivityPage": closed(
            {"activities": listed(reference("Activity")), "page": reference("Page")},
            facets=reference("Facets"),
            histogram=histogram,
        ),
        "Page": _PAGE,
        "FacetValue": _FACET,
        "Facets": facets,
        "FacetAnswer": closed({"facets": reference("Facets")}),
        "Histogram": _HISTOGRAM,
        "Organizations": closed({"organizations": listed(_ORGANIZATION)}),
        "Catalogue": closed(
            {
                "actions": listed(_ACTION),
                "verbs": listed(closed({"name": TEXT, "label": TEXT, "description": TEXT})),
                "types": listed(TEXT),
            }
        ),
        "Filters": closed({"filters": listed(_FILTER)}),
        "Me": closed(
            {
                "reader": _READER,
                "organizations": listed(_ORGANIZATION),
                "csrf": {**TEXT, "description": "Value of the header X-CSRF-Token."},
                "limits": closed({"requests": COUNT, "exports": COUNT}),
                "sign_in": {
                    **listed({"type": "object"}),
                    "description": "Ways to be somebody else, in development mode alone.",
                },
            }
        ),
        "Wish": closed(
            {},
            reason={**TEXT, "maxLength": processes.LONGEST_REASON, "description": "In your words."},
        ),
        "Asked": closed(
            {
                "request": closed(
                    {
                        **_ASKED,
                        "state": {
                            **TEXT,
                            "enum": ["requested", "taken", "done", "failed", "expired"],
                        },
                        "answer": {**_or_null(TEXT), "description": "What became of it."},
                    }
                )
            }
        ),
        "Controls": closed({"controls": listed(closed(_ASKED))}),
        **processes.schemas(),
        "ProcessPage": closed(
            {
                "processes": listed(reference("ProcessRow")),
                "page": closed(
                    {
                        "number": {"type": "integer", "minimum": 1},
                        "size": {"type": "integer", "minimum": 1},
                        "total": COUNT,
                        "approximate": {
                            "type": "boolean",
                            "description": "Whether total is not exact, or more than are listed.",
                        },
                        "from": {**COUNT, "description": "Number of the first one; 0: none."},
                        "to": {**COUNT, "description": "Number of the last one."},
                    }
                ),
            }
        ),
        "LiveProcesses": closed(
            {
                "epoch": TEXT,
                "offset": TEXT,
                "recovered": _or_null({"type": "boolean"}),
                "processes": _or_null(listed(reference("Process"))),
                "changes": listed(reference("ProcessDelta")),
                "wait": {**COUNT, "description": "Seconds until the next question."},
                "at": {**TIME, "description": "The server's clock."},
            },
            stale_since={**TIME, "description": "Since when nothing new could be read."},
            cut={"type": "boolean", "description": "There are more than are shown."},
        ),
        "Channels": closed(
            {
                "channels": listed(
                    closed(
                        {
                            "name": TEXT,
                            "label": TEXT,
                            "description": TEXT,
                            "icon": TEXT,
                            "steps": listed(TEXT),
                        }
                    )
                )
            }
        ),
        "OneProcess": closed(
            {
                "process": reference("Process"),
                "whole": {
                    "type": "boolean",
                    "description": "Whether all its entries were looked at; else its beginning "
                    "and its latest ones.",
                },
            }
        ),
        "ProcessEntries": closed(
            {
                "entries": listed(reference("Activity")),
                "next": {**_or_null(TEXT), "description": "Value of after for the next page."},
            }
        ),
        "ProcessReplay": closed(
            {
                "frames": listed(closed({"at": TIME, "delta": reference("ProcessDelta")})),
                "whole": {
                    "type": "boolean",
                    "description": "Whether this goes to its end; else only to where it got large.",
                },
            }
        ),
        "ProcessOutput": closed(
            {
                "output": listed(
                    closed(
                        {
                            "attempt": {"type": "integer", "minimum": 1},
                            "step": TEXT,
                            "stream": TEXT,
                            "offset": _or_null(COUNT),
                            "text": TEXT,
                            "at": _or_null(TIME),
                        }
                    )
                ),
                "next": {**_or_null(TEXT), "description": "Value of from for the next page."},
            }
        ),
        "SignIn": {
            "oneOf": [
                closed({"token": {**TEXT, "minLength": 1, "maxLength": 16384}}),
                closed({"development": {**TEXT, "minLength": 1, "maxLength": 256}}),
            ]
        },
        "SignedOut": closed({"next": {**TEXT, "description": "Where to go on."}}),
        "OpenApi": {"type": "object", "required": ["openapi", "info", "paths"]},
        "Problem": _PROBLEM,
    }
