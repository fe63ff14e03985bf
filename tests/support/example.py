"""The examples as they stand, but for their places: a folder of the test's own."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class TlsPort:
    """A port for HTTPS, and the certificate and key that every site gets."""

    port: int
    certificate: Path
    key: Path


class Example:
    """A copy of an example, applied to the host of the demo."""

    def __init__(self, name: str, demo: DemoHost, run: Run, tls: TlsPort | None = None) -> None:
        self.demo, self.run, self.tls = demo, run, tls
        self.folder = Path(demo.root) / "srv"
        shutil.copytree(EXAMPLES / name, self.folder)
        text = (EXAMPLES / name / "reconcile.yaml").read_text()
        deployed = re.search(r"cp -r [.] (/srv/[\w-]+)", text)
        app_folder = deployed[1] if deployed else "/srv/none"
        for path in self.folder.rglob("*.py"):
            path.write_text(path.read_text().replace("/var/www", f"{demo.root}/www"))
        text = text.replace(app_folder, str(self.folder)).replace("/var/www", f"{demo.root}/www")
        self.values = self._adjusted(yaml.safe_load(text))
        self.file = self.folder / "reconcile.yaml"

    def _adjusted(self, values: dict[str, Any]) -> dict[str, Any]:
        """The same file for a host without root's places."""
        demo = yaml.safe_load(Path(self.demo.file).read_text())
        sock = f"unix:{self.demo.root}/run/app.sock"
        for site in values["sites"].values():
            site["listen"] = [self.demo.port]
            if self.tls:
                self._encrypt(site, self.tls)
            for location in site.get("locations", {}).values():
                if "upstream" in location:
                    location["upstream"] = sock
            app = site.get("app")
            if app:
                user = demo["sites"]["demo"]["app"]["user"]
                app |= {"upstream": sock, "service": "demo.service", "user": user}
                app["gunicorn"] |= {"python": sys.executable, "workers": 1}
                # Doctor imports no app as root, which runs this one.
                app.pop("django", None)
        return {**values, "host": demo["host"], "owners": demo["owners"]}

    @staticmethod
    def _encrypt(site: dict[str, Any], tls: TlsPort) -> None:
        """HTTPS beside HTTP, unless the example redirects from there."""
        site["listen"].append(f"{tls.port} ssl")
        given = site.get("tls", {"redirect": False})
        site["tls"] = {**given, "certificate": str(tls.certificate), "key": str(tls.key)}

    def collect_static(self) -> None:
        """What the header of Django's example has done before the apply."""
        collect = [sys.executable, "manage.py", "collectstatic", "--noinput"]
        subprocess.run(collect, cwd=self.folder, check=True, capture_output=True, timeout=120)

    def apply(self) -> None:
        """Apply, which verifies; `run` plans again, and finds nothing to do."""
        self.file.write_text(yaml.safe_dump(self.values, sort_keys=False))
        done = self.run("apply", "--auto-approve", cwd=self.folder)
        assert 0 == done.returncode, done.stdout + done.stderr

    def ask(
        self, host: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.demo.port, timeout=20)
        connection.request("GET", path, headers={"Host": host, **(headers or {})})
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read().decode()
        connection.close()
        return found
