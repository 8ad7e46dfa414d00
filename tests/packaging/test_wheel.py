"""What a user gets: the wheel, built through the sdist, installed into an empty environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(sysconfig.get_path("purelib"))
BASE_DEPENDENCIES = ("fluent", "msgpack")
"""Import names of what ``install_requires`` brings, with what it requires itself."""


def run(python: Path, code: str, cwd: Path) -> str:
    """Run ``code`` with ``python``; return stdout, fail with stderr."""
    done = subprocess.run(
        [python, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist, built from a copy of the checkout."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "_build")
    shutil.copytree(ROOT, source, ignore=ignored)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check"),
            *("--outdir", folder / "dist", source),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    """Every file name in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel and its base dependencies, no extra."""
    folder = tmp_path_factory.mktemp("base")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True, timeout=120)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in BASE_DEPENDENCIES:
        (site / name).symlink_to(SITE / name)
    return python


@pytest.fixture(scope="module")
def full(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with every dependency of ours in reach."""
    folder = tmp_path_factory.mktemp("full") / "environment"
    shutil.copytree(base.parents[1], folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # A path added by a .pth file is not searched for further .pth files, so the
    # editable install of this checkout stays out.
    (site / "dependencies.pth").write_text(f"{SITE}\n")
    return folder / "bin" / "python"


def packages(root: Path) -> set[str]:
    """Dotted names of the import packages below our three top folders."""
    return {
        ".".join(file.parent.relative_to(root).parts)
        for top in ("activity_center", "collector", "sidecar_api")
        for file in (root / top).rglob("__init__.py")
    }


def test_the_list_of_packages_is_whole() -> None:
    """``setup.cfg`` lists by hand every package that the checkout has, and no other."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert set(config["options"]["packages"].split()) == packages(ROOT)


def test_every_module_is_in_the_wheel(names: list[str]) -> None:
    """No module of the checkout is missing from the wheel."""
    ours = {
        str(file.relative_to(ROOT))
        for top in ("activity_center", "collector", "sidecar_api")
        for file in (ROOT / top).rglob("*.py")
    }
    assert ours <= set(names), sorted(ours - set(names))


def test_no_top_level_package_of_anyone_else(names: list[str]) -> None:
    """The wheel writes into our three packages alone, not into opensearch-py's ``opensearch/``."""
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "activity_center",
        "collector",
        "sidecar_api",
    }


def test_the_data_travels(names: list[str]) -> None:
    """Templates, dashboards, vocabulary, schemas, mappings, artifact list and page travel."""
    data_files = data("opensearch") + data("dashboards")
    wanted = [f"activity_center/_data/{file}" for file in data_files]
    wanted += data("collector/sources")
    wanted += data("sidecar_api/web") + data("sidecar_api/openapi/pages")
    wanted.append("sidecar_api/openapi/style.css")
    wanted += [
        str(file.relative_to(ROOT))
        for suffix in ("*.json", "*.yml")
        for file in (ROOT / "activity_center").rglob(suffix)
    ]
    assert len(wanted) > 10
    assert set(wanted) <= set(names), sorted(set(wanted) - set(names))


def data(folder: str) -> list[str]:
    """Files below a data folder of the checkout, relative to the checkout."""
    return [
        str(file.relative_to(ROOT))
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]


def test_no_test_and_no_cache_in_the_wheel(names: list[str]) -> None:
    """Nothing of tests, benchmarks, documentation or caches is installed."""
    assert not [name for name in names if "__pycache__" in name or "tests/" in name]


def test_data_is_found_where_it_is_installed(full: Path, tmp_path: Path) -> None:
    """``data_folder`` finds the packaged copy when there is no checkout around."""
    code = (
        "from activity_center.assets import data_folder;"
        "folder = data_folder('opensearch/templates');"
        "assert 'site-packages' in str(folder), folder;"
        "print(len(list(folder.rglob('*.json'))))"
    )
    found = int(run(full, code, tmp_path))
    assert found == len(list((ROOT / "opensearch/templates").rglob("*.json"))) > 0


def test_base_install_has_the_emitter(base: Path, tmp_path: Path) -> None:
    """Without any extra a producer can import ``Emitter``, and nothing heavy comes along."""
    code = (
        "import json, sys; from activity_center import Emitter;"
        "print(json.dumps([Emitter.__name__, sorted(sys.modules)]))"
    )
    name, modules = json.loads(run(base, code, tmp_path))
    assert name == "Emitter"
    assert not {"collector", "click", "aiohttp", "flask", "opensearchpy", "yaml"} & set(modules)


def test_base_install_says_what_the_command_line_needs(base: Path, tmp_path: Path) -> None:
    """The command without its extra ends in one line that names the extra, not in a traceback."""
    done = subprocess.run(
        [base.with_name("activity-center"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'activity-center[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_runs_from_the_wheel(full: Path, tmp_path: Path) -> None:
    """Installed, the command lists its verbs, and a verb that reads packaged data works."""
    verbs = (["--help"], ["catalogue", "list", "--json"], ["sources", "test"], ["openapi"])
    for arguments in verbs:
        done = subprocess.run(
            [full, "-m", "activity_center", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stderr)


def test_opensearchpy_works_beside_ours(full: Path, tmp_path: Path) -> None:
    """Installed beside ours, opensearch-py finds its own ``opensearch`` package."""
    code = (
        "import opensearch, opensearch.protobufs, opensearchpy, activity_center;"
        "print(opensearch.__file__)"
    )
    assert Path(run(full, code, tmp_path).strip()).parent == SITE / "opensearch"


def test_a_checkout_on_the_path_does_not_shadow_opensearch() -> None:
    """With the checkout first on ``sys.path``, ``opensearch`` is still opensearch-py's package.

    Our data folder has the same name; without an ``__init__.py`` a regular package
    further down the path wins (Python language reference, "Namespace packages").
    """
    assert (ROOT / "opensearch").is_dir()
    assert not list((ROOT / "opensearch").rglob("__init__.py"))
    code = (
        "import sys; assert sys.path[0] == '', sys.path;"
        "import opensearch, opensearch.protobufs, opensearchpy;"
        "print(opensearch.__file__)"
    )
    found = Path(run(Path(sys.executable), code, ROOT).strip())
    assert found.parent == SITE / "opensearch"
