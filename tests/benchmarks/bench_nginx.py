"""How fast an nginx configuration is read and a request routed, beside other readers.

    python tests/benchmarks/bench_nginx.py [PYTHON_WITH_CROSSPLANE]

Each reader runs in a process of its own; CPU is user and system time of that
process without its start-up, memory its peak. `nginx -T` needs nginx; crossplane
(or its fork ngxparse, which installs the same name) an interpreter that has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUDGET_CPU_S = 0.25
BUDGET_RSS_MB = 60
BUDGET_ROUTE_MS = 0.2

SITE = """\
server {{
    listen 8080;
    server_name site{n}.example.com www.site{n}.example.com;
    root /var/www/site{n};
    location = /static {{
        return 301 /static/;
    }}
    location ^~ /static/ {{
        alias /var/www/site{n}/static/;
        add_header Cache-Control "public, max-age=604800";
        location ~ /\\. {{ return 404; }}
    }}
    # the application
    location / {{
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_pass http://unix:/run/site{n}.sock;
    }}
    access_log off;
    client_max_body_size 20m;
}}
"""

OURS = """
import resource, sys, time
from tests.support.real_nginx import DiskReader, RealFiles
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.router import Router
from reconcile.nginx.model.config_loader import load
start = time.process_time()
tree = load(sys.argv[1], DiskReader())
read = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
router = Router(tree)
ask = [Request("/static/a.css", f"site{n}.example.com", Address("127.0.0.1", 8080))
       for n in range(int(sys.argv[2]))]
for request in ask: router.route(request, RealFiles())
start = time.process_time()
for request in ask: router.route(request, RealFiles())
print(read, peak, (time.process_time() - start) / len(ask) * 1000)
"""

CROSSPLANE = """
import crossplane, resource, sys, time
start = time.process_time()
crossplane.parse(sys.argv[1])
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def configuration(folder: Path, sites: int) -> Path:
    """One file with so many server blocks, that nginx accepts."""
    temp = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    servers = "".join(SITE.format(n=n) for n in range(sites))
    head = f"pid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{temp}"
    size = "server_names_hash_max_size 65536;\nserver_names_hash_bucket_size 128;\n"
    config = folder / f"{sites}.conf"
    config.write_text(f"{head}{size}{servers}}}\n")
    return config


def measured(argv: list[str]) -> list[float]:
    """The numbers that a reader prints of itself, the best of three runs."""
    runs = [
        subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    return min([float(number) for number in run] for run in runs)


def nginx_dump(config: Path) -> list[float]:
    """CPU seconds and peak MB of `nginx -T`."""
    argv = ["/usr/sbin/nginx", "-T", "-q", "-c", str(config), "-p", f"{config.parent}/"]
    process = subprocess.Popen(
        [*argv, "-e", "stderr"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"nginx refuses {config}")
    return [usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]


def main(crossplane_python: str | None) -> None:
    print(f"budget: {BUDGET_CPU_S} s, {BUDGET_RSS_MB} MB, {BUDGET_ROUTE_MS} ms (1,000 sites)")
    print(f"{'sites':>6} {'lines':>8} {'reader':<12} {'CPU s':>7} {'MB':>6} {'ms/route':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for sites in (1_000, 5_000):
            config = configuration(Path(folder), sites)
            lines = config.read_bytes().count(b"\n")
            rows = {
                "reconcile": measured([sys.executable, "-c", OURS, str(config), str(sites)]),
                "nginx -T": nginx_dump(config),
            }
            if crossplane_python:
                rows["crossplane"] = measured([crossplane_python, "-c", CROSSPLANE, str(config)])
            for reader, (cpu, peak, *route) in rows.items():
                each = f"{route[0]:9.3f}" if route else ""
                print(f"{sites:6} {lines:8} {reader:<12} {cpu:7.3f} {peak:6.1f} {each}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
