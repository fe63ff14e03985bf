"""A fix, done as it is written, ends its finding and opens nothing that it does not name."""

from __future__ import annotations

import os

import pytest

from tests.doctor.throwaway import Diagnosed, diagnose_hosts

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can cover folders with its own"),
]
SITE = """
#: static /srv/shop/static
#: media /srv/shop/media deploy
#: echo SECRET=1 >/srv/shop/.env; echo code >/srv/shop/app.py
#: echo SECRET=2 >/srv/shop/static/.env
{shell}
#: app {app} deploy /srv/shop/media
server {{
    listen 80;
    server_name shop.example;
    {server}
    location / {{ proxy_pass http://{upstream}; }}
}}
"""
HIDDEN = r"location ~ /\. { return 404; }"
FILES = f"location /static/ {{ alias /srv/shop/static/; }}\n    {HIDDEN}"
MEDIA = f"location /media/ {{ alias /srv/shop/media/; }}\n    {HIDDEN}"
CSS = r"location ~* \.css$ { root /srv/other; }"
MANY = "for n in 1 2 3 4 5 6 7 8; do echo x >/srv/shop/static/$n.css; done"


def site(server: str, *shell: str, socket: str = "") -> str:
    lines = "\n".join(f"#: {line}" for line in shell)
    app, upstream = (socket, f"unix:{socket}") if socket else ("127.0.0.1:8000", "127.0.0.1:8000")
    return SITE.format(server=server, shell=lines, app=app, upstream=upstream)


HOSTS = {
    "nginx-read: a closed folder": site(FILES, "chmod 700 /srv/shop/static"),
    "nginx-read: several closed folders": site(FILES, "chmod 700 /srv/shop /srv/shop/static"),
    "nginx-read: a folder of the deployer's group": site(
        FILES, "chgrp deploy /srv/shop; chmod 750 /srv/shop"
    ),
    "nginx-read: a folder of the worker's group": site(
        FILES, "chgrp www-data /srv/shop; chmod 700 /srv/shop"
    ),
    "nginx-read: a folder with a list": site(
        FILES, "chmod 700 /srv/shop; setfacl -m u:nobody:x /srv/shop"
    ),
    "nginx-read: few closed files": site(FILES, "chmod 600 /srv/shop/static/css/app.css"),
    "nginx-read: many closed files": site(
        FILES, MANY, "chmod -R go= /srv/shop/static; chmod 755 /srv/shop/static"
    ),
    "nginx-read: links among closed files": site(
        FILES,
        MANY,
        "umask 077; echo key >/srv/key; ln -s /srv/key /srv/shop/static/key.css",
        "chmod -R go= /srv/shop/static; chmod 755 /srv/shop/static",
    ),
    "app-write: a folder of root": site(MEDIA, "chown root:root /srv/shop/media"),
    "app-write: a folder of somebody else": site(MEDIA, "chown nobody /srv/shop/media"),
    "app-write: a closed folder above": site(MEDIA, "chmod 711 /srv; chmod 700 /srv/shop"),
    "alias-target: a missing folder": site("location /x/ { alias /srv/shop/x/; }"),
    "alias-slash: an alias": site(f"location /static/ {{ alias /srv/shop/static; }}\n{HIDDEN}"),
    "root-doubling: a root": site(f"location /static/ {{ root /srv/shop/static; }}\n{HIDDEN}"),
    "traversal-leak: without slashes": site(
        f"location /static {{ alias /srv/shop/static; }}\n{HIDDEN}", "echo k >/srv/shop/static.zip"
    ),
    "traversal-leak: into the parent": site(
        f"location /static {{ alias /srv/shop/static/; }}\n{HIDDEN}"
    ),
    "dotfile-exposure: below a prefix": site("location ^~ /static/ { alias /srv/shop/static/; }"),
    "dotfile-exposure: in the root of a server": site(
        "root /srv/shop; location /static/ { try_files $uri =404; }"
    ),
    "route-shadowed: by a regex": site(f"{FILES}\n    {CSS}"),
    "route-shadowed: with other denials": site(
        rf"{FILES} location ~ \.(?:map|zip)$ {{ deny all; }} {CSS}",
        "echo m >/srv/shop/static/app.map; echo z >/srv/shop/static/all.zip",
    ),
    "served-by-app: a prefix without its slash": site(FILES),
    "symlink-escape: an upload": site(
        MEDIA, "ln -s /srv/shop/app.py /srv/shop/media/x.txt; chown -h deploy /srv/shop/media/x.txt"
    ),
    "expires-over-proxy: pages": site("expires 1d;"),
    "header-loss: for a file": site(
        f"add_header X-Frame-Options DENY; location /static/ {{ alias /srv/shop/static/;\n"
        f"    add_header X-A b; }} {HIDDEN}"
    ),
    "stale-precompressed: a copy": site(
        f"location /static/ {{ alias /srv/shop/static/; gzip_static on; }} {HIDDEN}",
        "echo old | gzip >/srv/shop/static/css/app.css.gz",
        "touch -d 2020-01-01 /srv/shop/static/css/app.css.gz",
    ),
    "writable-static: of the app": site(FILES, "chown -R deploy /srv/shop/static"),
    "writable-static: with uploads inside": site(
        "location /static/uploads/ { alias /srv/shop/static/uploads/; }" + FILES,
        "media /srv/shop/static/uploads deploy",
        "chown -R deploy:www-data /srv/shop/static; chmod -R o= /srv/shop/static",
    ),
    "socket-chain: a closed folder": site(
        "", "install -d -m 700 /srv/run", socket="/srv/run/app.sock"
    ),
}
PRIVATE = {
    "nginx-read: a home folder": site(
        "location /files/ { alias /home/deploy/files/; }",
        "install -d -o deploy -m 700 /home/deploy; static /home/deploy/files",
    ),
    "nginx-read: root's folder": site(
        "location /files/ { alias /root/www/files/; }", "static /root/www/files"
    ),
}
MASKED = "nginx-read: a folder whose mask closes it to others"
PRIVATE[MASKED] = site(
    FILES, "chmod 700 /srv/shop; setfacl -m u:nobody:x /srv/shop; chmod 700 /srv/shop"
)
RULES = {name.partition(":")[0] for name in HOSTS}


@pytest.fixture(scope="module")
def fixed() -> dict[str, Diagnosed]:
    return diagnose_hosts({**HOSTS, **PRIVATE}, RULES)


@pytest.mark.parametrize("name", HOSTS)
def test_a_fix_ends_its_finding(fixed: dict[str, Diagnosed], name: str) -> None:
    found = fixed[name]

    assert "refused" not in found
    assert found["pasted"], found["findings"]
    left = {one["what"] for one in found["after"]["findings"]}
    assert [] == [one for one in found["pasted"] if one["what"] in left]


@pytest.mark.parametrize("name", HOSTS)
def test_a_fix_opens_only_what_it_names(fixed: dict[str, Diagnosed], name: str) -> None:
    found = fixed[name]
    text = " ".join(
        " ".join((one["what"], one["fix"], *one["evidence"])) for one in found["pasted"]
    )
    named = {word.strip("'.,;:()").rstrip("/") for word in text.split() if word.startswith("/srv")}
    opened = [path for paths in found["opened"].values() for path in paths]
    elsewhere = [one for one in opened if not one.split()[-1].startswith(tuple(named))]
    others = [who for who in ("nobody", "deploy") if who not in text]

    assert [] == elsewhere
    assert [] == [one for one in found["opened"]["visitors"] if "/." in one.split()[-1]]
    assert [] == [path for who in others for path in found["opened"][who] if path not in named]


@pytest.mark.parametrize("name", [name for name in PRIVATE if name != MASKED])
def test_what_is_private_as_a_whole_is_not_opened(fixed: dict[str, Diagnosed], name: str) -> None:
    [finding] = [one for one in fixed[name]["findings"] if one["rule"] == "nginx-read"]

    assert [] == fixed[name]["pasted"]
    assert finding["fix"].startswith("Move the files out of ")


def test_a_list_that_a_mask_closes_is_not_opened_to_all_of_it(fixed: dict[str, Diagnosed]) -> None:
    [finding] = [one for one in fixed[MASKED]["findings"] if one["rule"] == "nginx-read"]

    assert [] == fixed[MASKED]["pasted"]
    assert finding["fix"].startswith("Remove from the list ")
