"""What of the texts from outside can stand in a document at all."""

from __future__ import annotations


def is_text(value: str) -> bool:
    """Whether ``value`` is Unicode (RFC 3629): JSON can carry a lone surrogate in an escape."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
