"""TLS of listeners."""

from __future__ import annotations

import ssl

from activity_center.config import Tls
from activity_center.errors import ConfigError


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return a context for a listener: TLS 1.2 or later; with ``client_ca`` a client
    certificate is demanded and verified.

    Raises:
        ConfigError: a file cannot be read or does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    file = tls.certificate
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca:
            file = tls.client_ca
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as wrong:
        raise ConfigError(
            f"TLS: {wrong.strerror or wrong}",
            where=file,
            hint="PEM files; the key must belong to the certificate and be readable by us",
        ) from wrong
    return context


def peer_certificate(connection: ssl.SSLObject | None) -> bytes | None:
    """Return the verified client certificate (DER), or ``None``."""
    return connection.getpeercert(binary_form=True) if connection is not None else None
