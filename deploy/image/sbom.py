"""Write the image's bill of materials (CycloneDX 1.6, JSON): Python's packages and Debian's.

Python's come from cyclonedx-py, which reads the environment; Debian's from the entries that
``rootfs.sh`` has kept. Runs in the build stage of the Containerfile.

    python deploy/image/sbom.py --version 0.1.0 --python /opt/activity-center/bin/python \
        --rootfs /rootfs --output sbom.cdx.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote


def python_packages(python: str) -> dict[str, Any]:
    """Return the bill of a Python environment.

    Args:
        python: its interpreter.
    """
    command = [sys.executable, "-m", "cyclonedx_py", "environment", python]
    command += ["--sv", "1.6", "--output-reproducible", "--of", "JSON"]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return found


def debian_packages(rootfs: Path) -> list[dict[str, Any]]:
    """Return a component for each Debian package, by name, with its purl.

    The form of the address is that of the package-url specification, type ``deb``.
    """
    found = []
    for file in sorted((rootfs / "var/lib/dpkg/status.d").iterdir()):
        entry = HeaderParser().parsestr(file.read_text(encoding="utf-8"))
        name, version, machine = entry["Package"], entry["Version"], entry["Architecture"]
        place = f"{quote(name, safe='')}@{quote(version, safe='')}"
        purl = f"pkg:deb/debian/{place}?arch={machine}&distro=debian-12"
        found.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": version,
                "purl": purl,
                "supplier": {"name": "Debian"},
            }
        )
    return found


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--rootfs", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path)
    given = parser.parse_args()
    bill = python_packages(given.python)
    bill["metadata"]["component"] = {
        "type": "container",
        "bom-ref": "activity-center-image",
        "name": "activity-center",
        "version": given.version,
    }
    bill["components"] = [*bill.get("components", []), *debian_packages(given.rootfs)]
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
