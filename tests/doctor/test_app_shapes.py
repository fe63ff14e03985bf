"""Apps as people write them: factories, packages, blueprints, middleware, rendered pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.doctor.units import UnitView, parse_assignments
from tests.doctor.single_rule import serious
from tests.doctor.test_app import DJANGO, FLASK, asked, packages, project, root, write

__all__ = ["packages", "root"]
pytestmark = pytest.mark.process

PACKAGE = {
    "shop/__init__.py": """
from flask import Flask

def create_app(folder="/srv/by-default"):
    from .views import pages
    app = Flask(__name__)
    app.config["UPLOAD_FOLDER"] = folder
    app.register_blueprint(pages, url_prefix="/shop")
    return app
""",
    "shop/views.py": """
from flask import Blueprint
from .names import NAME
pages = Blueprint(NAME, __name__, static_folder="assets")
""",
    "shop/names.py": "NAME = 'pages'",
    "shop/wsgi.py": "from . import create_app\napp = create_app()",
}
WRAPPED = {
    "ProxyFix": "from werkzeug.middleware.proxy_fix import ProxyFix\napp = ProxyFix(app)",
    "WhiteNoise": "from whitenoise import WhiteNoise\napp = WhiteNoise(app, root='static')",
    "both": "from werkzeug.middleware.proxy_fix import ProxyFix\n"
    "from whitenoise import WhiteNoise\napp = ProxyFix(WhiteNoise(app))",
    "WhiteNoise inside": "from whitenoise import WhiteNoise\n"
    "app.wsgi_app = WhiteNoise(app.wsgi_app, root='static')",
}


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / "app" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("module", "folder"),
    [("shop:create_app()", "/srv/by-default"), ("shop.wsgi:app", "/srv/by-default")],
)
def test_app_import_takes_a_package_that_imports_its_own_parts(
    root: Path, module: str, folder: str
) -> None:
    put(root, PACKAGE)
    flask = FLASK.replace("app:app", module)

    [finding] = serious(asked("upload-dir-mismatch", root, flask))

    assert [] == serious(asked("app-import", root, flask))
    assert f"UPLOAD_FOLDER = {folder}" in finding.evidence[0]


@pytest.mark.parametrize("more", WRAPPED.values(), ids=WRAPPED)
def test_app_import_unwraps_middleware(root: Path, more: str) -> None:
    (root / "app/static").mkdir()
    write(root, folder="/srv/elsewhere", more=more)

    assert [] == serious(asked("app-import", root))
    assert 1 == len(serious(asked("upload-dir-mismatch", root)))


def test_url_mismatch_of_a_blueprint_that_serves_its_own_files(root: Path) -> None:
    put(root, PACKAGE)

    [finding] = serious(asked("url-mismatch", root, FLASK.replace("app:app", "shop.wsgi:app")))

    assert "The app itself serves /shop/assets/; nginx serves only /static/." == finding.what
    assert "(pages.static)" in finding.evidence[0]


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("{% set name = 'a' %}<link href=\"{{ '/lost/' ~ name ~ '.css' }}\">", "/lost/a.css"),
        ("{% for n in [1] %}<img src='/lost/{{ n }}.png'>{% endfor %}", "/lost/1.png"),
        ("<img src='{{ config.CDN }}/a.png'>", "/lost/a.png"),
        ("<img src='{{ asset('a.png') }}'>", "/lost/a.png"),
    ],
    ids=["put together", "in a loop", "of a setting", "by a function of the app"],
)
def test_url_mismatch_of_what_only_a_rendered_page_names(
    root: Path, template: str, url: str
) -> None:
    more = "app.config['CDN'] = '/lost'\napp.jinja_env.globals['asset'] = lambda n: '/lost/' + n"
    write(root, more=more, template=template)

    [finding] = serious(asked("url-mismatch", root))

    assert any(place.endswith(f": {url}") for place in finding.evidence)


@pytest.mark.parametrize(
    "template",
    [
        "{% for item in items %}<img src='{{ url_for(\"media\", name=item.name) }}'>{% endfor %}",
        "{{ current_user.name.title() }}<img src='{{ image }}'>",
        "{{ 1 // 0 }}",
        "{% extends 'gone.html' %}",
        "<img src='{{ url_for('gone') }}'>",
    ],
    ids=["a route with a value", "things of a request", "an error", "no parent", "no route"],
)
def test_url_mismatch_is_silent_on_pages_that_only_a_request_makes_whole(
    root: Path, template: str
) -> None:
    more = "@app.get('/m/<name>', endpoint='media')\ndef media(name): return name"
    write(root, more=more, template=template)

    assert [] == serious(asked("url-mismatch", root))


def test_a_page_that_never_ends_hides_nothing_of_the_app(root: Path) -> None:
    write(root, folder="/srv/elsewhere", template="{% for n in range(10**12) %}{% endfor %}")

    assert 1 == len(serious(asked("upload-dir-mismatch", root)))


def test_a_page_that_ends_the_process_hides_nothing_of_the_app(root: Path) -> None:
    more = "import os\napp.jinja_env.globals['leave'] = lambda: os._exit(3)"
    write(root, folder="/srv/elsewhere", more=more, template="{{ leave() }}")

    assert 1 == len(serious(asked("upload-dir-mismatch", root)))


def test_files_missing_takes_the_static_folder_that_the_app_has(root: Path) -> None:
    (root / "app/web/css").mkdir(parents=True)
    (root / "app/web/css/a.css").write_text("a")
    write(root, options=", static_folder='web', static_url_path='/static'")

    [finding] = serious(asked("files-missing", root))
    (root / "static/css").mkdir()
    (root / "static/css/a.css").write_text("a")

    assert f"only in {root}/app/web: css/a.css" == finding.evidence[0]
    assert [] == serious(asked("files-missing", root))


def test_files_missing_of_a_django_that_never_collected_its_files(root: Path) -> None:
    project(root)

    [finding] = serious(asked("files-missing", root, DJANGO))

    assert "/var/www/shop/static does not exist" in finding.what


URLS = """
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("chart/<str:name>", lambda request, name: HttpResponse(name))]
"""


def with_pages(root: Path, page: str) -> None:
    """A project with an app that has this page."""
    project(root)
    settings = root / "app/project/settings.py"
    more = "INSTALLED_APPS = ['shop.apps.ShopConfig']\nROOT_URLCONF = 'project.urls'\n"
    settings.write_text(settings.read_text() + more)
    config = "from django.apps import AppConfig\nclass ShopConfig(AppConfig):\n    name = 'shop'\n"
    put(
        root,
        {
            "project/urls.py": URLS,
            "shop/__init__.py": "",
            "shop/apps.py": config,
            "shop/templates/shop/page.html": page,
        },
    )


def test_url_mismatch_of_a_template_of_django_names_its_line(root: Path) -> None:
    with_pages(root, "{% load static %}\n<img src='/uploads/{{ name }}'>")

    [finding] = serious(asked("url-mismatch", root, DJANGO))

    assert f"{root}/app/shop/templates/shop/page.html:2: /uploads/" == finding.evidence[0]


def test_url_mismatch_is_silent_where_a_template_of_django_names_what_there_is(root: Path) -> None:
    with_pages(
        root,
        "{% load static %}<link href='{% static 'a.css' %}'><img src='/chart/a.png'>"
        "<img src='/media/{{ name }}'><script src='/static/a.js'></script>",
    )

    assert [] == serious(asked("url-mismatch", root, DJANGO))


def test_a_django_project_whose_urls_fail_still_has_settings(root: Path) -> None:
    with_pages(root, "")
    put(root, {"project/urls.py": "import gone"})

    assert [] == serious(asked("app-import", root, DJANGO))
    assert [] == serious(asked("upload-dir-mismatch", root, DJANGO))


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("A=1\nB='two words'\n# C=3\n; D=4\n", {"A": "1", "B": "two words"}),
        ('E="5" F=6', {"E": "5", "F": "6"}),
        ("A=1\\\n2", {"A": "12"}),
        ("A='unfinished\nB=2", {"B": "2"}),
        ("no variable", {}),
    ],
)
def test_an_environment_file_is_read_as_systemd_does(text: str, variables: dict[str, str]) -> None:
    assert variables == parse_assignments(text)


def test_a_unit_names_its_environment_files() -> None:
    said = {"EnvironmentFiles": "/etc/a b.env (ignore_errors=no)\n/etc/c.env (ignore_errors=yes)"}

    assert ("/etc/a b.env", "/etc/c.env") == UnitView("a.service", said).environment_files
