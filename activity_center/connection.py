"""Connections to OpenSearch: the user's own cluster, or else the embedded node.

=========================  ================================================================
variable                   meaning
=========================  ================================================================
``OPENSEARCH_URL``         ``https://host:9200``; set: the embedded node is not used at all
``OPENSEARCH_USERNAME``    with ``OPENSEARCH_PASSWORD``: HTTP basic authentication
``OPENSEARCH_API_TOKEN``   instead of them: sent as ``Authorization: Bearer``
``OPENSEARCH_CA``          PEM file of the authority that signed the cluster's certificate
=========================  ================================================================
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from activity_center.config import Cluster
from activity_center.errors import ClusterError, ConfigError, NodeError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch


def cluster_from_environment(environment: Mapping[str, str] | None = None) -> Cluster | None:
    """Return the user's own cluster, or None when ``OPENSEARCH_URL`` is not set.

    Args:
        environment: default ``os.environ``.

    Raises:
        ConfigError: the variables contradict each other or are incomplete.
    """
    values = os.environ if environment is None else environment
    url = values.get("OPENSEARCH_URL", "")
    if not url:
        return None
    return _checked(
        Cluster(
            url=url,
            username=values.get("OPENSEARCH_USERNAME", ""),
            password=values.get("OPENSEARCH_PASSWORD", ""),
            api_token=values.get("OPENSEARCH_API_TOKEN", ""),
            ca=values.get("OPENSEARCH_CA", ""),
        ),
        where="OPENSEARCH_URL",
    )


def resolve(cluster: Cluster | None = None) -> Cluster:
    """Return the cluster to use: ``cluster``, else the environment's, else the embedded node.

    A :class:`Cluster` with an empty ``url`` stands for "not configured".

    Raises:
        ConfigError: its parts contradict each other.
        NodeError: there is none: nothing configured and no embedded node running.
    """
    if cluster is not None and cluster.url:
        return _checked(cluster, where="opensearch.url")
    found = cluster_from_environment()
    if found is not None:
        return found
    from activity_center import node

    running = node.status()
    if running is None:
        raise NodeError(
            "no OpenSearch is configured, and the embedded one is not running",
            hint="activity-center node start, or set OPENSEARCH_URL",
        )
    return running.cluster


def connect(cluster: Cluster | None = None, **options: Any) -> OpenSearch:
    """Return a client; nothing is sent yet.

    Certificates are always verified: against ``cluster.ca`` alone when it is given, else
    against the system's authorities. ``REQUESTS_CA_BUNDLE`` has no say.

    Args:
        cluster: see :func:`resolve`.
        options: passed on to :class:`opensearchpy.OpenSearch`; they win over ours.

    Raises:
        ConfigError, NodeError: see :func:`resolve`; the CA file cannot be used; or
            certificates would not be verified.
    """
    from opensearchpy import OpenSearch

    from activity_center.serializer import OrjsonSerializer

    if options.get("verify_certs", True) is not True:
        raise ConfigError(
            "certificates are always verified", hint="name the authority: OPENSEARCH_CA"
        )
    target = resolve(cluster)
    ours: dict[str, Any] = {
        "hosts": [_host(target.url)],
        "timeout": 30,
        "max_retries": 0,
        "retry_on_timeout": False,
        "serializer": OrjsonSerializer(),
    }
    if target.url.startswith("https:"):
        ours["ssl_context"] = _tls(target.ca)
    if target.username:
        ours["http_auth"] = (target.username, target.password)
    if target.api_token:
        ours["headers"] = {"Authorization": f"Bearer {target.api_token}"}
    if "headers" in options and "headers" in ours:
        options["headers"] = {**ours["headers"], **options["headers"]}
    return OpenSearch(**{**ours, **options})


def unreachable(wrong: Exception, address: str) -> ClusterError:
    """Return the error for an OpenSearch that gave no answer: address, cause and next step.

    Args:
        wrong: what :mod:`opensearchpy` raised: a ``ConnectionError`` or one of its kinds.
        address: what was asked, without a login.
    """
    cause = _cause(str(getattr(wrong, "error", "") or wrong))
    own = bool(os.environ.get("OPENSEARCH_URL"))
    hint = "see activity-center node status"
    if "WRONG_VERSION_NUMBER" in cause or "record layer failure" in cause:
        cause, hint = "it does not speak TLS", "use http:// in the address"
    elif "CERTIFICATE_VERIFY_FAILED" in cause:
        hint = "name the authority that signed its certificate: OPENSEARCH_CA"
    elif address.startswith("http:") and "Connection aborted" in cause:
        hint = "if it speaks TLS, use https:// in the address"
    elif own:
        hint = "is OPENSEARCH_URL right, and is OpenSearch running there?"
    return ClusterError(f"OpenSearch cannot be reached: {cause}", where=address, hint=hint)


def _cause(text: str) -> str:
    """The end of urllib3's words: the address before it is known."""
    text = re.sub(r"^HTTPS?Connection(Pool)?\(host='[^']*', port=\d+\): ", "", text)
    text = re.sub(r"^Failed to establish a new connection: ", "", text)
    return re.sub(r"\[Errno -?\d+\] ", "", text)[:200]


def _host(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "host": parts.hostname,
        "port": parts.port or (443 if parts.scheme == "https" else 80),
        "scheme": parts.scheme,
        "use_ssl": parts.scheme == "https",
        "url_prefix": parts.path.strip("/"),
    }


def _tls(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as wrong:
        raise ConfigError(
            f"cannot be used as a certificate authority: {wrong.strerror or wrong}",
            where=ca,
            hint="OPENSEARCH_CA and opensearch.ca name a PEM file",
        ) from wrong


def _checked(cluster: Cluster, *, where: str) -> Cluster:
    """Take a login out of the address, and refuse what cannot be meant."""
    try:
        parts = urlsplit(cluster.url)
        port = parts.port
    except ValueError as wrong:
        raise ConfigError("is no address", where=where) from wrong
    if parts.scheme not in ("http", "https") or not parts.hostname:
        # The address may hold a password: it is not repeated.
        raise ConfigError(
            "is no http:// or https:// address",
            where=where,
            hint="such as http://127.0.0.1:9200 or https://search.example.org:9200",
        )
    if parts.query or parts.fragment:
        raise ConfigError("must have no ? and no #", where=where)
    username, password = cluster.username, cluster.password
    if parts.username:
        if username:
            raise ConfigError("names a user, and so does the username", where=where)
        username, password = unquote(parts.username), unquote(parts.password or "")
    if username and cluster.api_token:
        raise ConfigError("a user and an API token are given: choose one", where=where)
    if bool(username) != bool(password):
        raise ConfigError("a user needs a password, and the reverse", where=where)
    if cluster.ca and parts.scheme == "http":
        raise ConfigError("a CA is given, but the address is http://", where=where)
    if cluster.ca and not Path(cluster.ca).is_file():
        raise ConfigError("the CA file does not exist", where=cluster.ca)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    return Cluster(
        url=url,
        username=username,
        password=password,
        api_token=cluster.api_token,
        ca=cluster.ca,
    )
