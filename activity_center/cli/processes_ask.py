"""What the commands of ``activity-center processes`` share: where the sidecar is, asking it."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlencode

import click

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of an answer that are read."""
_TIMEOUT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A sidecar and who asks it."""

    url: str
    token: str = field(repr=False)
    ca: str = ""

    def get(self, path: str, query: list[tuple[str, str]]) -> dict[str, Any]:
        """Ask, and return the answer.

        Args:
            path: below the URL, quoted.

        Raises:
            ConfigError: the URL is none, or would send the token in the clear.
            ActivityCenterError: there is no answer, or a refusal.
        """
        from activity_center.address import check
        from activity_center.errors import ActivityCenterError

        check(self.url)
        address = self.url.rstrip("/") + path
        full = address + (f"?{urlencode(query)}" if query else "")
        request = urllib.request.Request(full, headers={"Accept": "application/json"})  # noqa: S310
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        context = ssl.create_default_context(cafile=self.ca or None)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), _NoRedirect
        )
        try:
            with opener.open(request, timeout=_TIMEOUT) as answer:
                found = json.loads(answer.read(LARGEST))
        except urllib.error.HTTPError as wrong:
            said = _problem(wrong)
            raise ActivityCenterError(
                str(said.get("detail") or f"the sidecar answered {wrong.code}"),
                where=address,
                hint=said.get("hint") or _HINTS.get(wrong.code),
            ) from wrong
        except OSError as wrong:
            reason = getattr(wrong, "reason", None) or wrong
            raise ActivityCenterError(
                f"the sidecar does not answer: {reason}",
                where=address,
                hint="is it running? activity-center serve; see --url",
            ) from wrong
        except ValueError as wrong:
            raise ActivityCenterError("the answer is no JSON", where=address) from wrong
        if not isinstance(found, dict):
            raise ActivityCenterError("the answer is no JSON object", where=address)
        return found


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An API does not redirect: the token is for this address alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


_HINTS: Final = {
    401: "give an API token: ACTIVITY_CENTER_API_TOKEN or --token-file",
    403: "this needs a role with process:view",
}


def _problem(wrong: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        found = json.loads(wrong.read(100_000))
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def sidecar_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--url``, ``--token-file``, ``--ca``; the function gets a :class:`Sidecar`."""
    import functools

    @click.option(
        "--url",
        envvar="ACTIVITY_CENTER_URL",
        default="http://127.0.0.1:8600",
        show_default=True,
        help="Address of the sidecar; also ACTIVITY_CENTER_URL.",
    )
    @click.option(
        "--token-file",
        type=click.File(),
        help="File with an API token; else ACTIVITY_CENTER_API_TOKEN.",
    )
    @click.option(
        "--ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="PEM file of the authority that signed the sidecar's certificate.",
    )
    @functools.wraps(function)
    def made(*args: Any, url: str, token_file: IO[str] | None, ca: Path | None, **rest: Any) -> Any:
        return function(*args, sidecar=Sidecar(url, _token(token_file), str(ca or "")), **rest)

    return made


def _token(file: IO[str] | None) -> str:
    import os

    from activity_center.address import check_token
    from activity_center.errors import ConfigError

    try:
        token = file.read(20_000) if file else os.environ.get("ACTIVITY_CENTER_API_TOKEN", "")
    except (OSError, ValueError) as wrong:
        raise ConfigError("the file with the API token cannot be read") from wrong
    token = token.strip()
    check_token(token)
    return token
