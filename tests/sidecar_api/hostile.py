"""Hostile requests as tables: what is sent, and what must come back.

A parameter in a row means a 400 whose problem document names it; everything else in the tables
is answered normally, with the value as nothing but text.
"""

from __future__ import annotations

from urllib.parse import quote

API = "/api/v1/activities"

SYNTAX = (
    "*",
    "?",
    "*:*",
    "*server*",
    "server.*",
    "server?update",
    "a OR b",
    'x" OR "1"="1',
    "x' OR '1'='1",
    "'; DROP TABLE activities; --",
    '{"match_all":{}}',
    '{"script":{"source":"1"}}',
    "_exists_:user.id",
    "user.id:*",
    "/.*/",
    "[* TO *]",
    "api~2",
    "api^100",
    "-x +y !z",
    "\\",
    "\\*",
    "${jndi:ldap://example.invalid/x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "../../../etc/passwd",
    "%2e%2e%2f",
    "=1+1",
    "\x00",
    "a\x00b",
    "\x01\x1b[31m\x7f",
    "\r\nSet-Cookie: a=b",
    "\u202egnp.exe",
    "\ufeffx",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "𝓼𝓮𝓻𝓿𝓮𝓻",
    "null",
    "true",
    "_all",
    "*,-activity-*",
)
"""Texts that mean something to Lucene, OpenSearch, SQL, shells, templates or browsers."""

RAW_BYTES = ("%C0%AF", "%C0%AE%C0%AE/", "%FF%FE", "%ED%A0%80", "%F8%88%80%80%80", "%E2%28%A1")
"""Percent-encoded bytes that are no UTF-8: overlong, surrogates, cut off."""

MANY = "&".join(f"action=a{n}" for n in range(51))
DEEP = "%5B" * 500

WRONG: tuple[tuple[str, str], ...] = (
    # numbers
    *(
        (f"{API}?page={value}", "page")
        for value in (
            "0", "-1", "+1", "1.5", "1e3", "0x10", "1_000", "%D9%A3", "NaN", "Infinity", "",
            "10001", "2147483648", "99999999999999999999999999", "1%00", "1;2", "[1]", "%7B%7D",
        )
    ),
    *((f"{API}?size={value}", "size") for value in ("0", "26", "1000000", "-25", "25,50")),
    (f"{API}?page=401", "page"),
    (f"{API}?page=101&size=100", "page"),
    (f"{API}/recent?count=21", "count"),
    (f"{API}/recent?count=0", "count"),
    (f"{API}/export?format=csv&resume=x&offset=-1", "offset"),
    (f"{API}/export?format=csv&resume=x&offset=10000000000", "offset"),
    # times
    *(
        (f"{API}?from={value}", "from")
        for value in (
            "now", "now-1d%2Fd", "2026-01-01%7C%7C%2Fd", "yesterday", "0", "1e308", "-1",
            "0000-01-01", "1969-12-31", "9999-12-31", "2026-13-01", "2026-02-30",
            "2026-01-01T25:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+99:99",
            "20260101", "2026-01-01T00:00:00Z%00", "%2A",
        )
    ),
    (f"{API}?to=99999-01-01", "to"),
    (f"{API}?from=2026-02-01&to=2026-01-01", "to"),
    (f"{API}?range=999y", "range"),
    (f"{API}?range=24h&from=2026-01-01", "range"),
    *((f"{API}?as_of={value}", "as_of") for value in ("now", "1", "0001-01-01T00:00:00Z", "x")),
    # addresses
    *(
        (f"{API}?ip={value}", "ip")
        for value in (
            "%2A", "999.1.1.1", "203.0.113.0/33", "203.0.113.0/-1", "::/129", "fe80::1%25eth0",
            "0x7f.1", "127.1", "1.2.3.4,5.6.7.8", "localhost", "203.0.113.1%00", "1.2.3.4%20",
        )
    ),
    # closed values
    *(
        (f"{API}?{name}={value}", name)
        for name in (
            "source", "outcome", "result", "impact", "decision", "lens", "verb", "severity",
        )
        for value in ("%2A", "%3Cscript%3E", "no-such", "%00")
    ),
    (f"{API}?critical=yes", "critical"),
    (f"{API}?critical=true&critical=false", "critical"),
    (f"{API}?include=everything", "include"),
    (f"{API}/facets?name=user.email", "name"),
    (f"{API}/facets?name=%2A", "name"),
    (f"{API}/export?format=exe", "format"),
    (f"{API}/export?format=csv%00", "format"),
    (f"{API}/export", "format"),
    # lengths
    (f"{API}?q={'x' * 201}", "q"),
    (f"{API}?q={'+'.join('abcdefghi')}", "q"),
    (f"{API}?action={'x' * 2000}", "action"),
    (f"{API}?action_contains={'%2A' * 257}", "action_contains"),
    (f"{API}?{MANY}", "action"),
    (f"{API}/facets?contains={'x' * 101}", "contains"),
    (f"{API}?cursor={'x' * 4097}", "cursor"),
    (f"/api/v1/users/{'x' * 513}/activities", "user"),
    # doubled parameters, arrays and objects
    (f"{API}?page=1&page=2", "page"),
    (f"{API}?q=a&q=b", "q"),
    (f"{API}?from=2026-01-01&from=2026-01-02", "from"),
    (f"{API}?cursor=a&cursor=b", "cursor"),
    (f"{API}/export?format=csv&format=csv", "format"),
    (f"{API}?action[]=x", "action[]"),
    (f"{API}?action[0]=x", "action[0]"),
    (f"{API}?action[$ne]=x", "action[$ne]"),
    (f"{API}?filter[action]=x", "filter[action]"),
    (f"{API}?__proto__[x]=1", "__proto__[x]"),
    (f"{API}?Action=x", "Action"),
    (f"{API}?action%00=x", "action\x00"),
    (f"{API}?%20action=x", " action"),
    (f"{API}?user.id=x", "user.id"),
    (f"{API}?%7B%22query%22%3A1%7D", '{"query":1}'),
    # parameters of OpenSearch's own, which nothing passes on
    *(
        (f"{API}?{name}=x", name)
        for name in (
            "source_content_type", "filter_path", "index", "scroll", "routing", "preference",
            "request_timeout", "_source", "query", "sort", "fields", "script", "pit",
        )
    ),
    (f"{API}/facets?size=100000", "size"),
    (f"{API}?{DEEP}=1", "[" * 100),
    ("/api/v1/users/x/activities?actor=y", "actor"),
    ("/api/v1/resources/server/x/activities?resource_id=y", "resource_id"),
    # tokens: made up, cut, of another kind
    *(
        (f"{API}?cursor={value}", "cursor")
        for value in (
            "", "x", ".", "..", "%00", "%2A", "e30.", ".e30", "e30.e30", "null.null",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
            "eyJzaWRlIjoiYWZ0ZXIiLCJhdCI6WzAsIiIsIiIsMF19.AAAA",
            "%F0%9F%92%A9.x", "a.b.c.d", "../../etc/passwd",
        )
    ),
    (f"{API}/export?format=csv&resume=e30.e30", "resume"),
    (f"{API}/export?format=csv&resume=%00", "resume"),
    (f"{API}/export?format=csv&offset=1", "offset"),
)  # fmt: skip
"""Address -> the parameter that its 400 names."""

PATHS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (f"{API}/..%2F..%2F..%2Fetc%2Fpasswd", (404,)),
    (f"{API}/{quote('*')}", (404,)),
    (f"{API}/{quote('<script>alert(1)</script>')}", (404,)),
    (f"{API}/%00", (404,)),
    (f"{API}/{'x' * 600}", (404,)),
    (f"{API}/_search", (404,)),
    (f"{API}/_all%2F_search", (404,)),
    (f"{API}/%FF", (400,)),
    (f"{API}//", (404,)),
    ("/api/v1/../../etc/passwd", (404,)),
    ("/api/v1/%2e%2e/%2e%2e/healthz", (404,)),
    ("//example.invalid/%2e%2e", (404,)),
    ("/api/v1/organizations/%2A/activity-logs", (400,)),
    ("/api/v1/organizations/%00/activity-logs", (400,)),
    ("/api/v1/organizations/%2e%2e/activity-logs", (400,)),
    ("/api/v1/organizations/_all/activity-logs", (400,)),
    ("/api/v1/users/%2A/activities", (200,)),
    ("/api/v1/users/..%2F..%2Fetc%2Fpasswd/activities", (200,)),
    ("/api/v1/users/%00/activities", (200,)),
    ("/api/v1/resources/%2A/%2A/activities", (200,)),
    ("/static/..%2f..%2fapp.py", (404,)),
    ("/static/../../../etc/passwd", (404,)),
    ("/static/%2e%2e/%2e%2e/server.py", (404,)),
    ("/static/..%5C..%5Capp.py", (404,)),
    ("/static//etc/passwd", (404,)),
    ("/static/%00", (404,)),
    ("/static/index.html", (404,)),
    ("/static/", (404,)),
    ("/problems/%3Cscript%3E", (404,)),
    ("/.git/config", (404,)),
    ("/.env", (404,)),
    ("/login?next=https://example.invalid/", (200,)),
    ("/oidc/login?next=https://example.invalid/", (404,)),
    ("/oidc/callback?code=x&state=y", (404,)),
)
"""Address -> the statuses that are right."""

METHODS = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "SEARCH", "X" * 200)

BODIES: tuple[tuple[str, bytes, int, str | None], ...] = (
    ("", b'{"token": "x"}', 415, None),
    ("text/plain", b'{"token": "x"}', 415, None),
    ("application/x-www-form-urlencoded", b"token=x", 415, None),
    ("multipart/form-data; boundary=x", b"--x--", 415, None),
    ("application/xml", b"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///x'>]><x>&y;</x>", 415, None),
    ("application/json;" * 50, b"{}", 400, "body"),
    ("application/json", b"", 400, "body"),
    ("application/json", b"\x00", 400, "body"),
    ("application/json", b"\xff\xfe{}", 400, "body"),
    ("application/json", b"{", 400, "body"),
    ("application/json", b"[]", 400, "body"),
    ("application/json", b'"token"', 400, "body"),
    ("application/json", b"null", 400, "body"),
    ("application/json", b"NaN", 400, "body"),
    ("application/json", b"[" * 60_000, 400, "body"),
    ("application/json", b'{"a":' * 10_000, 400, "body"),
    ("application/json", b"1" * 60_000, 400, "body"),
    ("application/json", b"{}", 400, "body"),
    ("application/json", b'{"token": "x", "development": "y"}', 400, "body"),
    ("application/json", b'{"__proto__": {"token": "x"}}', 400, "body"),
    ("application/json", b'{"token": 1}', 400, "token"),
    ("application/json", b'{"token": null}', 400, "token"),
    ("application/json", b'{"token": {"$ne": 1}}', 400, "token"),
    ("application/json", b'{"token": ""}', 400, "token"),
    ("application/json", b'{"token": "' + b"x" * 20_000 + b'"}', 400, "token"),
    ("application/json", b'{"token": "\\ud800"}', 401, None),
    ("application/json", b'{"token": "\\u0000"}', 401, None),
    ("application/json", b'{"token": "x"}', 401, None),
    ("application/json", b'{"development": "root"}', 401, None),
    ("application/json", b'{"token": "x"}' + b" " * 70_000, 413, None),
)  # fmt: skip
"""Content type, body of a sign-in, status, and the parameter that a 400 names."""

HEADERS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("Accept", "*/*;q=nonsense, <script>, text/html;q=-1", (200,)),
    ("Accept", "x" * 20_000, (200,)),
    ("Accept-Encoding", "gzip;q=1e309, *;q=0, \u00ff", (200,)),
    ("Accept-Language", "*" * 5_000, (200,)),
    ("If-None-Match", 'W/"' + "x" * 5_000, (200,)),
    ("If-None-Match", "*", (304,)),
    ("If-Modified-Since", "Thu, 99 Foo 99999 99:99:99 GMT", (200,)),
    ("Range", "bytes=0-,0-,0-,0-,0-,0-,0-", (200,)),
    ("Cookie", "activity_session=" + "x" * 10_000, (200, 400)),
    ("Cookie", "=;;;=\u00ff; a=b; activity_session", (200, 400)),
    ("X-Forwarded-For", "127.0.0.1, ::1, <script>, " + "1.2.3.4, " * 500, (200,)),
    ("Forwarded", "for=unknown;host=example.invalid", (200,)),
    ("X-Forwarded-Host", "example.invalid", (200,)),
    ("X-HTTP-Method-Override", "DELETE", (200,)),
    ("X-Original-URL", "/metrics", (200,)),
    ("X-Remote-User", "admin", (200,)),
    ("Remote-User", "admin", (200,)),
    ("Origin", "null", (200,)),
    ("Referer", "javascript:alert(1)", (200,)),
    ("User-Agent", "() { :; }; /bin/true \u00ff" + "x" * 9_000, (200,)),
    ("Content-Type", "application/json; charset=utf-7", (200,)),
    ("Last-Event-ID", "../../x", (200,)),
    ("Host", "example.invalid", (400,)),
    ("Host", "127.0.0.1:99999999", (400,)),
    ("Host", "127.0.0.1@example.invalid", (400,)),
    ("Authorization", "Bearer", (401,)),
    ("Authorization", "Bearer \u00ff", (401,)),
    ("Authorization", "Bearer " + "x" * 20_000, (401,)),
    ("Authorization", "Bearer a, Bearer b", (401,)),
    ("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.", (401,)),
    ("Authorization", "Basic eDp4", (401,)),
    ("Authorization", "Basic !!!!", (401,)),
    ("Authorization", "Digest username=x", (401,)),
    ("X-Long", "x" * 40_000, (431,)),
)
"""Header, value -> statuses that are right for a list asked with it."""
