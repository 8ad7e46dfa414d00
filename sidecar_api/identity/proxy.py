"""Headers of a proxy that signs people in.

They are believed from its own address alone: that of the connection, never one that a header
claims. A request with them from anywhere else is refused: it is either an attempt to be
somebody else or a proxy that the configuration does not know, and to go on without the headers
would hide both.

Who it is says the header with the user alone. An e-mail address is for display: many proxies
pass on what a client sends under that name, so it is read only where the configuration names
its header, and says who somebody is only in a request without the user's header.
"""

from __future__ import annotations

from flask import Request

from activity_center.config_sidecar import ProxyIdentity
from sidecar_api.client_address import is_among, networks, parse
from sidecar_api.identity.subject import Subject, is_name, refused


class Proxy:
    """The proxy of ``identity.proxy``.

    Raises:
        ConfigError: a peer is no address and no network.
    """

    def __init__(self, proxy: ProxyIdentity) -> None:
        self._peers = networks(proxy.peers, where="identity.proxy.peers")
        self._user = proxy.user
        self._email = proxy.email

    def recognize(self, request: Request) -> Subject | None:
        """See :class:`~sidecar_api.identity.subject.Provider`."""
        user = request.headers.get(self._user)
        email = request.headers.get(self._email) if self._email else None
        if user is None and email is None:
            return None
        if user is not None and not user.strip():  # nobody, whatever address stands beside it
            raise refused()
        if not is_among(parse(request.remote_addr or ""), self._peers):
            raise refused()
        user, email = _name(user), _name(email)
        if not user and "@" not in email:  # it would be compared with ids and names too
            raise refused()
        return Subject("proxy", user or email, login=user, email=email, ambient=True)


def _name(header: str | None) -> str:
    """Return a header's text. One that stands twice comes joined by a comma: it is refused."""
    if not header:
        return ""
    try:
        text = header.encode("latin-1").decode("utf-8")  # WSGI (PEP 3333) hands bytes as Latin-1
    except UnicodeError:
        raise refused() from None
    if "," in text or not is_name(text):
        raise refused()
    return text
