"""What recipes need on a host beside Nginx, as one more layer of the lab's image."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.lab import images
from tests.lab.cache import built_once

PACKAGES = (
    *("crun", "podman", "python3-celery", "python3-django", "python3-redis", "python3-uvicorn"),
    *("python3-websockets", "redis-server"),
)
INSTALL = f"""
apt-get --quiet update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \\
  {" ".join(PACKAGES)}
systemctl disable redis-server
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*
cp -r /mnt /opt/wheels
"""


def layers() -> list[Path]:
    """Those of a host, with the packages of the recipes and Python's wheels in /opt/wheels."""
    project, dependencies, base = images.layers()

    def build(folder: Path) -> None:
        wheels = dependencies.parent / "wheels"
        images.layer_with(INSTALL, folder / "layer", [base], wheels)

    names = "\0".join((base.parent.name, dependencies.parent.name, INSTALL))
    image = built_once(f"recipes-{hashlib.sha256(names.encode()).hexdigest()[:16]}", build)
    return [project, dependencies, image / "layer", base]
