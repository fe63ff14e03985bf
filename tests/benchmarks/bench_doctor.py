"""How long `reconcile doctor` takes on a host with many sites and files, as a whole process.

    python tests/benchmarks/bench_doctor.py [RUNS]

An nginx of its own, in a folder below /tmp, serves the sites; the doctor asks it, compares the
static files with their sources and looks at every file. Ends with 1 where the limit is missed.
Needs the package installed, nginx, and root.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SITES, FILES = 10, 10_000
MOST_S = 2.0
RECONCILE = f"{os.path.dirname(sys.executable)}/reconcile"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

MAIN = """\
user www-data;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include {root}/conf.d/*.conf;
}}
"""
SITE = """\
server {{
    listen 127.0.0.1:{port};
    server_name site{n}.test;
    location = /static {{ return 301 /static/; }}
    location ^~ /static/ {{
        alias {root}/www/site{n}/static/;
        location ~ /\\. {{ return 404; }}
    }}
    location ^~ /media/ {{
        alias {root}/www/site{n}/media/;
        location ~ /\\. {{ return 404; }}
    }}
}}
"""
HOST = """\
version: 1
host:
  nginx: {{config: {root}/nginx.conf, binary: {nginx}}}
  service_manager: none
  state_dir: {root}/state
sites:
"""
DECLARED = """\
  site{n}:
    server_names: [site{n}.test]
    listen: [{port}]
    locations:
      /static/: {{role: static, dir: {root}/www/site{n}/static, source: {root}/src/site{n}}}
      /media/: {{role: media, dir: {root}/www/site{n}/media}}
"""


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    root = tempfile.mkdtemp(prefix="reconcile-bench-")
    try:
        Path(root).chmod(0o755)
        lay_out(Path(root))
        nginx = subprocess.Popen((NGINX, "-g", "daemon off;", "-c", f"{root}/nginx.conf"))
        try:
            wait_for(f"{root}/nginx.pid")
            return measured(root, runs)
        finally:
            nginx.terminate()
            nginx.wait()
    finally:
        shutil.rmtree(root)


def wait_for(path: str) -> None:
    until = time.monotonic() + 10
    while not os.path.exists(path) and time.monotonic() < until:
        time.sleep(0.02)


def lay_out(root: Path) -> None:
    """Sites and files in `root`."""
    port = free_port()
    (root / "conf.d").mkdir()
    (root / "nginx.conf").write_text(MAIN.format(root=root))
    declared = HOST.format(root=root, nginx=NGINX)
    for n in range(SITES):
        text = SITE.format(root=root, n=n, port=port)
        (root / f"conf.d/site{n}.conf").write_text(text)
        declared += DECLARED.format(root=root, n=n, port=port)
        for folder in (f"src/site{n}", f"www/site{n}/media"):
            (root / folder).mkdir(parents=True)
            for number in range(FILES // SITES // 2):
                (root / folder / f"{number}.txt").write_text(f"{n} {number}\n" * 20)
        shutil.copytree(root / f"src/site{n}", root / f"www/site{n}/static")
    (root / "reconcile.yaml").write_text(declared)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass(frozen=True)
class Run:
    seconds: float
    cpu_seconds: float
    told: dict[str, list[object]]


def measured(root: str, runs: int) -> int:
    """Print a line; 1 where the limit is missed. CPU time is what other work disturbs least."""
    command = (RECONCILE, "doctor", "--json", "-f", f"{root}/reconcile.yaml")
    timed(command)  # leaves the bytecode
    every = [timed(command) for _ in range(runs)]
    took_s = statistics.median(run.seconds for run in every)
    cpu_s = statistics.median(run.cpu_seconds for run in every)
    told = every[-1].told
    print(
        f"doctor, {SITES} sites, {FILES} files, {told['rules']} rules,"
        f" {len(told['findings'])} findings, {len(told['unknown'])} unknown:"
        f" {took_s:.2f} s (limit {MOST_S:.1f} s), {cpu_s:.2f} s of CPU time"
    )
    return 0 if took_s <= MOST_S else 1


def timed(command: tuple[str, ...]) -> Run:
    before, began = _cpu_s(), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    seconds = time.monotonic() - began
    return Run(seconds, _cpu_s() - before, json.loads(done.stdout))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
