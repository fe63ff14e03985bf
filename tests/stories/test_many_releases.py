"""Ten versions of a Flask and a Django app in a row, under load; broken ones in between."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import django
import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import release_visitors
from tests.support.flask_release import flask_release
from tests.support.tally import TALLY

pytestmark = [pytest.mark.host, pytest.mark.nightly]

PYTHON = "/opt/apps-venv/bin/python"
PACKAGES = "/opt/apps-venv/lib/python3.11/site-packages"
VISITORS = ("page",) * 5 + ("slow",) * 2 + ("photo",) * 2
MIN_RATE = 50
"""Requests a second, of each app."""

PHOTOS = """
@app.post("/photos/<name>")
def photo(name):
    with open("/var/www/blog/media/" + name, "wb") as file:
        file.write(request.get_data())
    return "stored"
"""
VIEWS = """
import time
from django.db import connection
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
{start}

def index(request):
    {page}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations")
    href = static("app.css") if {asset_exists} else "/static/none.css"
    return HttpResponse(f"<html><link rel=stylesheet href={{href}}>version {version}")

def healthz(request):
    return HttpResponse(status={ready})

def slow(request):
    time.sleep(0.7)
    return HttpResponse("slowly")

@csrf_exempt
def photo(request, name):
    with open("/var/www/shop/media/" + name, "wb") as file:
        file.write(request.body)
    return HttpResponse("stored")

urlpatterns = [
    path("", index), path("healthz", healthz), path("slow", slow), path("photos/<name>", photo),
]
"""
SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent.parent
SECRET_KEY, DEBUG, ALLOWED_HOSTS, ROOT_URLCONF = "x" * 50, False, ["*"], "shop.views"
INSTALLED_APPS = [f"django.contrib.{name}" for name in ("contenttypes", "auth", "staticfiles")]
STATIC_URL, STATIC_ROOT = "/static/", BASE_DIR / "collected"
STATICFILES_DIRS = [BASE_DIR / "assets"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/var/lib/shop/shop.sqlite3"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
WSGI = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""
YAML = f"""
version: 1
sites:
  blog:
    server_names: [blog.test]
    app:
      user: www-data
      gunicorn: {{python: {PYTHON}, module: "app:app", workers: 2, threads: 4}}
      release:
        source: /home/dev/blog
        into: /srv/blog
        keep: 3
        steps: [BLOG_STEP]
        ready: /healthz
    locations:
      /static/:
        role: static
        dir: /var/www/blog/static
        source: "{{release}}/static"
        prune: true
        keep: 7d
      /media/: {{role: media, dir: /var/www/blog/media}}
  shop:
    server_names: [shop.test]
    app:
      user: www-data
      gunicorn:
        python: {PYTHON}
        module: "shop.wsgi:application"
        workers: 2
        threads: 4
        writable: [/var/lib/shop]
      release:
        source: /home/dev/shop
        into: /srv/shop
        keep: 3
        steps:
          - [{PYTHON}, manage.py, collectstatic, --no-input]
          - run: [{PYTHON}, manage.py, migrate, --no-input]
            irreversible: true
            backward_compatible: true
          - SHOP_STEP
        ready: /healthz
    locations:
      /static/:
        role: static
        dir: /var/www/shop/static
        source: "{{release}}/collected"
        prune: true
        keep: 7d
      /media/: {{role: media, dir: /var/www/shop/media}}
"""
FINE = "[/usr/bin/true]"


@dataclass(frozen=True)
class Version:
    """What a version is made of, and how it is broken."""

    name: str
    start: str = ""
    page: str = "pass"
    ready: int = 200
    asset: str = ""
    step: str = FINE
    reason: str = ""


BROKEN = {
    "it cannot be imported": {"start": "import none", "reason": "No module named 'none'"},
    "a step fails": {"step": '[/bin/sh, -c, "echo no column; exit 3"]', "reason": "no column"},
    "a step hangs": {
        "step": "{run: [/bin/sleep, '99'], timeout: 2s}",
        "reason": "it did not end within 2 s",
    },
    "it is never ready": {"ready": 503, "reason": "expected a status below 400, got 503"},
    "its page is an error": {"page": "raise ValueError", "reason": "expected no 5xx, got 500"},
    "an asset is missing": {"asset": "none.css", "reason": "no such file: /static/"},
}


def lay(host: DebianHost, blog: Version, shop: Version) -> None:
    """Put the sources and the configuration of these versions there."""
    host.run("rm", "-rf", "/home/dev")
    style = f"/* {blog.name} */"
    # Only names that hold a hash of their content stay for the pages that are still open.
    name = f"app.{sha256(style.encode()).hexdigest()[:12]}.css"
    text = flask_release(
        blog.name,
        blog.asset or name,
        routes=PHOTOS,
        start=blog.start,
        page=blog.page,
        ready=blog.ready,
    )
    host.write("/home/dev/blog/app.py", text)
    host.write(f"/home/dev/blog/static/{name}", style)
    views = VIEWS.format(
        start=shop.start,
        page=shop.page,
        ready=shop.ready,
        asset_exists=not shop.asset,
        version=shop.name,
    )
    files = {
        "manage.py": MANAGE,
        "shop/__init__.py": "",
        "shop/settings.py": SETTINGS,
        "shop/views.py": views,
        "shop/wsgi.py": WSGI,
        "assets/app.css": f"/* {shop.name} */",
    }
    for name, content in files.items():
        host.write(f"/home/dev/shop/{name}", content)
    yaml = YAML.replace("BLOG_STEP", blog.step).replace("SHOP_STEP", shop.step)
    host.write("/etc/reconcile/reconcile.yaml", yaml)


def apply(host: DebianHost, code: int = 0) -> str:
    done = host.reconcile("apply", "--auto-approve")
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def visited(host: DebianHost, site: str) -> Iterator[dict[str, list[str]]]:
    """Visitors of a site come until the end of the body; none of them may see a failure."""
    inside = ["nsenter", "--target", str(host.leader), "--net"]
    program = str(Path(release_visitors.__file__))
    seen: dict[str, list[str]] = {}
    with subprocess.Popen(
        [*inside, sys.executable, "-I", program, site, str(MIN_RATE), *VISITORS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield seen
        found = json.loads(process.communicate()[0])
    TALLY["requests while releases changed"] += found["count"]
    TALLY["uploads while releases changed"] += found["uploads"]
    assert [] == sorted({failure.partition(" ")[2] for failure in found["failures"]})
    assert found["rate"] >= MIN_RATE
    seen["versions"] = found["versions"]


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    """A host that serves version 1 of both."""
    host = module_hosts()
    site_packages = Path(django.__file__).parents[1]
    for name in ("django", "asgiref", "sqlparse"):
        host.put_tree(site_packages / name, f"{PACKAGES}/{name}")
    lay(host, Version("1"), Version("1"))
    apply(host)
    return host


def test_visitors_notice_ten_releases_in_a_row_by_their_pages_alone(host: DebianHost) -> None:
    with visited(host, "blog.test") as blog, visited(host, "shop.test") as shop:
        for number in range(2, 11):
            fine = Version(str(number))
            if number == 7:
                for how in BROKEN.values():
                    broken = Version("broken", **how)  # type: ignore[arg-type]
                    for pair in ((broken, fine), (fine, broken)):
                        lay(host, *pair)
                        assert broken.reason in apply(host, 3)
            lay(host, fine, fine)
            apply(host)

    expected = sorted(map(str, range(1, 11)))
    assert expected == blog["versions"]
    assert expected == shop["versions"]
