"""What once broke a law: the smallest way to each, found by the random ones."""

from __future__ import annotations

from reconcile.engine.selection import Selection
from tests.laws.box import Event, Yaml
from tests.laws.generated import Step


def step(
    *events: Event,
    paths: Yaml | None = None,
    sites: Yaml | None = None,
    selection: Selection = Selection.ALL,
) -> Step:
    """A step to a YAML of these sections, or to a part of it."""
    return Step(events, {"paths": paths or {}, "sites": sites or {}}, selection)


def site(app: Yaml | None = None, extra: str = "", **locations: Yaml) -> Yaml:
    """A site `a`, its locations by the names of their URLs."""
    served = {f"/{name}/": location for name, location in locations.items()}
    more = {"app": app} if app else {}
    return {"a": {"server_names": ["a.test"], "locations": served, "extra": extra, **more}}


GUNICORN = {"directory": "/srv/app", "python": "/usr/bin/python3", "module": "app:app"}
WORKER = {"command": ["/usr/bin/python3", "-V"], "user": "www-data"}
VENDOR = {"upstream": "http://127.0.0.1:8001", "service": "vendor.service"}
ENVIRONMENT = {"@/etc/web.env": {"link": "@/etc/real.env"}, "@/etc/real.env": {"content": "one\n"}}
DROPIN = {
    "@/units/vendor.service.d/x.conf": {"link": "@/etc/x.conf"},
    "@/etc/x.conf": {"content": "one\n"},
}
VERSIONS = {"@/etc/v1/app.env": {"content": "1\n"}, "@/etc/v2/app.env": {"content": "2\n"}}
CONFIGURED = {
    "gunicorn": {**GUNICORN, "environment_file": "@/etc/app/app.env"},
    "service": "web.service",
}

KEPT = {"@/www/static": {"owner": "assets"}}

ROWS: dict[str, list[Step]] = {
    "a link in nginx's tree that leads nowhere": [
        step(paths={"@/nginx/conf.d/own.conf": {"link": "@/etc/none.conf"}})
    ],
    "a link in nginx's tree, and no site": [
        step(paths={"@/nginx/conf.d/own.conf": {"link": "@/etc/hand.conf"}}),
        step(),
    ],
    "another user's folder, and its parent given away": [
        step(
            paths={"@/www": {"owner": {"user": "daemon"}}},
            sites=site(media={"role": "private", "dir": "@/www/media"}),
        )
    ],
    "a symlink in a folder that is given away": [
        step(
            ("move", "www/media", "rel1/moved"),
            paths={
                "@/www/media/2026/readme.txt": {"content": "two\n"},
                "@/www": {"owner": {"user": "daemon"}},
            },
        )
    ],
    "a dangling link above a file": [
        step(
            ("link", "www/static", "www/real"),
            paths={"@/www/static/health.txt": {"content": "one"}},
        )
    ],
    "a source that the same plan removes": [
        step(paths={"@/www/static/css": {"owner": "assets"}}),
        step(
            sites=site(
                files={"role": "static", "dir": "@/www/shop", "source": "@/www/static"},
            )
        ),
    ],
    "a source of which the same plan removes a copy": [
        step(
            paths=KEPT,
            sites=site(static={"role": "static", "dir": "@/www/static/css", "source": "@/src"}),
        ),
        step(
            paths=KEPT,
            sites=site(
                files={
                    "role": "static",
                    "dir": "@/www/shop",
                    "source": "@/www/static",
                    "prune": True,
                },
            ),
        ),
        step(),
    ],
    "a folder of a copy that gets another owner and a file of its own": [
        step(
            paths={"@/www/media/2026/readme.txt": {"source": "@/src.env"}},
            sites=site(
                media={
                    "role": "static",
                    "dir": "@/www/media",
                    "owner": {"user": "daemon"},
                    "source": "@/src/css",
                }
            ),
        )
    ],
    "a folder behind a link gets an owner, and is rolled back": [
        step(("move", "www", "rel1/moved"), paths={"@/www": {"owner": "uploads"}})
    ],
    "a link that becomes a folder": [
        step(paths={"@/www/static/css": {"link": "@/www/media"}}),
        step(paths={"@/www/static/css/extra.css": {"content": "one"}}),
    ],
    "a file that becomes a folder, and a link": [
        step(paths={"@/www/shop": {"content": "one"}}),
        step(paths={"@/www/shop/extra.css": {"content": "one"}}),
        step(paths={"@/www/shop": {"link": "@/www/media"}}),
        step(paths={"@/www/shop": {"content": "two"}}),
    ],
    "a copy that a link leads into its own source": [
        step(
            ("link", "www/shop", "rel1"),
            sites=site(
                files={
                    "role": "static",
                    "dir": "@/www/shop",
                    "source": "@/rel1/static",
                    "prune": True,
                }
            ),
        )
    ],
    "a copy behind a link in a folder that is given away": [
        step(paths={"@/www/static/css": {"link": "@/rel2"}}),
        step(
            paths={"@/www/static": {"owner": {"user": "daemon"}}},
            sites=site(
                media={"role": "media", "dir": "@/www/media"},
                static={"role": "static", "dir": "@/www/static/css", "source": "@/src/css"},
            ),
        ),
    ],
    "a snippet whose site goes": [
        step(
            paths={"@/nginx/snippets/headers.conf": {"content": "# one\n"}},
            sites=site(
                extra="include @/nginx/snippets/*.conf;",
                media={"role": "media", "dir": "@/www/media"},
            ),
        ),
        step(paths={"@/nginx/snippets/headers.conf": {"content": "# one\n"}}),
    ],
    "a folder is removed below one that gets setgid, and is rolled back": [
        step(paths={"@/www/static/css": {"owner": "assets"}}),
        step(paths={"@/www": {"owner": {"dirs": "2775"}}}),
    ],
    "a folder that its mode closes to nginx": [
        step(
            paths={"@/www": {"owner": {"dirs": "0750"}}},
            sites=site(static={"role": "static", "dir": "@/www/static/css", "source": "@/src/css"}),
        )
    ],
    "a mount behind a link": [
        step(paths={"@/www/static/css": {"link": "@/rel2"}}),
        step(("bind", "rel1", "www/static/css")),
    ],
    "a link in the place of a folder above uploads": [
        step(sites=site(media={"role": "media", "dir": "@/www/shop/assets"})),
        step(paths={"@/www/shop": {"link": "@/rel1"}}),
    ],
    "a file of its own in the place of a copy's health file": [
        step(
            paths={"@/www/static/health.txt": {"source": "@/src.env"}},
            sites=site(static={"role": "static", "dir": "@/www/static", "source": "@/src"}),
        )
    ],
    "a link in the place of a folder whose file is not selected": [
        step(paths={"@/www/shop/assets/app.js": {"source": "@/src.env"}}),
        step(
            paths={"@/www/shop": {"link": "@/src/css"}}, selection=Selection(excludes=("file:*",))
        ),
    ],
    "one site selected, while another is no longer declared": [
        step(sites={"b": {"server_names": ["b.test"], "extra": "return 204;"}}),
        step(sites=site(extra="return 204;"), selection=Selection(sites=("a",))),
    ],
    "a site selected that is no longer declared": [
        step(sites=site(extra="return 204;")),
        step(selection=Selection(sites=("a",))),
    ],
    "a service whose unit cannot be enabled": [
        step(
            ("edit", "units/web.service"),
            sites=site(app={"upstream": "http://127.0.0.1:8001", "service": "web.service"}),
        )
    ],
    "a folder that gets another owner and is removed, and is rolled back": [
        step(
            sites=site(
                static={
                    "role": "static",
                    "dir": "@/www/shop/assets",
                    "owner": {"group": "daemon"},
                }
            )
        ),
        step(sites=site(static={"role": "static", "dir": "@/www/shop"})),
    ],
    "a file whose folder is not selected": [
        step(
            paths={"@/www/static/health.txt": {"content": "one"}},
            selection=Selection(excludes=("directory:*",)),
        )
    ],
    "a unit file of paths that a gunicorn writes, too": [
        step(
            paths={"@/units/web.service": {"content": "[Service]\n[Install]\n"}},
            sites=site(app={"gunicorn": GUNICORN, "service": "web.service"}),
        )
    ],
    "a link to users' data in the place of a folder": [
        step(
            sites=site(
                media={"role": "media", "dir": "@/www/static"},
                shop={"role": "static", "dir": "@/www/shop"},
            )
        ),
        step(paths={"@/www/shop": {"link": "@/www/static"}}),
    ],
    "a copy of a copy": [
        step(
            sites=site(
                static={"role": "static", "dir": "@/www/static", "source": "@/src"},
                shop={"role": "static", "dir": "@/www/shop", "source": "@/www/static/css"},
            )
        )
    ],
    "a copy into the source of another one, by a link": [
        step(paths={"@/www/shop": {"link": "@/rel1"}}),
        step(
            sites=site(
                static={"role": "static", "dir": "@/www/static", "source": "@/rel1/static"},
                shop={"role": "static", "dir": "@/www/shop", "source": "@/src"},
            ),
        ),
    ],
    "a link to users' data in the place of a folder with folders": [
        step(
            sites={
                "a": {
                    "server_names": ["a.test"],
                    "locations": {
                        "/media/": {"role": "media", "dir": "@/www/static"},
                        "/login": {"role": "static", "file": "@/www/shop/assets/app.js"},
                    },
                }
            }
        ),
        step(paths={"@/www/shop": {"link": "@/www/static"}}),
    ],
    "one site selected, while another has changed": [
        step(sites={"b": {"server_names": ["b.test"], "extra": "return 204;"}}),
        step(
            sites={
                **site(extra="return 204;"),
                "b": {"server_names": ["b.test"], "extra": "return 205;"},
            },
            selection=Selection(sites=("a",)),
        ),
    ],
    "a link in the place of a folder, where somebody else can write": [
        step(("owner", "www", "daemon"), paths={"@/www/shop/assets/app.js": {"content": "one"}}),
        step(paths={"@/www/shop": {"link": "@/src/css"}}),
    ],
    "a link in the place of a folder that is given away above it": [
        step(paths={"@/www/shop/assets/app.js": {"content": "one"}}),
        step(
            paths={"@/www/shop": {"link": "@/src/css"}, "@/www": {"owner": {"user": "daemon"}}},
        ),
    ],
    "a link in nginx's tree leads nowhere until its target is declared": [
        step(
            ("link", "nginx/sites-enabled/own.conf", "etc/own.conf"),
            paths={"@/etc/own.conf": {"content": "# one\n"}},
        )
    ],
    "a link in nginx's tree leads nowhere, and nothing declares its target": [
        step(
            ("link", "nginx/sites-enabled/own.conf", "etc/own.conf"),
            sites=site(extra="return 204;"),
        )
    ],
    "a file of nginx that a person broke": [
        step(sites=site(extra="return 204;")),
        step(("break", "nginx/sites-available/a.conf"), sites=site(extra="return 205;")),
    ],
    "a file of nginx that a person broke, and that is removed": [
        step(paths={"@/nginx/conf.d/own.conf": {"content": "# one\n"}}),
        step(
            ("edit", "nginx/conf.d/own.conf"),
            ("break", "nginx/conf.d/own.conf"),
            sites=site(extra="return 204;"),
        ),
        step(
            paths={"@/nginx/conf.d/own.conf": {"content": "# two\n"}},
            sites=site(extra="return 204;"),
        ),
    ],
    "a file of nginx that a person removed from behind its link": [
        step(sites=site(extra="return 204;")),
        step(("remove", "nginx/sites-available/a.conf"), sites=site(extra="return 204;")),
    ],
    "a site that goes while nginx is stopped, and another that comes": [
        step(sites={"b": {"server_names": ["b.test"], "extra": "return 204;"}}),
        step(("stop", "nginx.service"), sites=site(app={"gunicorn": GUNICORN})),
    ],
    "a copy inside of another whose source is above its own, and both go": [
        step(
            sites=site(
                static={"role": "static", "dir": "@/www/static/css", "source": "@/src"},
                css={"role": "static", "dir": "@/www/static", "source": "@/src/css"},
            )
        ),
        step(),
    ],
    "a link that is no longer declared, and uploads declared in its place": [
        step(paths={"@/www/static/css": {"link": "@/rel2"}}),
        step(sites=site(media={"role": "media", "dir": "@/www/static/css"})),
    ],
    "a folder in the place of a link, where somebody else can write, and is rolled back": [
        step(paths={"@/www/shop": {"link": "@/rel1"}, "@/www": {"owner": {"user": "daemon"}}}),
        step(sites=site(files={"role": "static", "dir": "@/www/shop", "source": "@/src"})),
    ],
    "a service that becomes a job of a timer, and is rolled back": [
        Step((), {"paths": {}, "sites": {}, "services": {"worker": WORKER}}),
        Step(
            (), {"paths": {}, "sites": {}, "services": {"worker": {**WORKER, "schedule": "daily"}}}
        ),
        Step((), {"paths": {}, "sites": {}, "services": {"worker": WORKER}}),
    ],
    "a copy in which something is mounted, and that is no longer declared": [
        step(sites=site(static={"role": "static", "dir": "@/www/shop", "source": "@/src"})),
        step(("bind", "rel1", "www/shop/css")),
    ],
    "a directory where something is mounted, and that is no longer declared": [
        step(paths={"@/www/shop": {"owner": "assets"}}),
        step(("bind", "rel1/static/css", "www/shop")),
        step(),
    ],
    "an environment file behind a link": [
        step(paths=ENVIRONMENT, sites=site(app=VENDOR)),
        step(paths={**ENVIRONMENT, "@/etc/real.env": {"content": "two\n"}}, sites=site(app=VENDOR)),
    ],
    "an environment file in a directory behind a link": [
        step(("move", "etc", "rel1/moved"), sites=site(app=VENDOR)),
        step(paths={"@/rel1/moved/web.env": {"content": "one\n"}}, sites=site(app=VENDOR)),
    ],
    "a copied file that a person edited, and that is no longer declared": [
        step(sites=site(static={"role": "static", "dir": "@/www/shop", "source": "@/src"})),
        step(("edit", "www/shop/app.js")),
    ],
    "a copied file that a person edited below, and that is no longer declared": [
        step(sites=site(static={"role": "static", "dir": "@/www/shop", "source": "@/src"})),
        step(("edit", "www/shop/css/site.css")),
    ],
    "a file of nginx that appears where an include outside of its folder reads": [
        step(
            ("include", "nginx/conf.d/by-hand.conf", "etc/inc/*.conf"),
            paths={"@/etc/inc/a.conf": {"content": "# one\n"}},
        ),
        step(
            paths={
                "@/etc/inc/a.conf": {"content": "# one\n"},
                "@/etc/inc/b.conf": {"content": "# two\n"},
            }
        ),
        step(
            paths={
                "@/etc/inc": {"link": "@/etc/other"},
                "@/etc/other/c.conf": {"content": "# three\n"},
            }
        ),
        step(),
    ],
    "a drop-in that is a link": [
        step(paths=DROPIN, sites=site(app=VENDOR)),
        step(paths={**DROPIN, "@/etc/x.conf": {"content": "two\n"}}, sites=site(app=VENDOR)),
        step(sites=site(app=VENDOR)),
    ],
    "a link above an environment file that turns to an older one": [
        step(paths={**VERSIONS, "@/etc/app": {"link": "@/etc/v1"}}, sites=site(app=CONFIGURED)),
        step(paths={**VERSIONS, "@/etc/app": {"link": "@/etc/v2"}}, sites=site(app=CONFIGURED)),
    ],
    "a link to code that goes with the apply that starts it": [
        step(paths={"@/current": {"link": "@/rel1"}}),
        step(sites=site(app={"gunicorn": GUNICORN, "code": "@/current"})),
    ],
    "a gunicorn that moves from a socket to a port, and back": [
        step(sites=site(app={"gunicorn": GUNICORN, "upstream": "unix:/run/app.sock"})),
        step(sites=site(app={"gunicorn": GUNICORN, "upstream": "http://127.0.0.1:8001"})),
        step(sites=site(app={"gunicorn": GUNICORN, "upstream": "unix:/run/app.sock"})),
    ],
    "an environment file that goes as the service that reads it comes": [
        step(paths={"@/etc/web.env": {"content": "two\n"}}),
        step(sites=site(app={"upstream": "http://127.0.0.1:8001", "service": "vendor.service"})),
    ],
    "a folder of a copy that another location serves, and that had another owner": [
        step(paths={"@/www/static/css": {"owner": {"user": "daemon"}}}),
        step(
            sites=site(
                static={"role": "static", "dir": "@/www/static", "source": "@/src"},
                media={"role": "static", "dir": "@/www/static/css"},
            )
        ),
    ],
    "a copy inside of another that copies a file of the same name, and both go": [
        step(
            sites=site(
                files={"role": "static", "dir": "@/www/static", "source": "@/src"},
                media={"role": "static", "dir": "@/www/static/img", "source": "@/rel1/static"},
            )
        ),
        step(),
    ],
    "a folder of a copy that is moved away, with a link in its place, and the copy goes": [
        step(sites=site(files={"role": "static", "dir": "@/www/static", "source": "@/src"})),
        step(("move", "www/static/css", "rel1/moved")),
    ],
    "a folder of a copy that holds uploads from now on, and the copy goes": [
        step(
            sites=site(files={"role": "static", "dir": "@/www/static", "source": "@/rel1/static"})
        ),
        step(sites=site(media={"role": "private", "dir": "@/www/static/css"})),
    ],
    "a service of gunicorn that becomes a unit of paths": [
        step(sites=site(app={"gunicorn": GUNICORN, "service": "web.service"})),
        step(paths={"@/units/web.service": {"content": "[Service]\nExecStart=/bin/false\n"}}),
    ],
    "copied files and directories that change places, in the source": [
        step(sites=site(files={"role": "static", "dir": "@/www/static", "source": "@/src"})),
        step(
            ("turn", "src/css"),
            ("turn", "src/app.js"),
            sites=site(files={"role": "static", "dir": "@/www/static", "source": "@/src"}),
        ),
        step(),
    ],
    "a service of gunicorn that passes to another site": [
        step(sites=site(app={"gunicorn": GUNICORN, "service": "web.service"})),
        step(
            sites={
                "b": {
                    "server_names": ["b.test"],
                    "app": {"gunicorn": GUNICORN, "service": "web.service"},
                }
            }
        ),
    ],
    "a unit by hand in the place of gunicorn's": [
        step(
            ("edit", "units/web.service"),
            sites=site(app={"gunicorn": GUNICORN, "service": "web.service"}),
        ),
    ],
    "a directory that is removed alone, and then what was in it": [
        step(paths={"@/etc/app/app.env": {"content": "one\n"}}),
        step(selection=Selection(sites=(), targets=("directory:*",), excludes=())),
        step(paths={"@/www": {"owner": "uploads"}}),
    ],
    "a directory of two owners, one of them by a link": [
        step(
            ("link", "etc/app", "www/media"),
            paths={
                "@/etc/app": {"owner": "assets"},
                "@/www/media": {"owner": {"user": "daemon"}},
            },
        )
    ],
    "a directory of two owners, one of them by a bind mount": [
        step(
            ("bind", "www/media", "rel2/static"),
            paths={
                "@/rel2/static": {"owner": "assets"},
                "@/www/media": {"owner": {"user": "daemon"}},
            },
        )
    ],
    "a directory and a file of two declarations, below a link": [
        step(
            ("link", "etc/app", "www"),
            paths={
                "@/etc/app/new": {"owner": "assets"},
                "@/www/new": {"owner": {"user": "daemon"}},
                "@/etc/app/media/a.txt": {"content": "one\n"},
                "@/www/media/a.txt": {"content": "two\n"},
            },
        )
    ],
    "a directory of one owner by two names": [
        step(
            ("link", "etc/app", "www/media"),
            paths={
                "@/etc/app": {"owner": {"user": "daemon"}},
                "@/www/media": {"owner": {"user": "daemon"}},
            },
        )
    ],
}
