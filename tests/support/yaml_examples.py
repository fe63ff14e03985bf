"""Example files, and the errors that loading one reports."""

from __future__ import annotations

import re

from reconcile.config.config import Config
from reconcile.config.diagnostics import ConfigErrors
from reconcile.config.load import load_bytes

FILE = "/srv/app/reconcile.yaml"

SMALLEST = """\
version: 1
sites:
  myapp:
    server_names: [example.com]
    app: {upstream: "unix:/run/gunicorn.sock", service: gunicorn.service}
    locations:
      /static/: {role: static, dir: /var/www/myapp/static, source: ./app/static}
      /media/:  {role: media,  dir: /var/www/myapp/media}
"""

WHOLE = """\
version: 1
host:
  nginx: {config: /etc/nginx/nginx.conf, binary: /usr/sbin/nginx, user: www-data}
  service_manager: systemd
  state_dir: /var/lib/reconcile
owners:
  assets:  {user: root,     group: root,     dirs: "0755", files: "0644"}
  uploads: {user: www-data, group: www-data, dirs: "0755", files: "0644"}
cache_policies:
  week:   {max_age: 7d, visibility: public}
  day:    {max_age: 1d, visibility: public}
  hashed: {max_age: 1y, visibility: public, immutable: true}
  none:   {no_store: true}
paths:
  /var/www/myapp:     {owner: assets}
  /etc/myapp/app.env:
    {owner: {user: root, group: www-data, files: "0640"}, source: ./app.env, sensitive: true}
  /var/www/myapp/current: {link: /srv/releases/42}
sites:
  myapp:
    server_names: [example.com, www.example.com]
    listen: [80, 443]
    default_server: false
    tls: {certificate: /etc/ssl/shop.pem, key: /etc/ssl/shop.key, redirect: true, hsts: 1y}
    max_upload: 20MB
    app:
      upstream: unix:/run/gunicorn.sock
      service: gunicorn.service
      user: www-data
      gunicorn:
        directory: /srv/myapp
        python: /srv/myapp/.venv/bin/python
        module: "app:app"
        workers: 3
    locations:
      /static/:
        role: static
        dir: /var/www/myapp/static
        source: ./app/static
        owner: assets
        cache: week
        prune: false
        precompress: [gzip]
      /media/: {role: media, dir: /var/www/myapp/media, owner: uploads, cache: day}
      /protected/: {role: private, dir: /srv/files/protected}
    extra: |
      gzip on;
    probes:
      - get: /static/css/app.css
        expect:
          status: 200
          served_by: nginx
          headers: {Cache-Control: "public, max-age=604800"}
      - {upload: /upload, field: file, then_get: "/media/{filename}"}
    http2: true
    headers: {X-Frame-Options: DENY, Content-Security-Policy: "default-src 'self'"}
"""


def load_text(text: str) -> Config:
    return load_bytes(text.encode(), FILE)


def site(*lines: str, name: str = "shop") -> str:
    """A file with one site that has these lines; its names and app are given."""
    head = [
        "version: 1",
        "sites:",
        f"  {name}:",
        "    server_names: [shop.test]",
        "    app: {upstream: 'http://127.0.0.1:8000'}",
    ]
    return "\n".join([*head, *(f"    {line}" for line in lines), ""])


def errors_at_lines(text: str) -> list[str]:
    """The errors of a file: `line: message (hint)`."""
    return [re.sub(r"^(\d+):\d+", r"\1", error) for error in errors_in(text)]


def errors_in(text: str | bytes) -> list[str]:
    """The errors of a file: `line:column message (hint)`."""
    data = text if isinstance(text, bytes) else text.encode()
    try:
        load_bytes(data, FILE)
    except ConfigErrors as error:
        return [str(one).removeprefix(f"{FILE}:") for one in error.diagnostics]
    return []
