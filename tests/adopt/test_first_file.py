"""`reconcile init`: what a folder shows of its app, and a file whose first plan succeeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.adopt.app_folder import AppFolder, assumed_app, find_app
from reconcile.adopt.first_file import first_file, site_name
from reconcile.config.load import load_bytes
from reconcile.config.site.site import Site
from reconcile.workspace import Workspace
from reconcile.workspace.planning import plan_changes
from tests.support.image import Image

MANAGE = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FACTORY = "from flask import Flask\ndef create_app(config=None):\n    return Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI\napp: FastAPI = FastAPI(title='x')\n"
STARLETTE = "from starlette.applications import Starlette\napi = Starlette(routes=[])\n"
MOUNT = FASTAPI + 'app.mount("/assets", StaticFiles(directory="web/dist"), name="assets")\n'
SOCKET = FASTAPI + '@app.websocket("/ws")\nasync def ws(s): ...\n'


def folder(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


@pytest.mark.parametrize(
    ("files", "framework", "module", "below"),
    [
        ({"app.py": FLASK}, "flask", "app:app", ""),
        ({"wsgi.py": "from shop import create_app\napplication = create_app()\n"}, "flask",
         "wsgi:application", ""),
        ({"shop/__init__.py": FACTORY}, "flask", "shop:create_app()", ""),
        ({"src/shop/__init__.py": FLASK}, "flask", "shop:app", "src"),
        ({"app/app.py": FLASK}, "flask", "app:app", "app"),
        ({"main.py": FASTAPI}, "fastapi", "main:app", ""),
        ({"app/__init__.py": "", "app/main.py": FASTAPI}, "fastapi", "app.main:app", ""),
        ({"main.py": STARLETTE}, "fastapi", "main:api", ""),
        ({"manage.py": MANAGE, "shop/wsgi.py": ""}, "django", "shop.wsgi:application", ""),
        ({"manage.py": MANAGE, "shop/asgi.py": ""}, "django", "shop.asgi:application", ""),
        ({"web/manage.py": MANAGE, "web/shop/wsgi.py": ""}, "django", "shop.wsgi:application",
         "web"),
    ],
)  # fmt: skip
def test_an_app_is_recognized(
    tmp_path: Path, files: dict[str, str], framework: str, module: str, below: str
) -> None:
    found = find_app(folder(tmp_path, files))

    assert found is not None
    assert (framework, module) == (found.framework, found.module)
    assert str(tmp_path / below) == found.directory


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"app.py": "print('hello')\n"},
        {"README.md": FLASK},
        {"app.py": "app = Thing()  # not flask at all, Flask(\n"},
        {"manage.py": "print('no settings')\n"},
    ],
)
def test_a_folder_without_an_app_shows_none(tmp_path: Path, files: dict[str, str]) -> None:
    assert find_app(folder(tmp_path, files)) is None


def test_the_framework_that_is_named_is_taken_of_several(tmp_path: Path) -> None:
    both = folder(tmp_path, {"app.py": FLASK, "main.py": FASTAPI})

    found = [find_app(both, "flask"), find_app(both, "fastapi"), find_app(both, "django")]

    assert ["app:app", "main:app", None] == [one and one.module for one in found]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"app.py": FLASK, "static/a.css": ""}, ("/static/", "static")),
        ({"shop/__init__.py": FLASK, "shop/static/a.css": ""}, ("/static/", "shop/static")),
        ({"main.py": MOUNT}, ("/assets/", "web/dist")),
        ({"main.py": FASTAPI}, None),
    ],
)
def test_static_files_are_where_the_app_has_them(
    tmp_path: Path, files: dict[str, str], expected: tuple[str, str] | None
) -> None:
    found = find_app(folder(tmp_path, files))

    assert found is not None
    assert (expected and (expected[0], str(tmp_path / expected[1]))) == found.static


def test_a_virtual_environment_is_used_and_what_it_lacks_is_named(tmp_path: Path) -> None:
    files = {"main.py": SOCKET, ".venv/bin/python": "", ".venv/bin/gunicorn": ""}

    found = find_app(folder(tmp_path, files))

    assert found is not None
    assert (f"{tmp_path}/.venv/bin/python", ("uvicorn",)) == (found.python, found.lacks)
    assert (True, True) == (found.is_async, found.websocket)


APPS = {
    "flask": {"app.py": FLASK, "static/a.css": "", ".venv/bin/python": ""},
    "django": {"manage.py": MANAGE, "shop/wsgi.py": ""},
    "fastapi": {"main.py": SOCKET, "static/a.css": ""},
}


def site_of(app: AppFolder, root: Path) -> Site:
    text = first_file(app, str(root), "shop", "shop.example")
    assert all(len(line) <= 100 for line in text.splitlines() if str(root) not in line)
    return load_bytes(text.encode(), f"{root}/reconcile.yaml").sites["shop"]


@pytest.mark.parametrize("files", APPS.values(), ids=APPS)
def test_the_file_serves_the_app(tmp_path: Path, files: dict[str, str]) -> None:
    found = find_app(folder(tmp_path, files))
    assert found is not None

    site = site_of(found, tmp_path)

    assert site.app is not None
    assert site.app.gunicorn is not None
    assert found.module == site.app.gunicorn.module
    assert bool(site.app.django) == (found.framework == "django")
    wanted = "uvicorn.workers.UvicornWorker" if found.is_async else None
    assert wanted == site.app.gunicorn.worker_class


@pytest.mark.parametrize("framework", ["flask", "django", "fastapi"])
def test_a_framework_that_the_folder_does_not_show_is_written_as_it_usually_is(
    tmp_path: Path, framework: str
) -> None:
    site = site_of(assumed_app(str(tmp_path), framework), tmp_path)  # type: ignore[arg-type]  # one of the three

    assert site.app is not None
    assert site.app.gunicorn is not None


@pytest.mark.parametrize(
    ("path", "name"), [("/srv/my shop", "my-shop"), ("/srv/shop", "shop"), ("/", "myapp")]
)
def test_the_site_is_named_after_its_folder(path: str, name: str) -> None:
    assert name == site_name(path)


@pytest.mark.process
@pytest.mark.parametrize("files", APPS.values(), ids=APPS)
def test_the_first_plan_succeeds(public: Path, files: dict[str, str]) -> None:
    image = Image(public)
    code = public / "code"
    found = find_app(folder(code, files))
    assert found is not None
    text = first_file(found, str(code), "shop", "shop.example").replace("/var/www", f"{public}/www")
    host = image.declare(shop=8001).config.file
    section = Path(host).read_text().partition("sites:")[0].removeprefix("version: 1\n")
    (code / "reconcile.yaml").write_text(text + section)

    plan = plan_changes(Workspace.open(str(code / "reconcile.yaml")))

    assert (0, 0) == (plan.exit_code(detailed=False), len(plan.refusals))
