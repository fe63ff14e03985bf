"""A host that is only files: an image being built, with an nginx of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconcile.engine.apply_report import Report
from reconcile.engine.selection import Selection
from reconcile.workspace import Workspace
from reconcile.workspace.applying import ApplyOptions, apply_plan, locked
from reconcile.workspace.planning import plan_changes

SITE = """
  {name}:
    server_names: [{name}.example]
    listen: [{port}]
    app: {{upstream: "http://127.0.0.1:9"}}
    locations:
      /static/: {{role: static, dir: {root}/www/{name}, source: {root}/app}}
"""
UNCHECKED = ApplyOptions(verify=False)


class Image:
    """A host that is only files: an image being built, with an nginx of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "nginx" / "conf.d").mkdir(parents=True)
        (root / "nginx" / "nginx.conf").write_text(
            f"pid {root}/nginx.pid;\nevents {{}}\nhttp {{ include conf.d/*.conf; }}\n"
        )
        (root / "app").mkdir()
        (root / "app" / "site.css").write_text("body {}\n")

    def declare(self, paths: str = "", **sites: int) -> Workspace:
        """The workspace of a file that has these sites, each on its port, and `paths`."""
        file = self.root / "reconcile.yaml"
        written = "".join(
            SITE.format(name=name, port=port, root=self.root) for name, port in sites.items()
        )
        file.write_text(
            f"version: 1\nhost:\n  nginx: {{config: {self.root}/nginx/nginx.conf}}\n"
            f"  service_manager: none\n  state_dir: {self.root}/state\n"
            + (f"sites:{written}" if sites else "")
            + (f"paths:\n{paths}" if paths else "")
        )
        return Workspace.open(str(file))

    def declare_media(self, static: str, media: str) -> Workspace:
        """The workspace of one site that prunes what it ships, and has uploads beside it."""
        workspace = self.declare(shop=8001)
        file = Path(workspace.config.file)
        head, _, _ = file.read_text().partition("      /static/")
        shipped = f"role: static, dir: {self.root}/{static}, source: {self.root}/app, prune: true"
        lines = [f"      /static/: {{{shipped}}}"] if static else []
        lines += [f"      /media/: {{role: media, dir: {self.root}/{media}}}"] if media else []
        file.write_text(head + "\n".join(lines) + "\n")
        return Workspace.open(str(file))

    def upload(self, folder: str) -> Path:
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        path = self.root / folder / "cat.jpg"
        path.write_bytes(b"a cat")
        return path

    def apply(self, workspace: Workspace, selection: Selection = Selection()) -> str:
        return self.report(workspace, selection).result

    def report(self, workspace: Workspace, selection: Selection = Selection()) -> Report:
        """The whole report of an apply."""
        with locked(workspace, "reconcile apply") as current:
            plan = plan_changes(current, selection)
            options = replace(UNCHECKED, selection=selection)
            return apply_plan(current, plan, "reconcile apply", options=options)

    def site_file(self, name: str) -> Path:
        return self.root / "nginx" / "conf.d" / f"{name}.conf"
