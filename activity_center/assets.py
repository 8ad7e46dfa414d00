"""Where the data folders are, in a wheel, an editable install and a checkout alike.

The top-level folders ``opensearch/`` and ``dashboards/`` hold data and are no
Python packages (``opensearch`` is an import name of opensearch-py's). The build
copies them into ``activity_center/_data/``; in a checkout they are read in place.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """Return the folder ``name`` (for example ``"opensearch/templates"``).

    Raises:
        FileNotFoundError: the installation is broken: neither copy exists.
    """
    for root in (_PACKAGE / "_data", _PACKAGE.parent):
        folder = root / name
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"{name}: not in {_PACKAGE / '_data'} nor beside {_PACKAGE}")
