"""Security headers of every answer (OWASP HTTP Headers, CSP level 3)."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

from activity_center.config import Config
from sidecar_api.origin import is_local, is_secure

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types lit-html",
    )
)
"""Everything from the sidecar itself, nothing inline, no frames; only Lit makes HTML of text."""

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS: Final = f"max-age={365 * 24 * 3600}"
"""Without includeSubDomains: other hosts of the domain are not ours to decide about."""


def init_app(app: Flask, config: Config) -> None:
    """Set the headers on every answer of ``app``, errors too.

    Answers that are nobody else's business are not stored: everything but ``/static/``, unless
    a route has said otherwise.
    """
    fixed = dict(HEADERS)
    # For localhost it would hold for every other server of this machine too.
    if is_secure(config.sidecar) and not is_local(config.sidecar):
        fixed["Strict-Transport-Security"] = HSTS

    @app.after_request
    def set_headers(response: Response) -> Response:
        for name, value in fixed.items():
            response.headers[name] = value
        if "Cache-Control" not in response.headers and not request.path.startswith("/static/"):
            response.headers["Cache-Control"] = "no-store"
        return response
