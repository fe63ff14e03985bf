"""For each rule a site that has the fault, and its twin that looks alike and is fine."""

from __future__ import annotations

from dataclasses import dataclass

DOTFILES = r"location ~ /\.(?!well-known/) { return 404; }"
STATIC = f"""
    location = /static {{ return 301 /static/; }}
    location ^~ /static/ {{ alias {{d}}/static/; {DOTFILES} }}
"""
MEDIA = f"""
    location = /media {{ return 301 /media/; }}
    location ^~ /media/ {{
        alias {{d}}/media/;
        disable_symlinks on from={{d}}/media/;
        add_header Content-Security-Policy "sandbox; default-src 'none'" always;
        {DOTFILES}
    }}
"""
APP = """
    client_max_body_size 20m;
    location / { proxy_pass http://unix:/run/shared.sock; }
"""
OWN_APP = APP.replace("shared", "{n}")
# Started by hand, as root, its workers another user's: no unit tells who it is.
WITHOUT_UNIT = (
    "cd {d}/app; systemd-run --scope --quiet /opt/apps-venv/bin/gunicorn -D -w 1"
    " --user www-data --group www-data -b 127.0.0.1:{port} app:app;"
    " timeout 60 sh -c 'until curl -s http://127.0.0.1:{port}/ >/dev/null; do sleep 0.05; done'"
)
# The socket's name starts at the app's own folder; the kernel tells just that name.
APP_BESIDE = APP.replace("/run/shared.sock", "{d}/app/app.sock")
BESIDE = (
    "chown games {d}/app; systemd-run --quiet --unit={n}-beside -p User=games -p Group=www-data"
    " -p WorkingDirectory={d}/app /opt/apps-venv/bin/gunicorn -w 1 -m 007 -b unix:app.sock app:app;"
    " timeout 60 sh -c 'until [ -S {d}/app/app.sock ]; do sleep 0.05; done'"
)
LISTEN = "listen 80; listen [::]:80;"


@dataclass(frozen=True)
class Side:
    """One of the two: `{d}` is its folder, `{n}` its name.

    `setup` runs before nginx is started, `after` when it runs. With `unit`, lines of [Service],
    it has an app of its own.
    """

    body: str
    setup: str = ""
    after: str = ""
    unit: str | None = None
    listen: str = LISTEN
    file: str = "{n}.conf"
    more: str = ""


@dataclass(frozen=True)
class Fault:
    """The rule speaks on `bad` and is silent on `good`."""

    rule: str
    bad: Side
    good: Side
    variant: str = ""
    severities: tuple[str, ...] = ("error", "warning")

    @property
    def id(self) -> str:
        return f"{self.rule}-{self.variant}" if self.variant else self.rule


def static(inside: str) -> str:
    return f"location ^~ /static/ {{ {inside} {DOTFILES} }}"


FAULTS = [
    Fault(
        "root-doubling",
        Side(static("root {d}/static/;"), after="curl -s http://{n}.test/static/health.txt"),
        Side(static("root {d};")),
    ),
    Fault(
        "root-doubling",
        Side("root {d}/static; location ^~ /static/ { " + DOTFILES + " }"),
        Side("root {d}; location ^~ /static/ { " + DOTFILES + " }"),
        variant="inherited",
    ),
    Fault(
        "alias-slash",
        Side(static("alias {d}/static;")),
        Side("location ^~ /static { root {d}; } location /css { alias {d}/static/css; }"),
    ),
    Fault(
        "alias-target",
        Side(static("alias {d}/gone/;")),
        Side(static("alias {d}/link/;"), "ln -s static {d}/link"),
    ),
    Fault(
        "alias-target",
        Side(r"location ~ ^/static/ { alias {d}/static/; }"),
        Side(r"location ~ ^/static/(.*)$ { alias {d}/static/$1; }"),
        variant="regex",
    ),
    Fault(
        "alias-target",
        Side("location /robots.txt { alias {d}/robots.txt; }"),
        Side("location /robots.txt { alias {d}/static/health.txt; }"),
        variant="single-file",
    ),
    Fault(
        "alias-target",
        Side("location /files/ { alias {d}/files/; }"),
        Side(
            "location /files/ { root {d}; try_files $uri @app; }"
            " location @app { proxy_pass http://unix:/run/shared.sock; }"
        ),
        variant="fallback",
    ),
    Fault(
        "alias-target",
        Side("root {d}; location /old/ { rewrite ^/old/a(.*)$ /new/$1 permanent; root {d}; }"),
        Side("root {d}; location /old/ { rewrite ^/old/(.*)$ /new/$1 permanent; root {d}; }"),
        variant="rewrite",
    ),
    Fault(
        "files-missing",
        Side(
            STATIC + OWN_APP,
            "mkdir -p {d}/app/static/js; echo 1 >{d}/app/static/js/app.js",
            unit="",
        ),
        Side(STATIC + OWN_APP, "cp -r {d}/static {d}/app/", unit=""),
    ),
    Fault(
        "nginx-read",
        Side(STATIC, "chmod 0700 {d}/static"),
        Side(STATIC, "chmod 0700 {d}/static; setfacl -m u:www-data:rx {d}/static"),
    ),
    Fault(
        "nginx-read",
        Side(STATIC, "chmod 0600 {d}/static/css/app.css"),
        Side(STATIC, "chgrp www-data {d}/static/css/app.css; chmod 0640 {d}/static/css/app.css"),
        variant="file",
    ),
    Fault(
        "app-write",
        Side(MEDIA + APP, "chown root {d}/media"),
        Side(MEDIA + APP, "chown root {d}/media; setfacl -m u:www-data:rwx {d}/media"),
    ),
    Fault(
        "app-write",
        Side(MEDIA + OWN_APP, unit="ProtectSystem=strict"),
        Side(MEDIA + OWN_APP, unit="ProtectSystem=strict\nReadWritePaths={d}/media"),
        variant="sandbox",
    ),
    Fault(
        "app-write",
        Side(
            MEDIA + "location / { proxy_pass http://127.0.0.1:9101; }",
            "chown root {d}/media",
            after=WITHOUT_UNIT.replace("{port}", "9101"),
        ),
        Side(
            MEDIA + "location / { proxy_pass http://127.0.0.1:9102; }",
            after=WITHOUT_UNIT.replace("{port}", "9102"),
        ),
        variant="without-unit",
    ),
    Fault(
        "route-shadowed",
        Side(
            "location /static/ { alias {d}/static/; }"
            r" location ~* \.(css|js)$ { root /var/www/html; }"
        ),
        Side(
            "location ^~ /static/ { alias {d}/static/; }"
            r" location ~* \.(css|js)$ { root /var/www/html; }"
        ),
    ),
    Fault(
        "served-by-app",
        Side(OWN_APP, "cp -r {d}/static {d}/app/", unit=""),
        Side(STATIC + OWN_APP, "cp -r {d}/static {d}/app/", unit=""),
    ),
    Fault(
        "served-by-app",
        Side("location ^~ /static/ { alias {d}/static/; }" + APP),
        Side(STATIC + APP),
        variant="bare",
        severities=("note",),
    ),
    Fault(
        "served-by-app",
        Side(
            "root /var/www/html; location / { try_files $uri @app; }"
            " location @app { proxy_pass http://unix:/run/{n}.sock; }",
            "cp -r {d}/static {d}/app/",
            unit="",
        ),
        Side(
            "root {d}; location / { try_files $uri @app; }"
            " location @app { proxy_pass http://unix:/run/{n}.sock; }",
            "cp -r {d}/static {d}/app/",
            unit="",
        ),
        variant="try-files",
    ),
    Fault(
        "dup-server",
        Side(STATIC, more="server { {l} server_name {n}.test; return 404; }"),
        Side(STATIC, more="server { listen 8099; server_name {n}.test; return 404; }"),
    ),
    Fault(
        "default-server-capture",
        Side(STATIC, listen="listen 80;"),
        # Nobody else listens there over IPv6: it is refused, and captured by nobody.
        Side(STATIC, listen="listen 8097;"),
        severities=("note",),
    ),
    Fault(
        "log-triage",
        Side(
            STATIC,
            "chmod 0600 {d}/static/health.txt",
            after="curl -s http://{n}.test/static/health.txt",
        ),
        Side(
            STATIC,
            "chmod 0600 {d}/static/health.txt",
            after="curl -s http://{n}.test/static/health.txt; chmod 0644 {d}/static/health.txt",
        ),
    ),
    Fault(
        "log-triage",
        Side(
            "location / { proxy_pass http://unix:/run/{n}.sock; }", after="curl -s http://{n}.test/"
        ),
        Side(
            OWN_APP,
            unit="",
            after="systemctl stop {n}.socket; rm -f /run/{n}.sock;"
            " curl -s http://{n}.test/; systemctl start {n}.socket",
        ),
        variant="upstream",
    ),
    Fault(
        "gunicorn-triage",
        Side(
            MEDIA + OWN_APP,
            "chown root {d}/media",
            unit="Environment=UPLOAD_FOLDER={d}/media",
            after="curl -s http://{n}.test/save",
        ),
        Side(
            MEDIA + OWN_APP,
            "chown root {d}/media",
            unit="Environment=UPLOAD_FOLDER={d}/media",
            after="curl -s http://{n}.test/save; chown www-data {d}/media",
        ),
    ),
    Fault(
        "gunicorn-triage",
        Side(
            MEDIA + OWN_APP,
            unit="Environment=UPLOAD_FOLDER={d}/gone",
            after="curl -s http://{n}.test/save",
        ),
        Side(
            MEDIA + OWN_APP,
            unit="Environment=UPLOAD_FOLDER={d}/media",
            after="curl -s http://{n}.test/save",
        ),
        variant="path",
    ),
    Fault(
        "gunicorn-triage",
        Side(OWN_APP, unit="", after="curl -s http://{n}.test/static/css/app.css"),
        Side(STATIC + OWN_APP, unit="", after="curl -s http://{n}.test/static/css/app.css"),
        variant="static",
        severities=("note",),
    ),
    Fault(
        "socket-chain",
        Side("location / { proxy_pass http://unix:/run/{n}.sock; }"),
        # Nobody listens there before the first connection but systemd.
        Side(OWN_APP, unit=""),
    ),
    Fault(
        "socket-chain",
        Side(OWN_APP, unit="", after="chmod 0600 /run/{n}.sock"),
        Side(OWN_APP, unit="", after="chgrp www-data /run/{n}.sock; chmod 0660 /run/{n}.sock"),
        variant="mode",
    ),
    Fault(
        "ephemeral-path",
        Side(
            "location ^~ /media/ { alias {d}/releases/42/media/; }",
            "mkdir -p {d}/releases; mv {d} {d}.42; mkdir -p {d}/releases;"
            " mv {d}.42 {d}/releases/42; chmod 0755 {d}",
        ),
        Side(
            "location ^~ /static/ { alias {d}/current/static/; }",
            "mv {d} {d}.42; mkdir -p {d}/releases; mv {d}.42 {d}/releases/42;"
            " ln -s releases/42 {d}/current; chmod 0755 {d}",
        ),
    ),
    Fault(
        "media-preserved",
        Side(MEDIA, "echo '0 3 * * * root rsync -a --delete /srv/new/ {d}/' >/etc/cron.d/{n}"),
        Side(
            MEDIA,
            "echo '0 3 * * * root rsync -a --delete --exclude=media/ /srv/new/ {d}/'"
            " >/etc/cron.d/{n}",
        ),
    ),
    Fault(
        "media-preserved",
        Side(
            MEDIA + OWN_APP,
            unit="",
            setup="printf 'rsync -a --delete-after \\\n  build/ {d}\n' >{d}/app/deploy.sh",
        ),
        Side(
            MEDIA + OWN_APP,
            unit="",
            setup="echo 'rsync -a --delay-updates build/ {d}' >{d}/app/deploy.sh",
        ),
        variant="script",
    ),
    Fault(
        "media-preserved",
        Side(
            MEDIA + OWN_APP,
            unit="",
            setup="echo 'cd {d} && git clean -fdx && git pull' >{d}/app/deploy.sh",
        ),
        Side(
            MEDIA + OWN_APP,
            unit="",
            setup="echo 'cd {d} && git clean -fdx -e media/ && git pull' >{d}/app/deploy.sh",
        ),
        variant="git-clean",
    ),
    Fault(
        "upload-dir-mismatch",
        Side(MEDIA + OWN_APP, unit="Environment=UPLOAD_FOLDER={d}/uploads"),
        Side(
            MEDIA + OWN_APP, "ln -s media {d}/uploads", unit="Environment=UPLOAD_FOLDER={d}/uploads"
        ),
    ),
    Fault(
        "upload-dir-mismatch",
        Side(
            MEDIA + OWN_APP,
            unit="",
            setup='sed -i \'1i ROOT = "{d}/lost"\\nclass app: config = {}\\n'
            'app.config["UPLOAD_FOLDER"] = ROOT\' {d}/app/app.py',
        ),
        Side(
            MEDIA + OWN_APP,
            unit="",
            setup='sed -i \'1i ROOT = "{d}/media"\\nclass app: config = {}\\n'
            'app.config["UPLOAD_FOLDER"] = ROOT\' {d}/app/app.py',
        ),
        variant="source",
    ),
    Fault(
        "url-mismatch",
        Side(MEDIA + OWN_APP, unit="Environment=PAGE=/uploads/sample.txt"),
        Side(MEDIA + OWN_APP, unit="Environment=PAGE=/media/sample.txt"),
    ),
    Fault(
        "traversal-leak",
        Side("location /static { alias {d}/static/; }"),
        Side("location /static/ { alias {d}/static/; }"),
    ),
    Fault(
        "traversal-leak",
        Side("location /static { alias {d}/static; }", "echo key >{d}/static.bak"),
        Side("location /static { alias {d}/static; }"),
        variant="sibling",
    ),
    Fault(
        "dotfile-exposure",
        Side("location ^~ /static/ { alias {d}/static/; }", "echo SECRET=1 >{d}/static/.env"),
        Side(STATIC, "echo SECRET=1 >{d}/static/.env"),
    ),
    Fault(
        "duplicate-cache-control",
        Side(static('alias {d}/static/; expires 7d; add_header Cache-Control "no-cache";')),
        Side(
            "expires 7d;"
            + static('alias {d}/static/; expires off; add_header Cache-Control "public";')
        ),
    ),
    Fault(
        "expires-over-proxy",
        Side("expires 1d; location / { proxy_pass http://unix:/run/shared.sock; }"),
        Side("expires 1d; location / { expires off; proxy_pass http://unix:/run/shared.sock; }"),
    ),
    Fault(
        "expires-over-proxy",
        Side("location / { expires max; proxy_pass http://unix:/run/shared.sock; }"),
        Side(
            "location / { expires ${v}; proxy_pass http://unix:/run/shared.sock; }",
            more="map $uri ${v} { default off; }",
        ),
        variant="variable",
    ),
    Fault(
        "header-loss",
        Side(
            "add_header X-Frame-Options DENY always;"
            + static("alias {d}/static/; add_header X-A b;")
        ),
        Side(
            "add_header X-Frame-Options DENY always;"
            + static("alias {d}/static/; add_header X-A b; add_header X-Frame-Options DENY always;")
        ),
        severities=("note",),
    ),
    Fault(
        "active-uploads",
        Side("location ^~ /media/ { alias {d}/media/; }"),
        Side(
            "location ^~ /media/ { alias {d}/media/; types { image/png png; }"
            " default_type application/octet-stream; }"
        ),
        severities=("note",),
    ),
    Fault(
        "body-limit",
        Side(
            "location / { proxy_pass http://unix:/run/shared.sock; }",
            after="head -c 2000000 /dev/zero | curl -s -H Expect: --data-binary @-"
            " http://{n}.test/ || true",
        ),
        Side(
            APP,
            after="head -c 2000000 /dev/zero | curl -s -H Expect: --data-binary @-"
            " http://{n}.test/ || true",
        ),
    ),
    Fault(
        "stale-precompressed",
        Side(
            static("alias {d}/static/; gzip_static on;"),
            "echo old | gzip >{d}/static/css/app.css.gz; touch -d 2020-01-01 {d}/static/css/*.gz",
        ),
        Side(
            static("alias {d}/static/; gzip_static on;"),
            "gzip -k {d}/static/css/app.css; touch -d 2020-01-01 {d}/static/css/*.gz",
        ),
    ),
    Fault(
        "stale-precompressed",
        Side(
            static("alias {d}/static/; gzip_static always;"),
            "echo old | gzip >{d}/static/css/app.css.gz; touch -d 2020-01-01 {d}/static/css/*.gz",
        ),
        # No directive has nginx send these.
        Side(
            static("alias {d}/static/; gzip_static on;"),
            "for e in br zst; do echo old >{d}/static/css/app.css.$e; done;"
            " touch -d 2020-01-01 {d}/static/css/app.css.*",
        ),
        variant="not-sent",
    ),
    Fault(
        "sites-enabled-hygiene",
        Side(STATIC, file="{n}.conf~"),
        # The include of conf.d is *.conf: what is called otherwise is not read there.
        Side(STATIC, "echo 'server {' >/etc/nginx/conf.d/{n}.conf~"),
    ),
    Fault(
        "sites-enabled-hygiene",
        Side(STATIC, more="map $uri ${v} {\u00a0default 1; }"),
        Side(STATIC, more="map $uri ${v} { default 1; } # a comment with\u00a0one"),
        variant="no-break-space",
    ),
    Fault(
        "symlink-escape",
        Side("location ^~ /media/ { alias {d}/media/; }", "ln -s /etc/passwd {d}/media/p.txt"),
        Side("location ^~ /media/ { alias {d}/media/; }", "ln -s sample.txt {d}/media/p.txt"),
    ),
    Fault(
        "writable-static",
        Side(STATIC, "chown -R www-data {d}/static"),
        Side(STATIC, "chgrp -R adm {d}/static; chmod -R g+w {d}/static"),
        severities=("note",),
    ),
    Fault(
        "writable-static",
        Side(STATIC + APP_BESIDE, "chown -R games {d}/static; " + BESIDE),
        Side(STATIC + APP_BESIDE, BESIDE),
        variant="relative-socket",
        severities=("note",),
    ),
    Fault(
        "temp-dir-owner",
        Side(APP + "client_body_temp_path {d}/tmp;", after="chown root {d}/tmp"),
        Side(APP + "client_body_temp_path {d}/tmp;"),
    ),
    Fault(
        "probe-static",
        Side(static("alias {d}/static;")),
        Side(static("alias {d}/static/; deny all;")),
    ),
    Fault(
        "probe-static",
        Side(
            "",
            more=r"server { {l} server_name ~^{n}\d\.test$; " + static("alias {d}/static;") + " }",
        ),
        Side(
            "",
            more=r"server { {l} server_name ~^{n}\d\.test$; " + static("alias {d}/static/;") + " }",
        ),
        variant="regex-name",
    ),
    Fault(
        "probe-media",
        Side(
            "location ^~ /media/ { alias {d}/media/; }"
            " location = /media/sample.txt { root /var/www/html; }"
        ),
        Side(
            "location ^~ /media/ { alias {d}/media/; auth_basic closed;"
            " auth_basic_user_file /etc/hostname; }"
        ),
    ),
    Fault(
        "selinux-sandbox",
        Side(
            "location / { proxy_pass http://unix:/tmp/{n}.sock; }",
            unit="PrivateTmp=yes\nEnvironment=BIND=/tmp/{n}.sock",
        ),
        Side(OWN_APP, unit="PrivateTmp=yes"),
    ),
]
