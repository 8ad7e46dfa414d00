"""The country of an address: from a real MaxMind DB file, written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from activity_center.errors import ConfigError
from collector.normalize import Context, Normalizer
from collector.normalize.countries import Countries
from collector.records import Sender

RECEIVED = 1_764_000_000_000_000_000


def database(path: Path, networks: dict[str, Any], *, version: int = 6) -> Path:
    """Write a database of these networks."""
    writer = MMDBWriter(version, "Test-Country", ipv4_compatible=version == 6)
    for network, entry in networks.items():
        writer.insert_network(IPSet([network]), entry)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def countries(tmp_path: Path) -> Countries:
    """Slovenia in IPv4, Germany in IPv6, and entries that say no country."""
    return Countries(
        database(
            tmp_path / "country.mmdb",
            {
                "192.0.2.0/24": {"country": {"iso_code": "SI", "names": {"en": "Slovenia"}}},
                "2001:db8::/32": {"country_code": "DE"},
                "198.51.100.0/24": {"continent": {"code": "EU"}},
                "203.0.113.0/24": {"country": {"iso_code": "Slovenia"}},
            },
        )
    )


@pytest.mark.parametrize(
    ("source", "country"),
    [
        ({"ip": "192.0.2.7"}, "SI"),
        ({"ip": "2001:db8::7"}, "DE"),
        ({"ip": "192.0.2.7", "geo": {"city_name": "Celje"}}, "SI"),
        ({"ip": "192.0.2.7", "geo": {"country_iso_code": "FR"}}, "FR"),
        ({"ip": "198.51.100.7"}, None),
        ({"ip": "203.0.113.7"}, None),
        ({"ip": "10.0.0.1"}, None),
        ({"ip": "hmac:1234"}, None),
        ({"ip": ""}, None),
        ({"ip": ["192.0.2.7"]}, None),
        ({"ip": "192.0.2.7", "geo": "Celje"}, None),
        ({"port": 22}, None),
        ("192.0.2.7", None),
        (None, None),
    ],
)
def test_whose_producer_says_none_gets_it(
    countries: Countries, source: Any, country: str | None
) -> None:
    """Only where the producer says no country, and the database says one."""
    activity = {"source": source}
    countries.tell(activity)
    after = activity["source"]
    geo = after.get("geo") if isinstance(after, dict) else None
    assert (geo.get("country_iso_code") if isinstance(geo, dict) else None) == country
    if country in (None, "FR"):
        assert after is source
    elif "geo" in source:
        assert geo["city_name"] == "Celje"


def test_ipv6_is_no_country_in_a_database_of_ipv4(tmp_path: Path) -> None:
    """What the file cannot look up is unknown, not an error."""
    only_4 = {"192.0.2.0/24": {"country": {"iso_code": "SI"}}}
    found = Countries(database(tmp_path / "four.mmdb", only_4, version=4))
    activity: dict[str, Any] = {"source": {"ip": "2001:db8::7"}}
    found.tell(activity)
    assert activity == {"source": {"ip": "2001:db8::7"}}


@pytest.mark.parametrize("content", [None, b"", b"not a database", "folder"])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes | str | None) -> None:
    """With the file, and what to name instead."""
    path = tmp_path / "broken.mmdb"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        Countries(path)
    assert str(path) in str(refused.value)
    assert "GeoLite2-Country.mmdb" in str(refused.value)


def test_a_broken_tree_ends_nothing(tmp_path: Path) -> None:
    """A file damaged in the middle tells no country; the activity is kept."""
    whole = database(
        tmp_path / "whole.mmdb", {"192.0.2.0/24": {"country": {"iso_code": "SI"}}}
    ).read_bytes()
    for at in range(0, whole.rindex(b"MaxMind.com") - 3, 7):
        path = tmp_path / "damaged.mmdb"
        path.write_bytes(whole[:at] + b"\xff\xff\xff" + whole[at + 3 :])
        activity: dict[str, Any] = {"source": {"ip": "192.0.2.7"}}
        Countries(path).tell(activity)
        assert activity["source"]["ip"] == "192.0.2.7"


def test_the_normalizer_asks(countries: Countries) -> None:
    """Both ways through it, and without a database none is told."""
    context = Context.of(Sender("s"), RECEIVED)
    for known, country in ((countries, {"country_iso_code": "SI"}), (None, None)):
        normalizer = Normalizer({}, {}, "permanent", known)
        for way in ("complete", "quick"):
            activity: dict[str, Any] = {
                "event": {"action": "user.login"},
                "source": {"ip": "192.0.2.7"},
                "@timestamp": "2025-11-24T15:00:00Z",
            }
            if way == "quick":
                assert normalizer.quick(activity, ({}, {}), context, None)
            else:
                normalizer.complete(activity, context, None)
            assert activity["source"].get("geo") == country
