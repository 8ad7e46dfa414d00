"""Run the chart's pods as plain processes: their files, commands, environment and probes.

No image and no container: what a pod mounts is written below a folder, and paths, ports and
names of Services in its files and its command are replaced by those of this machine.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import requests

from tests.chart.rendering import NAMESPACE, one
from tests.integration.process import free_port, until

_OWN_IMAGE: Final = [sys.executable, "-m", "activity_center"]
"""What the image runs when a container names arguments alone."""
_PROGRAMS: Final = {"python": [sys.executable], "sh": ["sh"]}


class Pods:
    """The pods of a rendered release, one process for each container.

    Args:
        objects: what helm rendered.
        folder: for files, data and logs.
    """

    def __init__(self, objects: list[dict[str, Any]], folder: Path) -> None:
        self.objects, self.folder = objects, folder
        self._ports = {port: free_port() for port in ("6379", "8443", "8600", "9600", "24224")}
        self._processes: list[subprocess.Popen[bytes]] = []
        # Debian's name of the same server: no test needs both.
        server = shutil.which("valkey-server") or shutil.which("redis-server")
        assert server, "install redis-server (or valkey-server): the bundled bus needs one"
        (folder / "bin").mkdir()
        (folder / "bin" / "valkey-server").symlink_to(server)

    def start(self, name: str, spec: Mapping[str, Any], probe: str = "") -> int:
        """Run the init containers, start the containers, and wait until ``probe`` answers 200.

        Returns the id of the last process that was started.

        Args:
            name: of the folder and the log.
            spec: of the pod.
            probe: address to ask, as the pod's readinessProbe has it; empty: none is asked.
        """
        self._write(name, spec)
        for container in spec.get("initContainers", ()):
            self.run(name, container)
        for container in spec["containers"]:
            with self._log(name).open("ab") as log:
                self._processes.append(
                    subprocess.Popen(
                        self._command(name, container),
                        stdout=log,
                        stderr=log,
                        env=self._environment(name, container),
                    )
                )
        if probe:
            until(lambda: self._is_ready(name, probe), why=f"{name} is not ready")
        return self._processes[-1].pid

    def run_to_end(self, name: str, spec: Mapping[str, Any]) -> str:
        """Run a pod of one container to its end; it has to succeed. Return what it said."""
        self._write(name, spec)
        (container,) = spec["containers"]
        return self.run(name, container)

    def run(self, name: str, container: Mapping[str, Any]) -> str:
        """Run a container to its end; it has to succeed. Return what it said."""
        done = subprocess.run(
            self._command(name, container),
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
            env=self._environment(name, container),
        )
        logs = "\n".join(log.read_text("utf-8")[-3000:] for log in self.folder.glob("*.log"))
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{logs}"
        return done.stdout

    def stop(self) -> None:
        """SIGTERM all, the last that started first, as Kubernetes would; reap them.

        Raises:
            AssertionError: one did not end by it.
        """
        deaf = []
        while self._processes:
            process = self._processes.pop()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                deaf.append(process.args)
        assert deaf == []

    def here(self, text: str, name: str) -> str:
        """``text`` with paths, ports and Services of the cluster replaced by this machine's."""
        text = re.sub(
            r"(?<![\w.])/(etc|var/lib)/(?=activity-center|bus|test)",
            f"{self.folder / name}/\\1/",
            text,
        )
        text = text.replace("dir /tmp", f"dir {self.folder}")
        text = re.sub(rf"\bac-\w+\.{NAMESPACE}\.svc", "localhost", text)
        text = text.replace("0.0.0.0:", "127.0.0.1:")
        ports = "|".join(self._ports)
        return re.sub(rf"(:|tls-port )({ports})\b", lambda it: f"{it[1]}{self._ports[it[2]]}", text)

    def _write(self, name: str, spec: Mapping[str, Any]) -> None:
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        containers = [*spec["containers"], *spec.get("initContainers", ())]
        for mount in [mount for it in containers for mount in it["volumeMounts"]]:
            target = self.folder / name / mount["mountPath"].lstrip("/")
            for file, content in self._content(volumes[mount["name"]]).items():
                # A file mounted by subPath is the target itself.
                place = target if mount.get("subPath") == file else target / file
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(self.here(content, name), "utf-8")
            if "emptyDir" in volumes[mount["name"]]:
                target.mkdir(parents=True, exist_ok=True)

    def _content(self, volume: Mapping[str, Any]) -> dict[str, str]:
        if "configMap" in volume:
            data: dict[str, str]
            data = one(self.objects, "ConfigMap", volume["configMap"]["name"])["data"]
            return data
        if "secret" not in volume:
            return {}
        secret = volume["secret"]
        encoded = one(self.objects, "Secret", secret["secretName"])["data"]
        every = [{"key": key, "path": key} for key in encoded]
        return {
            item["path"]: base64.b64decode(encoded[item["key"]]).decode()
            for item in secret.get("items", every)
        }

    def _command(self, name: str, container: Mapping[str, Any]) -> list[str]:
        program, *more = container.get("command", [""])
        start = _PROGRAMS[program] if program else _OWN_IMAGE
        return [*start, *(self.here(text, name) for text in [*more, *container.get("args", ())])]

    def _environment(self, name: str, container: Mapping[str, Any]) -> dict[str, str]:
        own = {it["name"]: self.here(it["value"], name) for it in container.get("env", ())}
        path = os.pathsep.join((str(self.folder / "bin"), os.environ["PATH"]))
        return {"PATH": path, **own}

    def _is_ready(self, name: str, probe: str) -> bool:
        assert self._processes[-1].poll() is None, self._log(name).read_text("utf-8")[-4000:]
        authority = self.folder / name / "etc/activity-center/tls/ca.crt"
        try:
            return requests.get(self.here(probe, name), timeout=5, verify=str(authority)).ok
        except requests.ConnectionError:
            return False

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"
