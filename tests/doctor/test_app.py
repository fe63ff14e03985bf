"""What an app says of itself, compared with nginx: real apps, imported in a venv of theirs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from reconcile.doctor.app_introspection import sandboxed_import as ask_module
from reconcile.doctor.app_introspection.app_facts import AppFacts, InvalidAnswer, app_facts
from reconcile.doctor.app_introspection.sandboxed_import import _without_secrets, interpreter
from reconcile.doctor.inspection import HostInspection
from reconcile.output.findings import Diagnosis
from reconcile.system import Host
from reconcile.system.sandbox import SandboxResult
from tests.doctor.apps import venv
from tests.doctor.single_rule import ask, configured, serious
from tests.doctor.unsandboxed import run_unconfined

SERVER = """
server {{
    listen 127.0.0.1:8099;
    server_name shop.test;
    client_max_body_size {limit};
    location {static} {{ alias {root}/static/; }}
    location /media/ {{ alias {root}/media/; }}
    location / {{ proxy_pass http://127.0.0.1:1; }}
}}
"""
YAML = """
version: 1
sites:
  shop:
    server_names: [shop.test]
    app:
      upstream: http://127.0.0.1:1
      user: www-data
      {framework}
    locations:
      /media/: {{role: media, dir: {root}/media}}
"""
FLASK = "flask: {directory: ./app, module: 'app:app'}"
DJANGO = "django: {directory: ./app, settings: project.settings}"
APP = """
from flask import Flask
app = Flask(__name__{options})
app.config["UPLOAD_FOLDER"] = "{folder}"
app.config["MAX_CONTENT_LENGTH"] = {most}
{more}
"""
SETTINGS = """
SECRET_KEY = "x"
STATIC_URL = "{static}"
STATIC_ROOT = "/var/www/shop/static"
MEDIA_URL = "{media}"
MEDIA_ROOT = "{folder}"
TEMPLATES = []
"""


@pytest.fixture(scope="module")
def packages() -> Iterator[Path]:
    """A folder with a venv that has Flask and Django."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    venv(folder / "venv")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def root(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with an empty app and its media, and the venv beside."""
    monkeypatch.setattr(ask_module, "run_sandboxed", run_unconfined)
    folder = Path(tempfile.mkdtemp(dir=packages))
    folder.chmod(0o755)
    for name in ("app/templates", "media", "static"):
        (folder / name).mkdir(parents=True)
    (folder / "app/.venv").symlink_to(packages / "venv")
    yield folder
    shutil.rmtree(folder)


def asked(
    rule: str, root: Path, framework: str = FLASK, *, static: str = "/static/", limit: str = "1m"
) -> Diagnosis:
    host = configured(root, SERVER.format(root=root, static=static, limit=limit))
    return ask(rule, host, root, YAML.format(root=root, framework=framework))


def write(
    root: Path,
    *,
    options: str = "",
    folder: str = "",
    most: str = "None",
    more: str = "",
    template: str = "",
) -> None:
    folder = folder or f"{root}/media"
    text = APP.format(options=options, folder=folder, most=most, more=more)
    (root / "app/app.py").write_text(text)
    (root / "app/templates/page.html").write_text(template)


def project(
    root: Path, *, static: str = "/static/", media: str = "/media/", folder: str = ""
) -> None:
    (root / "app/project").mkdir()
    text = SETTINGS.format(static=static, media=media, folder=folder or f"{root}/media")
    (root / "app/project/settings.py").write_text(text)


FAILING = {
    "exits": ("import sys; sys.exit('no database')", "SystemExit: no database"),
    "leaves at once": ("import os; os._exit(7)", "ended the process (exit status 7)"),
    "lies": ("import os; os.write(3, b'{'); os._exit(0)", "ended the process (exit status 0)"),
    "raises": ("raise KeyError('DATABASE')", "KeyError: 'DATABASE'"),
    "lacks a package": ("import psycopg_none", "No module named 'psycopg_none'"),
    "is no Python": ("def (", "SyntaxError"),
    "has no app": ("del app", "has no attribute 'app'"),
    "is no Flask app": ("app = 1", "not a Flask app: int"),
}


@pytest.mark.process
@pytest.mark.parametrize(("more", "why"), FAILING.values(), ids=FAILING)
def test_app_import_reports_why_it_failed(root: Path, more: str, why: str) -> None:
    write(root, more=more)

    [finding] = serious(asked("app-import", root))

    assert why in finding.what
    assert f"as www-data in {root}/app" in finding.evidence[0]


@pytest.mark.process
def test_app_import_names_the_line_of_the_apps_own_code(root: Path) -> None:
    write(root, more="raise KeyError('x')")

    [finding] = serious(asked("app-import", root))

    assert f"{root}/app/app.py:6" in finding.evidence


UNCERTAIN = {
    "it is out of memory": "raise MemoryError",
    "no process can be started": "raise BlockingIOError(11, 'Resource temporarily unavailable')",
    "no room is left": "raise OSError(28, 'No space left on device')",
}


@pytest.mark.process
@pytest.mark.parametrize("more", UNCERTAIN.values(), ids=UNCERTAIN)
def test_app_import_that_reaches_a_limit_of_the_sandbox_is_unknown(root: Path, more: str) -> None:
    write(root, more=more)

    found = asked("app-import", root)

    assert () == found.findings
    assert "in a sandbox" in found.unknown[0].reason


@pytest.mark.process
@pytest.mark.parametrize("outcome", ["killed", "timeout", "too much output"])
def test_app_import_that_does_not_end_is_unknown(
    root: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    ended = SandboxResult("", cast(Any, outcome))
    monkeypatch.setattr(ask_module, "run_sandboxed", lambda *_, **__: ended)

    found = asked("app-import", root)

    assert () == found.findings
    assert 1 == len(found.unknown)


@pytest.mark.process
def test_app_import_is_silent_where_it_succeeds(root: Path) -> None:
    write(
        root,
        more="print('hello')\nimport threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()",
    )

    assert [] == serious(asked("app-import", root))


@pytest.mark.process
def test_app_import_takes_a_factory_of_a_package(root: Path) -> None:
    (root / "app/shop").mkdir()
    (root / "app/shop/__init__.py").write_text(
        "from flask import Flask\ndef create_app():\n    return Flask(__name__)\n"
    )

    assert [] == serious(asked("app-import", root, FLASK.replace("app:app", "shop:create_app()")))


@pytest.mark.process
def test_app_import_reports_an_app_that_cannot_be_read(root: Path) -> None:
    write(root)
    shutil.chown(root / "app", "root")
    os.chmod(root / "app", 0o700)

    [finding] = serious(asked("app-import", root))

    assert "Permission denied" in finding.what


@pytest.mark.process
def test_app_import_of_an_app_that_runs_as_root_is_not_tried(root: Path) -> None:
    write(root)
    host = configured(root, SERVER.format(root=root, static="/static/", limit="1m"))
    yaml = YAML.format(root=root, framework=FLASK).replace("user: www-data", "user: root")
    yaml = yaml.replace("role: media", "owner: {user: root}, role: media")

    found = ask("app-import", host, root, yaml)

    assert [
        "app:app of shop: .venv/bin/python was not run as root: a sandbox does not confine root"
    ] == [one.reason.replace(f"{root}/app/", "") for one in found.unknown]


@pytest.mark.process
def test_upload_dir_mismatch_by_the_imported_settings(root: Path) -> None:
    write(root, folder="/srv/elsewhere")

    [finding] = serious(asked("upload-dir-mismatch", root))

    assert f"shop saves uploads in /srv/elsewhere, but nginx serves {root}/media." == finding.what


@pytest.mark.process
def test_upload_dir_mismatch_is_silent_where_a_link_leads_to_the_same(root: Path) -> None:
    (root / "link").symlink_to(root / "media")
    write(root, folder=f"{root}/link")

    assert [] == serious(asked("upload-dir-mismatch", root))


@pytest.mark.process
def test_upload_dir_mismatch_of_django(root: Path) -> None:
    project(root, folder="/srv/elsewhere")

    [finding] = serious(asked("upload-dir-mismatch", root, DJANGO))

    assert "MEDIA_ROOT = /srv/elsewhere" in finding.evidence[0]


@pytest.mark.process
def test_upload_dir_mismatch_of_a_right_django_is_silent(root: Path) -> None:
    project(root)

    assert [] == serious(asked("upload-dir-mismatch", root, DJANGO))


@pytest.mark.process
def test_url_mismatch_of_the_static_url(root: Path) -> None:
    write(root, options=", static_url_path='/assets'")

    [finding] = serious(asked("url-mismatch", root))

    assert "The app's static files are at /assets/, but nginx serves /static/." == finding.what


@pytest.mark.process
def test_url_mismatch_of_a_template_names_its_line(root: Path) -> None:
    write(root, template="<p>\n<img src='/uploads/{{ name }}'>\n<a href='/about'>")

    [finding] = serious(asked("url-mismatch", root))

    assert f"{root}/app/templates/page.html:2: /uploads/" == finding.evidence[0]


@pytest.mark.process
def test_url_mismatch_of_a_route_that_hands_out_uploads(root: Path) -> None:
    write(root, more="@app.get('/uploads/<path:name>')\ndef sent(name): return name")

    [finding] = serious(asked("url-mismatch", root))

    assert "The app itself serves /uploads/; nginx serves only /media/." == finding.what


@pytest.mark.process
def test_url_mismatch_of_djangos_media_url(root: Path) -> None:
    project(root, media="/uploads/")

    [finding] = serious(asked("url-mismatch", root, DJANGO))

    assert "The app's media files are at /uploads/, but nginx serves /media/." == finding.what


@pytest.mark.process
def test_url_mismatch_is_silent_where_all_urls_are_nginxs_or_the_apps(root: Path) -> None:
    write(
        root,
        more="@app.get('/chart/<name>.png')\ndef chart(name): return name\n"
        "@app.post('/upload')\ndef upload(): return ''",
        template="<link href=\"{{ url_for('static', filename='css/a.css') }}\">"
        "<img src='/media/{{ name }}'><img src='/chart/a.png'><img src='//cdn.test/a.png'>"
        "<script src='https://cdn.test/a.js'></script>",
    )

    assert [] == serious(asked("url-mismatch", root))


@pytest.mark.process
def test_url_mismatch_of_a_right_django_is_silent(root: Path) -> None:
    project(root, static="static/")

    assert [] == serious(asked("url-mismatch", root, DJANGO))


@pytest.mark.process
def test_body_limit_below_what_the_app_takes(root: Path) -> None:
    write(root, most="50 * 2**20")

    [finding] = serious(asked("body-limit", root, limit="20m"))

    assert (
        "The app accepts 52428800 bytes, but nginx rejects more than 20971520 (413)."
        == finding.what
    )


@pytest.mark.process
def test_body_limit_is_silent_where_nginx_takes_as_much(root: Path) -> None:
    write(root, most="20 * 2**20")

    assert [] == serious(asked("body-limit", root, limit="20m"))


@pytest.mark.process
def test_the_interpreter_is_the_services_own_before_a_venv_near_by(root: Path) -> None:
    folder = str(root / "app")
    gunicorn = f"{folder}/.venv/bin/gunicorn -w 2 app:app"

    assert f"{folder}/.venv/bin/python" == interpreter(Host(), folder, gunicorn)
    assert f"{folder}/.venv/bin/python" == interpreter(Host(), folder, "")
    assert "/usr/bin/python3" == interpreter(Host(), "/srv", "/none/bin/gunicorn app:app")


def test_secrets_of_the_service_are_not_shown() -> None:
    given = {"DATABASE_URL": "postgres://u:pw@h/d", "SHOP": "shop.test"}

    told = _without_secrets("postgres://u:pw@h/d of shop.test", given)

    assert "(sensitive) of shop.test" == told


COMPLETE = {"static_url": None, "static_folder": None, "media_url": None, "folders": {},
            "most_bytes": None, "routes": [], "links": []}  # fmt: skip
TOO_LONG = {**COMPLETE, "routes": [["/files" * 1000, "sent"]]}


@pytest.mark.parametrize("answer", [None, [], {}, {"routes": 1}, {"folders": []}, "x", 7, TOO_LONG])
def test_an_answer_of_another_form_is_no_answer(answer: object) -> None:
    with pytest.raises(InvalidAnswer):
        app_facts(answer)


@pytest.mark.process
def test_the_app_is_imported_once_for_all_rules(root: Path) -> None:
    from reconcile.config.load import load_bytes
    from reconcile.doctor.read_declaration import declaration

    write(root, folder="/srv/elsewhere")
    host = configured(root, SERVER.format(root=root, static="/static/", limit="1m"))
    yaml = YAML.format(root=root, framework=FLASK)
    snapshot = HostInspection(host, declaration(load_bytes(yaml.encode(), str(root / "r.yaml"))))
    [server] = snapshot.servers

    first = snapshot.app_facts(server)

    assert isinstance(first, AppFacts)
    assert first is snapshot.app_facts(server)
