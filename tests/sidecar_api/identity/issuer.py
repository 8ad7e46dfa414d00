"""A small issuer of JWTs with a real HTTP server for its keys."""

from __future__ import annotations

import base64
import json
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

Key = RSAKey | ECKey | OKPKey
AUDIENCE = "activity-center"


@cache
def rsa(kid: str, copy: int = 0) -> RSAKey:
    """A key of this id; ``copy`` tells apart several of the same id."""
    return RSAKey.generate_key(2048, {"kid": kid})


class Issuer:
    """Signs tokens, and serves the public halves of ``keys`` at ``jwks_url``.

    Attributes:
        keys: served; the first signs.
        status: of the answer with the keys.
        body: sent instead of the keys, unless empty.
        asked: how often the keys were fetched.
    """

    def __init__(self, *keys: Key) -> None:
        self.keys = list(keys)
        self.status, self.body, self.asked = 200, b"", 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.jwks_url = f"{self.url}/keys"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    def token(
        self,
        *,
        key: Any = None,
        header: dict[str, Any] | None = None,
        without: str | None = None,
        **claims: Any,
    ) -> str:
        """A good token, with what is given in its place."""
        signer = key or self.keys[0]
        head = {"alg": "RS256", "kid": signer.kid, **(header or {})}
        now = int(time.time())
        body = {"iss": self.url, "aud": AUDIENCE, "sub": "u-1", "iat": now, "exp": now + 300}
        body.update(claims)
        if without is not None:
            del body[without]
        return jwt.encode(head, body, signer, algorithms=[head["alg"]])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                body = issuer.body or json.dumps(issuer.jwks()).encode()
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: Any) -> None:
                """Say nothing."""

        return Handler


def signed_token(key: RSAKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token with a true RS256 signature over any header."""
    head = raw_token(header, claims).rpartition(".")[0]
    private = key.private_key
    assert private is not None
    signature = private.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def raw_token(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token that no library would make."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
