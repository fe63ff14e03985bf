"""Plans and reports that show everything a plan can show."""

from __future__ import annotations

from typing import Any, Literal

from reconcile.engine.model import (
    BehaviourChange,
    Change,
    Check,
    ConfigOrigin,
    Conflict,
    FieldChange,
    Finding,
    Plan,
    Position,
    Ref,
    Report,
    Resource,
    Unknown,
)

SITE = "/etc/nginx/sites-available/shop.conf"
OLD_CONFIG = "server {\n" + "    # line\n" * 8 + "    listen 80;\n}\n"
NEW_CONFIG = OLD_CONFIG.replace("listen 80;", "listen 8080;")


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
            "404 from gunicorn",
            "file, Cache-Control: public, max-age=604800",
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
    Check("probe:GET http://shop.example/static/health.txt over v4", "pass", "200 from nginx"),
    Check("probe:GET http://shop.example/media/ over v4", "fail", "expected 200, got 403"),
    Check("probe:GET http://shop.example/static/health.txt over v6", "skipped", "no IPv6"),
    Check("probe:upload", "unknown", "no answer within 5 s"),
)
APPLIED = Report(plan=EVERYTHING, result="applied", done=EVERYTHING.changes, checks=CHECKS[:1])
ROLLED_BACK = Report(
    plan=EVERYTHING,
    result="rolled_back",
    done=(CREATED,),
    checks=CHECKS,
    error="Verification failed",
    why="expected 200, got 403",
    fix="Let www-data enter /srv. The host is as it was.",
    notes=("/var/www/old was not removed: it is not empty",),
)
