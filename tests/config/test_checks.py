"""Contradictions between parts of a file, each reported at its position."""

from __future__ import annotations

import pytest

from tests.support.yaml_examples import SMALLEST, WHOLE, errors_in, site

TLS = "tls: {certificate: /etc/ssl/a.pem, key: /etc/ssl/a.key}"


def two_sites(first: str, second: str) -> str:
    app = "app: {upstream: 'http://127.0.0.1:8000'}"
    return f"version: 1\nsites:\n  a: {{{first}, {app}}}\n  b: {{{second}, {app}}}\n"


def two_dirs(first: str, second: str) -> str:
    return site("locations:", f"  /one/: {{{first}}}", f"  /two/: {{{second}}}")


CONTRADICTIONS = {
    "an owner that nobody declared": (
        site("locations: {/s/: {role: static, dir: /srv/s, owner: upload}}"),
        '6:57: unknown owner "upload" (did you mean uploads?)',
    ),
    "a cache policy that nobody declared": (
        site("locations: {/s/: {role: static, dir: /srv/s, cache: weekly}}"),
        '6:57: unknown cache policy "weekly" (did you mean week?)',
    ),
    "an owner of a path that nobody declared": (
        "version: 1\npaths: {/srv/x: {owner: nobody}}",
        '2:25: unknown owner "nobody" (use one of: assets, uploads)',
    ),
    "an owner that says nothing": (
        "version: 1\nowners: {o: {}}",
        "2:10: this owner is empty (add a user, a group or modes)",
    ),
    "a cache policy that says nothing": (
        "version: 1\ncache_policies: {c: {}}",
        "2:18: max_age is missing (set a duration, or no_store: true)",
    ),
    "an age of what is not stored": (
        "version: 1\ncache_policies: {c: {no_store: true, max_age: 7d}}",
        "2:47: max_age cannot be combined with no_store (remove one of them)",
    ),
    "what is not stored but never changes": (
        "version: 1\ncache_policies: {c: {no_store: true, immutable: true}}",
        "2:49: immutable cannot be combined with no_store (remove one of them)",
    ),
    "a link with an owner": (
        "version: 1\npaths: {/srv/x: {link: /srv/y, owner: assets}}",
        "2:39: `owner` cannot be combined with `link` (remove one of them)",
    ),
    "a sensitive directory": (
        "version: 1\npaths: {/srv/x: {owner: assets, sensitive: true}}",
        "2:44: only a file with a source or content can be sensitive",
    ),
    "a path that says nothing": (
        "version: 1\npaths: {/srv/x: {}}",
        "2:9: this path is empty (add an owner, a source or a link)",
    ),
    "a path of the kernel": (
        "version: 1\npaths: {/proc/self/cwd/x: {content: x}}",
        (
            "2:9: /proc/self/cwd/x belongs to the kernel (use a file of the disk, such as one in "
            "/etc/sysctl.d)"
        ),
    ),
    "the root directory": (
        "version: 1\npaths: {/: {owner: assets}}",
        "2:9: the root directory cannot be managed (use a path below it)",
    ),
    "a path below a file": (
        "version: 1\npaths: {/srv/x: {source: ./x}, /srv/x/y: {owner: assets}}",
        "2:32: /srv/x/y is below /srv/x, which `paths` declares as a file",
    ),
    "a path through a link": (
        "version: 1\npaths: {/srv/x: {link: /srv/r}, /srv/x/y: {owner: assets}}",
        "2:33: /srv/x/y is behind the symlink /srv/x (use the path below /srv/r)",
    ),
    "a location in what is a link": (
        site("locations: {/s/: {role: static, dir: /srv/s}}") + "paths: {/srv/s: {link: /srv/r}}",
        "6:42: `paths` declares /srv/s as a symlink",
    ),
    "a location behind a link": (
        site("locations: {/s/: {role: static, dir: /srv/s/x}}") + "paths: {/srv/s: {link: /srv/r}}",
        "6:42: /srv/s/x is behind the symlink /srv/s (use the path below /srv/r)",
    ),
    "a port on every address and on all of IPv6": (
        site("listen: [80, '[::]:80']"),
        "6:18: duplicate port 80",
    ),
    "a site that serves nothing": (
        "version: 1\nsites: {s: {server_names: [a.test]}}",
        "2:9: this site serves nothing (add an app, locations or redirects)",
    ),
    "a name that stands twice": (
        "version: 1\nsites: {s: {server_names: [a.test, A.test], app: {upstream: 'unix:/a'}}}",
        "2:36: duplicate host name a.test",
    ),
    "a name of another site": (
        two_sites("server_names: [a.test]", "server_names: [b.test, a.test]"),
        "4:30: a.test on port 80 belongs to the site a (line 3)",
    ),
    "two default servers": (
        two_sites(
            "server_names: [a.test], default_server: true",
            "server_names: [b.test], default_server: true",
        ),
        "4:47: the default server of port 80 is the site a (remove one of them)",
    ),
    "a port that speaks two protocols": (
        two_sites(
            f"server_names: [a.test], listen: [80, '8443 ssl'], {TLS}",
            "server_names: [b.test], listen: [8443]",
        ),
        "4:31: port 8443 is used for TLS by the site a",
    ),
    "a port that is behind a load balancer for one site alone": (
        two_sites(
            "server_names: [a.test], listen: ['80 proxy_protocol']",
            "server_names: [b.test]",
        ),
        "4:3: port 80 is used for plain HTTP behind the PROXY protocol by the site a",
    ),
    "443 without tls": (
        site("listen: [80, 443]"),
        "6:18: port 443 needs tls (add tls, or use another port)",
    ),
    "ssl without tls": (
        site('listen: ["8443 ssl"]'),
        "6:14: port 8443 needs tls (add tls, or use another port)",
    ),
    "tls without a port for it": (
        site("listen: [80]", TLS),
        '7:5: no port of this site uses TLS (add 443 or "8443 ssl")',
    ),
    "a port that stands twice": (site("listen: [80, 80]"), "6:18: duplicate port 80"),
    "an app without upstream": (
        "version: 1\nsites: {s: {server_names: [a.test], app: {service: a.service}}}",
        "2:37: upstream is missing (use unix:/run/gunicorn.sock or http://127.0.0.1:8000)",
    ),
    "Gunicorn on another host": (
        WHOLE.replace("unix:/run/gunicorn.sock", "http://10.0.0.9:8000"),
        (
            "27:17: Gunicorn runs on this host, not on 10.0.0.9:8000 (use "
            "unix:/run/gunicorn.sock or http://127.0.0.1:8000)"
        ),
    ),
    "nginx as the app's service": (
        SMALLEST.replace("gunicorn.service", "nginx.service"),
        "5:57: nginx.service is nginx itself, not the app",
    ),
    "code among the uploads": (
        WHOLE.replace("directory: /srv/myapp", "directory: /var/www/myapp/media/app"),
        (
            "31:20: `directory` is inside the directory that /media/ serves (keep code "
            "and files separate)"
        ),
    ),
    "an app that cannot save uploads": (
        WHOLE.replace("user: www-data\n      gunicorn", "user: flask\n      gunicorn"),
        (
            "44:7: the app runs as flask and cannot save files to a directory of www-data "
            "(use an owner with user: flask, or dirs with group write access)"
        ),
    ),
    "directives that close the server block": (
        site('extra: "} server { listen 81;"'),
        '6:12: line 1 of extra is invalid: unexpected "}"',
    ),
    "an upload without an app": (
        "version: 1\nsites: {s: {server_names: [a.test], "
        "locations: {/m/: {role: media, dir: /srv/m}}, "
        "probes: [{upload: /u, then_get: /m/x}]}}",
        "2:92: an upload probe needs an app",
    ),
    "an answer of an app that is not there": (
        "version: 1\nsites: {s: {server_names: [a.test], "
        "locations: {/m/: {role: media, dir: /srv/m}}, "
        "probes: [{get: /, expect: {served_by: app}}]}}",
        "2:92: this site has no app",
    ),
    "a private key for all to get": (
        site(
            "tls: {certificate: /etc/ssl/a.pem, key: /srv/s/a.key}",
            "locations: {/s/: {role: static, dir: /srv/s}}",
        ),
        "6:45: the private key is inside the directory that /s/ serves (store it elsewhere)",
    ),
    "a sensitive file for all to get": (
        site("locations: {/s/: {role: static, dir: /srv/s}}")
        + "paths: {/srv/s/env: {source: ./env, sensitive: true}}",
        ("7:9: this sensitive file is inside the directory that /s/ serves (store it elsewhere)"),
    ),
    "media from a source": (
        site("locations: {/m/: {role: media, dir: /srv/m, source: ./m}}"),
        "6:57: source is for static files; media files are never changed (remove source)",
    ),
    "pruned media": (
        site("locations: {/m/: {role: media, dir: /srv/m, prune: true}}"),
        "6:56: prune is for static files; media files are never changed (remove prune)",
    ),
    "pruning without a source": (
        site("locations: {/s/: {role: static, dir: /srv/s, prune: true}}"),
        "6:57: prune needs a source",
    ),
    "compressed media": (
        site("locations: {/m/: {role: media, dir: /srv/m, precompress: [gzip]}}"),
        (
            "6:49: precompress is for static files; media files are never changed (remove "
            "precompress)"
        ),
    ),
    "compressing without a source": (
        site("locations: {/s/: {role: static, dir: /srv/s, precompress: [gzip]}}"),
        "6:50: precompress needs a source",
    ),
    "an encoding that nobody knows": (
        site("locations: {/s/: {role: static, dir: /srv/s, source: ./s, precompress: [gz]}}"),
        '6:77: invalid value "gz" (use gzip, br or zstd)',
    ),
    "a cache policy for private files": (
        site("locations: {/p/: {role: private, dir: /srv/p, cache: day}}"),
        "6:58: the app sets the Cache-Control of private files",
    ),
    "a source inside its target": (
        site("locations: {/s/: {role: static, dir: /srv/app, source: ./static}}"),
        "6:60: source and dir overlap (use separate directories)",
    ),
    "a location that takes the app's place": (
        site("locations: {/: {role: static, dir: /srv/s}}"),
        "6:17: the location / belongs to the app (serve files below /static/)",
    ),
    "media inside static": (
        two_dirs("role: static, dir: /srv/s", "role: media, dir: /srv/s/media"),
        (
            "8:33: this directory is inside the static directory of /one/ (use a separate "
            "directory for each location)"
        ),
    ),
    "static around media": (
        two_dirs("role: media, dir: /srv/s/media", "role: static, dir: /srv/s"),
        (
            "8:34: this directory contains the media directory of /one/ (use a separate "
            "directory for each location)"
        ),
    ),
    "one directory in two roles": (
        two_dirs("role: static, dir: /srv/s", "role: private, dir: /srv/s"),
        (
            "8:35: this directory is the static directory of /one/ (use a separate "
            "directory for each location)"
        ),
    ),
    "static inside a pruned static": (
        two_dirs(
            "role: static, dir: /srv/s, source: ./s, prune: true", "role: static, dir: /srv/s/x"
        ),
        (
            "8:34: this directory is inside the static directory of /one/ (use a separate "
            "directory for each location)"
        ),
    ),
    "a directory of the system": (
        site("locations: {/m/: {role: media, dir: /etc/nginx}}"),
        (
            "6:41: /etc/nginx belongs to the system (use a separate directory, such as "
            "/var/www/myapp)"
        ),
    ),
    "reconcile's own directory": (
        site("locations: {/m/: {role: media, dir: /var/lib/reconcile/x}}"),
        "6:41: /var/lib/reconcile/x overlaps reconcile's state directory /var/lib/reconcile",
    ),
    "a source that holds reconcile's own directory": (
        site("locations: {/s/: {role: static, dir: /srv/web/s, source: /var/lib}}"),
        (
            "6:62: /var/lib contains reconcile's state directory /var/lib/reconcile (use another "
            "source, or another host.state_dir)"
        ),
    ),
}


@pytest.mark.parametrize(("text", "error"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_contradiction_is_reported_at_its_position(text: str, error: str) -> None:
    assert [error] == errors_in(text)


@pytest.mark.parametrize(
    "path", ["/", "/srv", "/home", "/var/lib", "/usr/lib/x", "/boot/x", "/sys/x"]
)
def test_no_location_is_a_directory_of_the_system(path: str) -> None:
    found = errors_in(site(f"locations: {{/m/: {{role: media, dir: {path}}}}}"))

    hint = "(use a separate directory, such as /var/www/myapp)"
    assert f"6:41: {path} belongs to the system {hint}" in found


FITTING = {
    "the smallest file": SMALLEST,
    "every key at once": WHOLE,
    "nothing at all": "version: 1",
    "no sites": "version: 1\nsites: {}",
    "one name on two ports": two_sites(
        "server_names: [a.test], listen: [81]", "server_names: [a.test], listen: [82]"
    ),
    "two sites of one app": two_sites("server_names: [a.test]", "server_names: [b.test]"),
    "static files of another cache policy inside static": two_dirs(
        "role: static, dir: /srv/s", "role: static, dir: /srv/s/hashed, cache: hashed"
    ),
    "one static directory at two places": two_dirs(
        "role: static, dir: /srv/s, source: ./s", "role: static, dir: /srv/s, source: ./s"
    ),
    "a site of files alone": (
        "version: 1\nsites: {s: {server_names: [a.test], "
        "locations: {/: {role: static, dir: /srv/s}}}}"
    ),
    "Gunicorn without upstream and service": (
        "version: 1\nsites: {s: {server_names: [a.test], "
        "app: {gunicorn: {directory: /srv/a, python: /srv/v/bin/python, module: 'a:a'}}}}"
    ),
    "uploads of a group that the app is in": (
        'version: 1\nowners: {uploads: {dirs: "2775", files: "0664"}}\n'
        "sites: {s: {server_names: [a.test], app: {upstream: 'unix:/run/a', user: flask}, "
        "locations: {/m/: {role: media, dir: /srv/m}}}}"
    ),
    "a server for every name": site("default_server: true").replace("shop.test", "_"),
}


@pytest.mark.parametrize("text", FITTING.values(), ids=FITTING.keys())
def test_a_consistent_file_is_accepted(text: str) -> None:
    assert [] == errors_in(text)


MEDIA = "locations: {/media/: {role: media, dir: /srv/m}}"


def test_a_mount_of_a_container_belongs_to_a_media_location() -> None:
    text = site(MEDIA) + "containers: [{compose: ./c.yaml, service: web, mounts: {/up/: /app/up}}]"

    assert [
        "7:63: no site has a media or private location /up/ (use one of: /media/)"
    ] == errors_in(text)
    assert [] == errors_in(text.replace("/up/:", "/media/:"))


def test_flask_and_django_exclude_each_other() -> None:
    both = "flask: {directory: ., module: 'app:app'}, django: {directory: ., settings: p.settings}"
    text = site().replace("{upstream:", f"{{{both}, upstream:")

    [error] = errors_in(text)

    assert "`flask` and `django` exclude each other" in error
