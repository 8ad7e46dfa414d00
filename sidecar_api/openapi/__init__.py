"""The description of the API: each view declares its operation, and the document is made of them.

The declaration is also what requests are checked by (:mod:`sidecar_api.asking`), so that the
document cannot promise what the code does not do.
"""

from __future__ import annotations

from sidecar_api.openapi.operation import (
    MOMENT,
    TOKEN,
    Operation,
    Parameter,
    operation,
    operation_of,
)

__all__ = ["MOMENT", "TOKEN", "Operation", "Parameter", "operation", "operation_of"]
