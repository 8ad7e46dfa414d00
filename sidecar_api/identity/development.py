"""Everyone who comes from this machine is one person: for trying things out, and the demo."""

from __future__ import annotations

from typing import Final

from flask import Request

from activity_center.address import is_loopback
from activity_center.config_sidecar import SidecarConfig
from sidecar_api.failures import Unauthenticated
from sidecar_api.identity.subject import Subject
from sidecar_api.origin import check_host

_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
"""A proxy on this machine may bring anybody in, whatever address it has itself."""


class Development:
    """Development mode; the configuration allows it on loopback alone.

    Args:
        person: id of the person; empty: off.
        sidecar: for the names that the sidecar answers to.
    """

    def __init__(self, person: str, sidecar: SidecarConfig) -> None:
        self._person = person
        self._sidecar = sidecar

    def recognize(self, request: Request) -> Subject | None:
        """See :class:`~sidecar_api.identity.subject.Provider`."""
        return self.choose(request, self._person) if self.covers(request) else None

    def choose(self, request: Request, person: str) -> Subject:
        """Return the subject of a person that somebody wants to be.

        Raises:
            Unauthenticated: the mode is off, or the request is not from this machine.
        """
        if not self.covers(request):
            raise Unauthenticated("A person can be chosen in development mode alone.")
        return Subject("development", person, person, ambient=True)

    def covers(self, request: Request) -> bool:
        """Whether the mode is on and both ends of the connection are this machine.

        Raises:
            BadRequest: the request came here under a foreign name (DNS rebinding).
        """
        if not self._person or not is_loopback(request.remote_addr or ""):
            return False
        check_host(request, self._sidecar)
        return not any(name in request.headers for name in _FORWARDED)
