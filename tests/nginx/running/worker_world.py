"""Trees, permissions and sandboxes made at random, and what a worker inside of them answers."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAMES = ("index.html", "a", "b.css", "sub", "deep")
DIRECTORY_MODES = (0o755, 0o755, 0o755, 0o711, 0o750, 0o700, 0o744, 0o070, 0o000)
FILE_MODES = (0o644, 0o644, 0o644, 0o640, 0o600, 0o604, 0o040, 0o000)
OWNERS = ((0, 0), (0, 0), (0, 33), (33, 33), (5, 5))
ACLS = (
    *("u:www-data:r-x", "u:www-data:---", "g:www-data:r--", "g:games:r-x"),
    *("u:www-data:rwx,m::---", "u:games:rwx,m::r--", "u:www-data:r-x,m::--x"),
)
LINKS = ("index.html", "sub", "deep/b.css", "../TOP/sub/a", "/", "nowhere", "itself", "sub/")
LOCATIONS = """
    root {top};
    location /plain/ {{ alias {top}/; }}
    location /try/ {{ alias {top}/; try_files $uri $uri/ =410; }}
    location /list/ {{ alias {top}/; autoindex on; }}
    location /strict/ {{ alias {top}/; disable_symlinks on; autoindex on; }}
    location /owner/ {{ alias {top}/; disable_symlinks if_not_owner; try_files $uri $uri/ =410; }}
    location /below/ {{ alias {top}/; disable_symlinks on from={top}/sub; }}
    location /cached/ {{ alias {top}/; open_file_cache max=10; try_files $uri $uri/ =410; }}
    location /asked/ {{
        if (-f {top}/sub/a) {{ return 211; }}
        if (-e {top}/deep/link0) {{ return 212; }}
        if (-d {top}/deep/sub) {{ return 213; }}
        return 214;
    }}
"""
PREFIXES = ("/plain", "/try", "/list", "/strict", "/owner", "/below", "/cached", "")


@dataclass(frozen=True)
class WorkerWorld:
    """One tree below `top`; everything in it follows from `seed`."""

    top: Path
    seed: int

    def make(self) -> None:
        """Lay out the tree; its permissions come last, from the leaves up."""
        chance = random.Random(self.seed)
        made = list(self._directories())
        for folder in made:
            folder.mkdir(exist_ok=True)
        for folder in made:
            for name in ("index.html", "a", "b.css"):
                if chance.random() < 0.8:
                    (folder / name).write_text(str(folder / name))
                    made = [*made, folder / name]
            for number in range(2):
                target = chance.choice(LINKS).replace("TOP", self.top.name)
                link = folder / f"link{number}"
                link.symlink_to(f"link{number}" if target == "itself" else target)
                os.lchown(link, *chance.choice(OWNERS))
        for path in reversed(made):
            self._permit(path, chance)

    def _directories(self) -> Iterator[Path]:
        for folder in ("", "sub", "deep", "sub/sub", "deep/sub"):
            yield self.top / folder

    def _permit(self, path: Path, chance: random.Random) -> None:
        is_folder = path.is_dir()
        os.chown(path, *chance.choice(OWNERS))
        if path != self.top or chance.random() < 0.3:
            path.chmod(chance.choice(DIRECTORY_MODES if is_folder else FILE_MODES))
        if chance.random() < 0.3:
            command = ["setfacl", "-m", chance.choice(ACLS), str(path)]
            subprocess.run(command, check=True)

    def uris(self, count: int) -> list[str]:
        """Addresses below every location, of what is there and what is not."""
        chance = random.Random(self.seed + 1)
        names = ["", "a", "b.css", "index.html", "sub", "sub/", "deep", "deep/", "none", "none/"]
        names += ["link0", "link1", "link0/", "link0/a", "link1/sub/a", "sub/link0", "deep/link1"]
        names += [
            "sub/a",
            "sub/sub/",
            "deep/b.css",
            "deep/sub/a",
            "a/b",
            "deep/link0/",
            "sub/sub/a",
        ]
        chosen = [f"{chance.choice(PREFIXES)}/{chance.choice(names)}" for _ in range(count - 1)]
        return [*chosen, "/asked/"]

    def mounts(self) -> list[str]:
        """What a service's sandbox does to the tree, as commands of a private mount namespace."""
        chance = random.Random(self.seed + 2)
        top = self.top
        closed, blank = f"{top}.closed", f"{top}.blank"
        kinds = [
            f"mkdir -m 0 {closed} && mount --bind {closed} {top}/sub",  # InaccessiblePaths=
            f"touch {blank} && chmod 0 {blank} && mount --bind {blank} {top}/sub/a",  # of a file
            f"mount -t tmpfs -o mode=755 tmpfs {top}/deep",  # TemporaryFileSystem=, PrivateTmp=
            f"mount -t tmpfs -o mode=700 tmpfs {top}/deep",
            f"mount --bind {top}/sub {top}/deep",  # BindPaths=
            f"mount --bind {top}/sub {top}/deep && mount -o remount,ro,bind {top}/deep",
        ]
        chosen = chance.sample(kinds, chance.randint(0, 2))
        # What one of them hides, the other cannot mount over.
        return [f"{{ {command}; }} 2>&- || true" for command in chosen]


HOMES = ("/srv", "/var/www", "/home/web", "/tmp", "/root/web", "/opt/web")
"""Where the trees of a booted host lie: each of systemd's sandboxes hides another of them."""
CAPABILITIES = (
    "CAP_SETUID CAP_SETGID CAP_NET_BIND_SERVICE CAP_CHOWN CAP_DAC_OVERRIDE",
    "CAP_SETUID CAP_SETGID CAP_NET_BIND_SERVICE CAP_CHOWN CAP_DAC_READ_SEARCH",
    "~CAP_SYS_ADMIN CAP_SYS_PTRACE",
)


IDENTITIES = (
    *((), (), (), ("SupplementaryGroups=games",)),
    ("User=www-data",),
    ("User=www-data", "Group=games"),
    ("User=www-data", "SupplementaryGroups=games"),
    ("User=games",),
    ("User=www-data", "AmbientCapabilities=CAP_DAC_READ_SEARCH"),
    ("User=www-data", "PrivateUsers=yes"),
    ("User=www-data", "PrivateUsers=yes", "AmbientCapabilities=CAP_DAC_READ_SEARCH"),
    ("User=games", "PrivateUsers=yes", "AmbientCapabilities=CAP_DAC_OVERRIDE"),
    ("DynamicUser=yes",),
    ("DynamicUser=yes", "SupplementaryGroups=www-data games"),
)
"""Who the processes are: nginx started as root gives its workers other groups than its unit."""
RUN = "/run/hardened"
MAIN = f"""
user www-data;
worker_processes 2;
pid {RUN}/nginx.pid;
error_log {RUN}/error.log;
events {{ worker_connections 64; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {RUN}/body;
    proxy_temp_path {RUN}/proxy;
    fastcgi_temp_path {RUN}/fastcgi;
    uwsgi_temp_path {RUN}/uwsgi;
    scgi_temp_path {RUN}/scgi;
    include /etc/nginx/conf.d/tree.conf;
}}
"""
"""Of an nginx that any user can start: what it writes lies in the unit's own RuntimeDirectory=."""
SERVICE = (
    f"RuntimeDirectory={RUN.removeprefix('/run/')}",
    f"PIDFile={RUN}/nginx.pid",
    f"ReadWritePaths={RUN}",
)


def hardenings(top: Path, seed: int) -> list[str]:
    """Lines of a unit's [Service] section that change what its processes see, and who they are."""
    chance = random.Random(seed + 3)
    kinds = [
        f"ProtectHome={chance.choice(['yes', 'read-only', 'tmpfs'])}",
        f"ProtectSystem={chance.choice(['yes', 'full', 'strict'])}",
        f"InaccessiblePaths=-{top}/sub",
        f"InaccessiblePaths=-{top}/sub/a",
        f"InaccessiblePaths=-{top.parent}",
        f"TemporaryFileSystem={top}/deep",
        f"TemporaryFileSystem={top}/deep:ro,mode=0700",
        f"TemporaryFileSystem={top.parent}:ro\nBindReadOnlyPaths=-{top}",
        f"BindPaths=-{top}/sub:{top}/deep",
        f"BindReadOnlyPaths=-{top}/deep:{top}/sub",
        f"BindReadOnlyPaths=-{top}/sub/a:{top}/b.css",
        f"ReadOnlyPaths=-{top}",
        f"NoExecPaths=-{top}",
        "PrivateTmp=yes",
        "PrivateMounts=yes",
        "NoNewPrivileges=yes",
        "PrivateDevices=yes",
        "ProtectKernelTunables=yes",
        "ProtectControlGroups=yes",
        "ProtectProc=invisible",
        "ProtectProc=ptraceable\nProcSubset=pid",
        "RestrictSUIDSGID=yes\nLockPersonality=yes\nRestrictNamespaces=yes",
        "SystemCallFilter=@system-service",
        f"CapabilityBoundingSet={chance.choice(CAPABILITIES)}",
    ]
    identity = chance.choice(IDENTITIES)
    root = another_root(top, chance) if chance.random() < 0.2 else []
    return [*SERVICE, *identity, *root, *chance.sample(kinds, chance.randint(1, 3))]


def another_root(top: Path, chance: random.Random) -> list[str]:
    """A root of the unit's own, with the system in it, and the tree, a part of it, or neither."""
    root = Path("/opt/root")
    for name in ("usr", "etc", "var", "run", "tmp", "proc", "sys", "dev"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    shown = chance.choice([f"{top}", f"{top.parent}", f"{top}/sub:{top}", "/srv"])
    return [
        *(f"RootDirectory={root}", "MountAPIVFS=yes"),
        *("BindReadOnlyPaths=/usr /etc /var", f"BindReadOnlyPaths=-{shown}"),
    ]
