"""OpenID providers for tests: a certified one, and one that lies."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

SOURCE = Path(__file__).parents[2] / "clients" / "oidc"
CACHE = Path(tempfile.gettempdir()) / "activity-center-test-clients"
SIDECAR = "http://127.0.0.1:8600"
CLIENT_SECRET = "of the sidecar: +/% and more"


def installed() -> Path:
    """The folder of the certified provider, installed once per version of its package.json."""
    if not shutil.which("npm"):
        pytest.skip("npm is missing: oidc-provider is not tried")
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in sorted(SOURCE.iterdir())))
    folder = CACHE / f"oidc-{digest.hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "oidc.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of xdist share the cache
        if not (folder / "node_modules" / ".bin" / "node").exists():
            shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
            command = ["npm", "install", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
    return folder


def signing_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


class Certified:
    """oidc-provider in a process of its own."""

    def __init__(self, key: RSAKey, *, port: int = 0, **options: Any) -> None:
        client = {
            "client_id": "activity-center",
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [f"{SIDECAR}/oidc/callback"],
            "post_logout_redirect_uris": [f"{SIDECAR}/login"],
            "token_endpoint_auth_method": options.pop("auth_method", "client_secret_basic"),
        }
        keys = {"keys": [key.as_dict(private=True)]}
        told = {"port": port, "client": client, "jwks": keys, **options}
        folder = installed()
        self._process = subprocess.Popen(
            [str(folder / "node_modules" / ".bin" / "node"), "provider.js", json.dumps(told)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.issuer = json.loads(self._process.stdout.readline())["issuer"]
        self.port = urlsplit(self.issuer).port

    def close(self) -> None:
        self._process.communicate(timeout=30)  # its standard input ends, and so does it


def sign_in_at(url: str, name: str, *, refuse: bool = False) -> dict[str, str]:
    """Do what a person does at oidc-provider's own pages; return the query of the callback."""
    browser = requests.Session()
    answer = browser.get(url, allow_redirects=False)
    for _ in range(20):
        if answer.is_redirect:
            target = urljoin(answer.url, answer.headers["Location"])
            if target.startswith(SIDECAR):
                return dict(parse_qsl(urlsplit(target).query))
            answer = browser.get(target, allow_redirects=False)
            continue
        assert answer.status_code == 200, answer.text
        form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
        assert form is not None, answer.text
        if refuse:
            [link] = re.findall(r'href="([^"]*/abort)"', answer.text)
            answer = browser.get(urljoin(answer.url, unescape(link)), allow_redirects=False)
            continue
        [prompt] = re.findall(r'name="prompt" value="(\w+)"', answer.text)
        fields = {"prompt": prompt, "login": name, "password": "any"}
        address = urljoin(answer.url, unescape(form[1]))
        answer = browser.post(address, data=fields, allow_redirects=False)
    raise AssertionError("the provider does not send the person back")


class Lying:
    """A provider that answers whatever a test wants, signed properly or not.

    Attributes:
        change: gets the ID token's claims and may change them.
        discovery, token, userinfo: members that replace those of the true answers.
        asked: requests by path.
    """

    def __init__(self) -> None:
        self.key = signing_key("true")
        self.signs_with: Any = self.key
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "true"}
        self.change: Callable[[dict[str, Any]], Any] = lambda claims: None
        self.discovery: dict[str, Any] = {}
        self.token: dict[str, Any] = {}
        self.token_status = 200
        self.userinfo: dict[str, Any] = {}
        self.asked: list[str] = []
        self.form: dict[str, list[str]] = {}
        self.nonce = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, provider._page(self.path))

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                provider.form = parse_qs(self.rfile.read(length).decode())
                self._answer(provider.token_status, provider._tokens())

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                provider.asked.append(self.path)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, url: str, **members: str) -> dict[str, str]:
        """The query of the callback for a person who was sent to ``url``."""
        query = dict(parse_qsl(urlsplit(url).query))
        self.nonce = query["nonce"]
        return {"state": query["state"], "code": "a-code", **members}

    def _page(self, path: str) -> dict[str, Any]:
        if path.endswith("/.well-known/openid-configuration"):
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                **self.discovery,
            }
        if path == "/jwks":
            return {"keys": [self.key.as_dict(private=False)]}
        return self.userinfo

    def _tokens(self) -> dict[str, Any]:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": "activity-center",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "preferred_username": "ada",
            "name": "Ada",
            "email": "ada@example.org",
        }
        self.change(claims)
        algorithms = ["RS256", "PS256"]
        registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
        signed = jwt.encode(self.header, claims, self.signs_with, algorithms, registry=registry)
        return {"access_token": "access", "token_type": "Bearer", "id_token": signed, **self.token}
