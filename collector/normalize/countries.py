"""``source.geo.country_iso_code`` of an address, from a MaxMind DB file that the user names.

The format: MaxMind DB File Format Specification 2.0. Any database whose entries hold
``country.iso_code`` (MaxMind's, and those that write the same) or ``country_code`` will do.
"""

from __future__ import annotations

import os
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import maxminddb

from activity_center.errors import ConfigError

_REMEMBERED: Final = 8192


class Countries:
    """Tells the country of an address.

    The file is read whole when the collector starts or takes up a configuration, so that
    replacing it changes nothing halfway.

    Args:
        path: of the file.

    Raises:
        ConfigError: it cannot be read, or is no such database.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._database = _opened(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as wrong:
            raise ConfigError(
                f"cannot be read as a MaxMind DB: {wrong}",
                where=str(path),
                hint="name a .mmdb file with countries, such as GeoLite2-Country.mmdb",
            ) from wrong
        self._code = lru_cache(maxsize=_REMEMBERED)(self._looked_up)

    def tell(self, activity: dict[str, Any]) -> None:
        """Put the country of ``source.ip`` into an activity whose producer says none.

        Args:
            activity: as mapped; the group ``source`` is replaced where it changes.
        """
        source = activity.get("source")
        if type(source) is not dict:
            return
        address = source.get("ip")
        geo = source.get("geo")
        if type(address) is not str or (geo is not None and type(geo) is not dict):
            return
        if geo is not None and geo.get("country_iso_code") is not None:
            return
        code = self._code(address)
        if code is not None:
            activity["source"] = {**source, "geo": {**(geo or {}), "country_iso_code": code}}

    def _looked_up(self, address: str) -> str | None:
        try:
            entry = self._database.get(address)
        except (ValueError, TypeError, maxminddb.InvalidDatabaseError):
            return None  # no address, or IPv6 in a database of IPv4
        if not isinstance(entry, dict):
            return None
        country = entry.get("country")
        code = country.get("iso_code") if isinstance(country, dict) else entry.get("country_code")
        return code if isinstance(code, str) and len(code) == 2 else None


def _opened(path: Path) -> maxminddb.Reader:
    """Open a copy of the file in memory: a map of the file itself would end the process where
    somebody shortens it. The C reader, which only maps, takes a twentieth of the time."""
    copied = os.memfd_create("countries")
    try:
        with open(copied, "wb", closefd=False) as to, path.open("rb") as file:
            shutil.copyfileobj(file, to)
        return maxminddb.open_database(f"/proc/self/fd/{copied}", maxminddb.MODE_AUTO)
    finally:
        os.close(copied)
