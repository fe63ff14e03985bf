"""What `reconcile verify` takes beside waiting for answers, on a booted host with many sites.

    python tests/benchmarks/bench_verify.py [RUNS]

Ten sites with 1,000 files each, half static and half uploaded, and logs that are full. The whole
command is timed, and the time in which the probes wait is taken off. Ends with 1 where the median
is above the limit. Needs what the tests on hosts need: root and Debian's packages.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

# A script has its own folder on the path, and not the checkout.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.lab import DebianHost, Lab, images

LIMIT_S = 2.0
SITES = 10
FILES = 500
"""Static ones of each site, and as many uploads."""
SITE = """
  s{n}:
    server_names: [s{n}.test]
    app:
      upstream: "unix:/run/s{n}.sock"
      service: s{n}.service
      user: www-data
      gunicorn: {{directory: /srv/app, python: /opt/apps-venv/bin/python, module: "app:app", workers: 1}}
    locations:
      /static/: {{role: static, dir: /var/www/s{n}/static, source: /srv/source}}
      /media/:  {{role: media, dir: /var/www/s{n}/media}}
"""  # noqa: E501  # one line of YAML
APP = """
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
FILL = f"""
mkdir -p /srv/source
for n in $(seq {FILES}); do echo "/* $n */" >/srv/source/$n.css; done
"""
FILL_HOST = f"""
for site in /var/www/s*; do
  for n in $(seq {FILES}); do echo upload >$site/media/$n.txt; done
  chown www-data:www-data $site/media/*
done
line='2026/11/22 08:00:00 [error] 7#7: *1 open() "/var/www/s1/static/x" failed (2: No such file)'
for n in $(seq 4000); do echo "$line"; done >>/var/log/nginx/error.log
"""
# Runs the command as people do, and tells on stderr how long it took and how long it waited.
TIMED = """
import sys, time
began, waited = time.perf_counter(), 0.0
from reconcile.cli.main import main
from reconcile.workspace import checking
asking = checking.verify_sites
def verify(workspace, sites=None):
    global waited
    start = time.perf_counter()
    try:
        return asking(workspace, sites)
    finally:
        waited = time.perf_counter() - start
checking.verify_sites = verify
sys.argv = ["reconcile", "verify"]
code = main()
print(time.perf_counter() - began, waited, file=sys.stderr)
sys.exit(code)
"""


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    lab = Lab(images.layers())
    try:
        host = lab.boot("bench")
        laid_out(host)
        timed(host)  # leaves the bytecode
        told = [timed(host) for _ in range(runs)]
    finally:
        lab.close()
    own = statistics.median(whole - waited for whole, waited in told)
    waited = statistics.median(waited for _, waited in told)
    print(
        f"{'ok  ' if own <= LIMIT_S else 'SLOW'} verify, {SITES} sites, {SITES * FILES * 2} files:"
        f" {own:.2f} s (limit {LIMIT_S} s), and {waited:.2f} s until all probes were answered"
    )
    return 0 if own <= LIMIT_S else 1


def laid_out(host: DebianHost) -> None:
    host.write("/srv/app/app.py", APP)
    host.write("/etc/reconcile/reconcile.yaml", "".join(yaml()))
    host.run("sh", "-ec", FILL)
    host.reconcile("apply", "--auto-approve", check=True, timeout_s=120)
    host.run("sh", "-ec", FILL_HOST)


def yaml() -> Iterator[str]:
    yield "version: 1\nsites:"
    yield from (SITE.format(n=n) for n in range(SITES))


def timed(host: DebianHost) -> tuple[float, float]:
    """How long one run took, and how much of it the probes; in seconds."""
    done = host.run("/opt/reconcile/bin/python", "-c", TIMED, cwd="/etc/reconcile")
    whole, waited = map(float, done.stderr.split()[-2:])
    return whole, waited


if __name__ == "__main__":
    sys.exit(main())
