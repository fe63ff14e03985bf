"""Plans and reports that show everything a plan can show, and the first plan of a small site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from reconcile.dataclass import dataclass
from reconcile.engine.apply_report import Report
from reconcile.engine.behaviour_change import BehaviourChange, Glance
from reconcile.engine.checks import failed_checks, failure_reasons
from reconcile.engine.model import (
    Change,
    Check,
    ConfigOrigin,
    Conflict,
    FieldChange,
    Finding,
    Plan,
    Position,
    Ref,
    Resource,
    Unknown,
)
from reconcile.filesystem.sync.sync_diff import SyncDiff
from reconcile.resources.assets import Assets
from reconcile.resources.assets_differences import Difference
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.nginx_live import NginxLive
from reconcile.resources.service import Service
from reconcile.resources.symlink import Symlink
from reconcile.resources.unit import Unit

SITE = "/etc/nginx/sites-available/shop.conf"
OLD_CONFIG = "server {\n" + "    # line\n" * 8 + "    listen 80;\n}\n"
NEW_CONFIG = OLD_CONFIG.replace("listen 80;", "listen 8080;")


@dataclass(frozen=True, kw_only=True)
class Thing(Resource):
    """A resource that is only shown."""

    kind: Literal["file"] = "file"
    path: str
    mode: str | None = None
    content: str | None = None
    metadata_fields = frozenset({"kind", "path"})

    @property
    def name(self) -> str:
        return self.path


def change(
    path: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    *fields: FieldChange,
    **more: Any,
) -> Change:
    made = [None if side is None else Thing(path=path, **side) for side in (before, after)]
    return Change(Ref("file", path), *made, fields=fields, **more)


CREATED = change(
    "/var/www/shop/static/health.txt",
    None,
    {"mode": "0644", "content": "ok\n"},
    sites=("shop",),
    reason="declared and absent",
    positions=(Position("reconcile.yaml", 7),),
)
UPDATED = change(
    SITE,
    {"mode": "0600", "content": OLD_CONFIG},
    {"mode": "0644", "content": NEW_CONFIG},
    FieldChange("mode", "0600", "0644", "drift"),
    FieldChange("content", OLD_CONFIG, NEW_CONFIG, "pending"),
    cause="both",
    reason="changed since the last apply, and in the YAML",
    sites=("shop",),
    positions=(Position("reconcile.yaml", 3), Position("reconcile.yaml", 9)),
)
SECRET = change(
    "/etc/shop/app.env",
    {"content": "TOKEN=old"},
    {"content": "TOKEN=new"},
    FieldChange("content", "TOKEN=old", "TOKEN=new", "drift", sensitive=True),
    cause="drift",
    reason="changed since the last apply",
)
DESTROYED = change("/etc/nginx/sites-enabled/old.conf", {}, None, reason="no longer declared")
STRUCTURED = change(
    "/var/www/shop/media",
    {},
    {},
    FieldChange("enterable_by", [], ["www-data"], "drift"),
    FieldChange("serves", {"a.conf": "x", "b.conf": "y"}, {"a.conf": "x", "b.conf": "z"}, "drift"),
    FieldChange("enabled", False, True, "drift"),
    cause="drift",
)
EVERYTHING = Plan(
    host="web1",
    changes=(CREATED, UPDATED, SECRET, STRUCTURED, DESTROYED),
    fingerprint="sha256:abc",
    unknown=(Unknown(Ref("service", "shop.service"), "systemctl did not answer within 5 s"),),
    findings=(
        Finding(
            "default-server-capture",
            "warning",
            "Requests by address are answered by another site",
            ("/etc/nginx/sites-enabled/default:22: listen 80 default_server",),
            "Remove the default site.",
        ),
    ),
    behaviour_changes=(
        BehaviourChange(
            "GET http://shop.example/static/css/app.css",
            "proxied to http://unix:/run/gunicorn.sock",
            "file /var/www/shop/static/css/app.css, Cache-Control: public, max-age=604800",
            Glance(
                "http://shop.example",
                "GET /static/css/app.css",
                "proxied to unix:/run/gunicorn.sock",
                "200, Cache-Control: public, max-age=604800",
            ),
        ),
    ),
    ignored=2,
    config=ConfigOrigin("reconcile.yaml", "sha256:def"),
)
CONFLICTING = Plan(
    host="web1",
    changes=(),
    fingerprint="sha256:abc",
    conflicts=(
        Conflict(
            Ref("directory", "/var/www"),
            "mode",
            ('"0755"', '"0700"'),
            (Position("reconcile.yaml", 4), Position("reconcile.yaml", 12)),
        ),
        Conflict(
            Ref("assets", "/srv/alias"),
            "name",
            ("written by this", "protected: /var/www/media, of which this is another name"),
            (Position("reconcile.yaml", 7),),
        ),
    ),
)
CLEAN = Plan(host="web1", changes=(), fingerprint="sha256:abc")
HOSTILE = Plan(
    host="web1",
    changes=(
        change(
            "/srv/\x1b[2J\u202e\udcff\nname",
            {},
            {},
            FieldChange("owner", "\x1b]0;pwned\x07", "root", "drift"),
            FieldChange("content", "a\n", "a\n\x1b[31mb\n", "drift"),
            cause="drift",
            reason="line\nbreak",
        ),
    ),
    fingerprint="sha256:abc",
)
CHECKS = (
    Check("probe:shop GET /static/health.txt over IPv4", "pass", "200 from nginx"),
    Check("probe:shop GET /media/ over IPv4", "fail", "expected 200, got 403"),
    Check("probe:shop GET /media/ over IPv6", "fail", "expected 200, got 403"),
    Check("probe:shop GET /static/health.txt over IPv6", "skipped", "no IPv6"),
    Check("probe:shop POST /upload", "unknown", "no answer within 5 s"),
)
APPLIED = Report(plan=EVERYTHING, result="applied", done=EVERYTHING.changes, checks=CHECKS[:1])
ROLLED_BACK = Report(
    plan=EVERYTHING,
    result="rolled_back",
    done=(CREATED,),
    checks=CHECKS,
    error="Verification failed: 3 of 5 checks.",
    why=failure_reasons(failed_checks(CHECKS)),
    fix="Let www-data enter /srv. The host is as it was.",
    notes=("/var/www/old was not removed: it is not empty",),
)


def made(resource: Resource, *, line: int = 3) -> Change:
    places = (Position("reconcile.yaml", line),)
    return Change(
        resource.ref,
        None,
        resource,
        reason="does not exist yet",
        sites=("myapp",),
        positions=places,
    )


def noticed(
    request: str, before: str, after: str, *, usual: bool = True, server: str = "example.com"
) -> BehaviourChange:
    glance = Glance(f"http://{server}", request, before, after, was_default=True, is_usual=usual)
    return BehaviourChange(request.replace(" ", f" http://{server}"), before, after, glance)


ROOTS = {"user": "root", "group": "root", "mode": 0o755}
VISITORS = {"user": "www-data", "group": "www-data", "mode": 0o755}
AVAILABLE = "/etc/nginx/sites-available/myapp.conf"
ENABLED = "/etc/nginx/sites-enabled/myapp.conf"
UNITS = "/etc/systemd/system"
STATIC = "/var/www/myapp/static"
SITE_TEXT = b"# Managed by reconcile (site myapp)\n" + b"    # a line\n" * 80
UNIT_TEXT = "# Managed by reconcile: edits here are replaced at the next apply.\n" + "Nice=0\n" * 50


def live(before: Mapping[str, str], after: Mapping[str, str], because: str) -> Change:
    """What nginx has loaded, as against what it is to load."""
    there, asked = (
        NginxLive(config="/etc/nginx/nginx.conf", serves=dict(m)) for m in (before, after)
    )
    fields = (FieldChange("serves", dict(before), dict(after)),)
    return Change(there.ref, there, asked, reason=because, fields=fields)


FIRST = Plan(
    host="web1",
    changes=(
        made(Directory(path="/var/www/myapp", **ROOTS)),
        made(Directory(path="/var/www/myapp/media", **VISITORS)),
        made(Directory(path=STATIC, **ROOTS)),
        made(File(path=AVAILABLE, content=SITE_TEXT, **(ROOTS | {"mode": 0o644}))),
        made(Symlink(path=ENABLED, target=AVAILABLE)),
        made(Assets(path=STATIC, source="/etc/reconcile/app/static", user="root", group="root")),
        made(Unit(path=f"{UNITS}/gunicorn-myapp.service", content=UNIT_TEXT)),
        made(Unit(path=f"{UNITS}/gunicorn-myapp.socket", content="[Socket]\n" * 13)),
        made(Service(unit="gunicorn-myapp.socket", enabled=True, active=True, runs="sha256:a")),
        made(Service(unit="gunicorn-myapp.service", enabled=True, active=True, runs="sha256:b")),
        live({}, {AVAILABLE: "sha256:c"}, f"reload: nginx has not loaded {AVAILABLE}"),
    ),
    fingerprint="sha256:abc",
    behaviour_changes=(
        noticed("GET /", "200", "proxied to unix:/run/gunicorn-myapp.sock"),
        noticed("GET /static/css/app.css", "404", "200, Cache-Control: public, max-age=604800"),
        noticed("GET /static/", "404", "403", usual=False),
        noticed("GET /static/.env", "404", "404", usual=False),
        noticed("GET /media/*", "404", "200, Cache-Control: public, max-age=86400"),
        noticed("GET /", "200", "404", usual=False, server="127.0.0.1"),
    ),
)
GONE = Plan(
    host="web1",
    changes=(
        Change(Ref("symlink", ENABLED), Symlink(path=ENABLED, target=AVAILABLE), None),
        Change(Ref("file", AVAILABLE), File(path=AVAILABLE), None),
        live({AVAILABLE: "sha256:c"}, {}, f"reload: nginx still has {AVAILABLE} loaded"),
        Change(Ref("assets", STATIC), Assets(path=STATIC, total=12), None),
    ),
    fingerprint="sha256:abc",
)
COPIED = Assets(
    path=STATIC,
    source="/etc/reconcile/app/static",
    prune=True,
    differences=(
        Difference("css/app.css", "different content (354 -> 7 bytes)", "source", "update"),
        Difference("js/new.js", "missing (80 bytes)", "source", "create"),
        Difference("old.txt", "not in the source", "source", "delete"),
    ),
    diff=SyncDiff(extraneous=["old.txt"]),
    differing=3,
)
PRUNED = Plan(
    host="web1",
    changes=(
        Change(
            COPIED.ref,
            COPIED,
            replace(COPIED, differences=()),
            reason="the source files changed",
            fields=(FieldChange("differences", COPIED.display()["differences"], []),),
        ),
    ),
    fingerprint="sha256:abc",
)
