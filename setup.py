"""The one build step that setup.cfg cannot say: the top-level data folders travel in the wheel.

``opensearch/`` is data, but ``opensearch`` is also an import name that opensearch-py
brings along, so the folder must never become a top-level package: it is copied into
``activity_center/_data/``, where ``activity_center.assets.data_folder`` looks first.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DATA_FOLDERS = ("opensearch", "dashboards")
ROOT = Path(__file__).resolve().parent


class BuildWithData(build_py):
    """``build_py`` that also copies the data folders; an editable install reads them in place."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        for name in DATA_FOLDERS:
            if (ROOT / name).is_dir():
                target = Path(self.build_lib, "activity_center", "_data", name)
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(ROOT / name, target)


setup(cmdclass={"build_py": BuildWithData})
