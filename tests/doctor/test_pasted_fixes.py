"""A fix, done as it is written, ends its finding and opens nothing that it does not name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest

from tests.doctor.on_hosts import ON_HOSTS
from tests.doctor.throwaway import Diagnosed, diagnose_hosts

pytestmark = ON_HOSTS
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
YEAR = '"public, max-age=31536000, immutable"'
LINEAGE = "/etc/letsencrypt/live/shop.example"
CERTIFICATE = f"ssl_certificate {LINEAGE}/fullchain.pem; ssl_certificate_key {LINEAGE}/privkey.pem;"
MANY = "for n in 1 2 3 4 5 6 7 8; do echo x >/srv/shop/static/$n.css; done"


def site(server: str, *shell: str, socket: str = "") -> str:
    lines = "\n".join(f"#: {line}" for line in shell)
    app, upstream = (socket, f"unix:{socket}") if socket else ("127.0.0.1:8000", "127.0.0.1:8000")
    # One directive a line: a fix names lines.
    spread = re.sub(r"(?<=[;{}]) +", "\n    ", server)
    return SITE.format(server=spread, shell=lines, app=app, upstream=upstream)


def served(*directives: str) -> str:
    """A location of static files with more directives."""
    return f"location /static/ {{ alias /srv/shop/static/; {' '.join(directives)} }} {HIDDEN}"


def with_http(http: str, text: str) -> str:
    """The host with directives of the http block."""
    return re.sub("^server {", f"{http}\nserver {{", text, count=1, flags=re.MULTILINE)


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
    "nginx-read: a folder above the uploads": site(MEDIA, "chmod 711 /srv; chmod 700 /srv/shop"),
    "alias-target: a missing folder": site("location /x/ { alias /srv/shop/x/; }"),
    "alias-slash: an alias": site(f"location /static/ {{ alias /srv/shop/static; }}\n{HIDDEN}"),
    "root-doubling: a root": site(f"location /static/ {{ root /srv/shop/static; }}\n{HIDDEN}"),
    "alias-target: a path with a typo": site(
        f"location /static/ {{ alias /srv/shop/statics/; }}\n{HIDDEN}"
    ),
    "alias-target: a path without its first slash": site(
        f"location /static/ {{ alias srv/shop/static/; }}\n{HIDDEN}"
    ),
    "alias-target: a file": site(
        f"location /static/ {{ alias /srv/shop/static/css/app.css; }}\n{HIDDEN}"
    ),
    "alias-target: a regex without a root": site(r"location ~* \.css$ { expires 1d; }"),
    "root-doubling: the root of a server": site(
        f"root /srv/shop/static; location /static/ {{ expires 1d; }} {HIDDEN}"
    ),
    "root-doubling: the root of all servers": with_http(
        "root /srv/shop/static;", site(f"location /static/ {{ expires 1d; }} {HIDDEN}")
    ),
    "root-doubling: of a regex": site(
        rf"{HIDDEN} location ~* \.css$ {{ root /srv/shop/static; }}",
        "later curl -s -o /dev/null -H 'Host: shop.example' http://127.0.0.1/static/css/app.css",
    ),
    "route-shadowed: by a regex inside of it": site(
        rf"location /static/ {{ root /srv/shop; location ~ \.css$ {{ root /srv/shop/static; }} }}"
        f" {HIDDEN}"
    ),
    "greedy-regex: files of the app": site(
        rf"root /srv/site; {HIDDEN} location ~* \.(css|js)$ {{ expires 1d; }}",
        "static /srv/shop/media/static",
    ),
    "probe-static: a folder behind a link": site(
        served("disable_symlinks on;"),
        "mv /srv/shop/static /srv/shop/2024; ln -s 2024 /srv/shop/static",
    ),
    "dotfile-exposure: in the root of all servers": with_http(
        "root /srv/shop;", site("location /static/ { try_files $uri =404; }")
    ),
    "files-missing: a folder too high": site(
        f"location /static/ {{ alias /srv/shop/media/; }}\n{HIDDEN}",
        "static /srv/shop/media/static",
    ),
    "socket-chain: TLS to plain HTTP": site(
        f"location /api/ {{ proxy_pass https://127.0.0.1:8000; }}\n{HIDDEN}"
    ),
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
    "frozen-mtimes: of a reproducible build": site(FILES, "touch -d @1 /srv/shop/static/js/app.js"),
    "try-files-misses: of a regex with an alias": site(
        rf"location ~ ^/static/(.*)$ {{ alias /srv/shop/static/$1; try_files $uri =404; }} {HIDDEN}"
    ),
    "if-drops-try-files: for a cookie": site(
        served("if ($http_cookie ~ session) { set $member 1; }", "try_files $uri =404;")
    ),
    "content-types: modules": site(FILES, "echo 'export 1' >/srv/shop/static/js/a.mjs"),
    "content-types: a table of its own": site(served("types { text/javascript mjs; }")),
    "content-types: an image that is gzip": site(
        FILES, "echo '<svg/>' | gzip >/srv/shop/static/img/a.svgz"
    ),
    "content-types: a stylesheet that is gzip": site(
        FILES, "echo 'a{}' | gzip >/srv/shop/static/css/a.css"
    ),
    "lost-prefix: a path without its slash": site(
        f"{FILES} location /api/ {{ proxy_pass http://127.0.0.1:8000/v1; }}"
    ),
    "lost-prefix: a prefix without its slash": site(
        f"{FILES} location /api {{ proxy_pass http://127.0.0.1:8000/; }}"
    ),
    "alias-slash: a file": site(
        f"{FILES} location /robots.txt {{ alias /srv/shop/static/robots.txt/; }}",
        "echo 'User-agent: *' >/srv/shop/static/robots.txt",
    ),
    "directory-listing: of the root": site(f"root /srv/shop; autoindex on; {FILES}").replace(
        "location / {", "location /app/ {"
    ),
    "cached-errors: 404 for a year": site(
        served(f"add_header Cache-Control {YEAR} always;", "try_files $uri =404;")
    ),
    "cached-errors: a page for all": site(
        served("expires 1y;", "try_files $uri /static/js/app.js;")
    ),
    "cached-errors: by nginx": with_http(
        "proxy_cache_path /run/p keys_zone=p:1m;",
        site(f"{FILES} proxy_cache p; proxy_cache_valid 404 1h;"),
    ),
    "unreachable-location: behind a regex": site(
        r"location ~ \.(css|woff2)$ { root /srv/shop; } location ~ \.(woff2|ttf)$ { root /srv/shop;"
        f" add_header Access-Control-Allow-Origin * always; }} {HIDDEN}",
        "echo x >/srv/shop/static/a.woff2",
    ),
    "proxy-header-loss: of the server": site(
        f"{FILES} proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
        " location /api/ { proxy_pass http://127.0.0.1:8000; proxy_set_header X-A b; }"
    ),
    "open-file-cache: of the server": site(
        f"open_file_cache max=9 inactive=1h; open_file_cache_valid 1h; {FILES}"
    ),
    "open-file-cache: of the location": site(
        served("open_file_cache max=9;", "open_file_cache_errors on;")
    ),
    "asset-limits: requests": with_http(
        "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;",
        site(f"limit_req zone=a burst=5 nodelay; {FILES}"),
    ),
    "asset-limits: connections": with_http(
        "limit_conn_zone $binary_remote_addr zone=c:1m;", site(f"limit_conn c 2; {FILES}")
    ),
    "source-exposure: code in the root": site(
        f"root /srv/shop; location /static/ {{ try_files $uri =404; }} {HIDDEN}"
        r" location ~ \.py$ { try_files $uri =404; }"
    ),
    "directory-listing: of uploads": site(MEDIA.replace("media/;", "media/; autoindex on;")),
    "directory-listing: of the server": site(f"autoindex on; {MEDIA}"),
    "duplicate-cache-control: two ages": site(
        served("expires 30d;", 'add_header Cache-Control "public, max-age=60";')
    ),
    "cors: two origins": site(
        served("add_header Access-Control-Allow-Origin *;") + "",
    ).replace(
        "-Origin *;", "-Origin *;\n    add_header Access-Control-Allow-Origin https://a.test;"
    ),
    "cors: credentials for all": site(
        served(
            "add_header Access-Control-Allow-Origin * always;",
            "add_header Access-Control-Allow-Credentials true always;",
        )
    ),
    "cors: not on errors": site(served("add_header Access-Control-Allow-Origin *;")),
    "range-loss: films are compressed": site(
        MEDIA.replace("media/;", "media/; gzip_types *;"),
        "cp /bin/ls /srv/shop/media/a.mp4; chown deploy /srv/shop/media/a.mp4",
    ),
    "range-loss: no ranges": site(
        MEDIA.replace("media/;", "media/; max_ranges 0;"),
        "cp /bin/ls /srv/shop/media/a.mp4; chown deploy /srv/shop/media/a.mp4",
    ),
    "default-server-capture: over IPv6": site(FILES)
    + "server {\n    listen [::]:80 default_server;\n    server_name other.test;\n}\n",
    "tls-key: for everybody": site(
        f"listen 443 ssl; {CERTIFICATE} {FILES}",
        f"cert shop.example; chmod 644 {LINEAGE}/privkey.pem",
    ),
    "sites-enabled-hygiene: a backup": site(
        FILES, "cp /etc/nginx/sites-enabled/* /etc/nginx/sites-enabled/shop.conf.bak"
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


SYMPTOMS = {"log-triage"}
"""What the log of the time before shows."""
TOGETHER = {
    "*: of files": with_http(
        "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;",
        site(
            "limit_req zone=a burst=5 nodelay; open_file_cache max=9; open_file_cache_errors on;"
            " location /static/ { alias /srv/shop/static/; types { text/javascript mjs; }"
            f" add_header Cache-Control {YEAR} always; try_files $uri =404; }}"
            " location /media/ { alias /srv/shop/media/; autoindex on; }",
            "chmod 700 /srv/shop/static; touch -d @1 /srv/shop/static/js/app.js",
            "chown -R root /srv/shop/media",
        ),
    ),
    "*: of headers": site(
        "add_header X-Frame-Options DENY; proxy_set_header Host $host;"
        " proxy_set_header X-Forwarded-Proto $scheme; location /static/ { root /srv/shop/static;"
        " expires 1y; add_header Access-Control-Allow-Origin * always;"
        " add_header Access-Control-Allow-Credentials true always; }"
        " location /media/ { alias /srv/shop/media/; }"
        f" location /api/ {{ proxy_pass http://127.0.0.1:8000; proxy_set_header X-A b; }} {HIDDEN}",
        "chown -R deploy /srv/shop/static; chmod 700 /srv/shop",
    ),
}


def contradictions(fixes: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of fixes that set one thing to two values, or that add what the other removes."""
    done: dict[tuple[str, ...], str] = {}
    found = []
    for fix in fixes:
        for subject, value in effects(fix):
            first = done.setdefault(subject, f"{value}\n{fix}")
            if first.partition("\n")[0] != value:
                found.append((first.partition("\n")[2], fix))
    return found


def effects(fix: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a fix makes of which subject: the mode of a path, a directive of a line."""
    for command in re.split(r" && |; |  #", fix):
        words = command.split()
        if words[:1] in (["chmod"], ["chown"], ["chgrp"]):
            plain = [word for word in words[1:] if not word.startswith("-")]
            yield from (((words[0], path), plain[0]) for path in plain[1:])
        elif words[:1] == ["setfacl"] and "-m" in words:
            entry = words[words.index("-m") + 1]
            who, _, bits = entry.rpartition(":")
            yield from ((("setfacl", who, path), bits) for path in words[words.index("-m") + 2 :])
    edit = re.match(r"(/[^:]+:\d+): (remove )?(\w+) ([^;]*);?", fix)
    if edit and edit[3] in DIRECTIVES:
        header = edit[4].split()[0] if edit[3] == "add_header" else ""
        yield (edit[1], edit[3], header), "" if edit[2] else edit[4]


DIRECTIVES = ("alias", "root", "autoindex", "add_header", "try_files", "client_max_body_size")
RULES |= {"*"}


@pytest.fixture(scope="module")
def fixed() -> dict[str, Diagnosed]:
    return diagnose_hosts({**HOSTS, **TOGETHER, **PRIVATE}, RULES)


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
    # What a location is for may be sent again; all that it names by its alias.
    named |= {path.rstrip("/$1") for path in re.findall(r"alias (/srv/[^;]+);", HOSTS[name])}
    elsewhere = [one for one in opened if not one.split()[-1].startswith(tuple(named))]
    others = [who for who in ("nobody", "deploy") if who not in text]

    assert [] == elsewhere
    assert [] == [one for one in found["opened"]["visitors"] if "/." in one.split()[-1]]
    assert [] == [path for who in others for path in found["opened"][who] if path not in named]


@pytest.mark.parametrize("name", [*HOSTS, *TOGETHER])
def test_fixes_of_one_host_do_not_contradict(fixed: dict[str, Diagnosed], name: str) -> None:
    assert [] == contradictions(one["fix"] for one in fixed[name]["findings"])


@pytest.mark.parametrize("name", TOGETHER)
def test_all_fixes_of_one_host_together_end_its_findings(
    fixed: dict[str, Diagnosed], name: str
) -> None:
    found = fixed[name]

    assert "refused" not in found
    assert len(found["pasted"]) > 3
    rules = {one["rule"] for one in found["pasted"]}
    left = [one for one in found["after"]["findings"] if one["severity"] != "note"]
    assert [] == [one for one in left if one["rule"] not in SYMPTOMS - rules]
    assert [] == [one for one in found["opened"]["visitors"] if "/." in one.split()[-1]]


@pytest.mark.parametrize("name", [name for name in PRIVATE if name != MASKED])
def test_what_is_private_as_a_whole_is_not_opened(fixed: dict[str, Diagnosed], name: str) -> None:
    [finding] = [one for one in fixed[name]["findings"] if one["rule"] == "nginx-read"]

    assert [] == fixed[name]["pasted"]
    assert finding["fix"].startswith("Move the files out of ")


def test_a_list_that_a_mask_closes_is_not_opened_to_all_of_it(fixed: dict[str, Diagnosed]) -> None:
    [finding] = [one for one in fixed[MASKED]["findings"] if one["rule"] == "nginx-read"]

    assert [] == fixed[MASKED]["pasted"]
    assert finding["fix"].startswith("Remove from the list ")
