"""Names, times and modes of files: what is on the disk and does not arrive."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconcile.doctor import access_log_findings
from reconcile.system.logs import tail_with_rotated
from tests.doctor.single_rule import found, noted
from tests.support.needs_root import needs_root
from tests.support.ports import free_port
from tests.support.real_nginx import running
from tests.support.wait import wait_for

pytestmark = pytest.mark.process

STATIC = "server { server_name a.test; location /static/ { alias {root}/static/; MORE } }"
NFC, NFD = (unicodedata.normalize(form, "Größe.jpg") for form in ("NFC", "NFD"))


def lay(root: Path, *names: str, folder: str = "static") -> None:
    for name in names:
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def log(root: Path, name: str) -> None:
    line = (
        f'2026/11/28 10:00:00 [error] 7#7: *1 open() "{root}/static/{name}" failed (2: No such file'
        ' or directory), client: 127.0.0.1, server: a.test, request: "GET / HTTP/1.1"\n'
    )
    with (root / "error.log").open("a") as file:
        file.write(line)


MISSED = {
    "the Unicode form": (NFD, NFC, "Unicode form"),
    "the case": ("img/Logo.PNG", "img/logo.png", "letter case"),
    "the case of a folder": ("Img/logo.png", "img/logo.png", "letter case"),
    "%-escapes in the name": ("my%20file.pdf", "my file.pdf", "percent-encoding"),
    "%-escapes in the link": ("my file.pdf", "my%20file.pdf", "percent-encoding"),
    "a blank at the end": ("report.pdf ", "report.pdf", "blanks"),
    "a dot at the end": ("report.pdf.", "report.pdf", "dot at the end"),
    "a byte order mark": ("\ufeffreport.pdf", "report.pdf", "blanks"),
}


@pytest.mark.parametrize(("there", "requested", "how"), MISSED.values(), ids=MISSED)
def test_file_names_reports_what_was_requested_by_another_spelling(
    tmp_path: Path, there: str, requested: str, how: str
) -> None:
    lay(tmp_path, there)
    log(tmp_path, requested)

    [finding] = found("file-names", tmp_path, STATIC.replace("MORE", ""))

    assert f"requested: {tmp_path}/static/{requested}" in finding.evidence
    assert how in finding.evidence[1]


def test_file_names_fix_ends_the_finding(tmp_path: Path) -> None:
    lay(tmp_path, NFD)
    log(tmp_path, NFC)
    [finding] = found("file-names", tmp_path, STATIC.replace("MORE", ""))

    subprocess.run(["sh", "-c", finding.fix], check=True)

    assert [] == found("file-names", tmp_path, STATIC.replace("MORE", ""))
    assert [NFC] == os.listdir(tmp_path / "static")


def test_file_names_reads_each_log_once_however_many_folders_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def tail(path: str, limit: int) -> Iterator[tuple[str, list[str]]]:
        """The end of a log, which is counted."""
        read.append(path)
        return tail_with_rotated(path, limit)

    monkeypatch.setattr(access_log_findings, "tail_with_rotated", tail)
    for number in range(5):
        lay(tmp_path, "x", folder=f"f{number}")
    folders = "".join(f"location /static/{n}/ {{ alias {tmp_path}/f{n}/; }} " for n in range(5))

    found("file-names", tmp_path, f"server {{ access_log {tmp_path}/access.log; {folders} }}")

    assert [f"{tmp_path}/access.log"] == read


APART = {
    "a file of another name": (["a.jpg"], "b.jpg"),
    "two that may be meant": (["A.jpg", "a.JPG"], "a.jpg"),
    "a file that came since": (["a.jpg"], "a.jpg"),
    "nothing at all": (["b/c.jpg"], "c.jpg"),
}


@pytest.mark.parametrize(("there", "requested"), APART.values(), ids=APART)
def test_file_names_is_silent(tmp_path: Path, there: list[str], requested: str) -> None:
    lay(tmp_path, *there)
    log(tmp_path, requested)

    assert [] == found("file-names", tmp_path, STATIC.replace("MORE", ""))


ODD = {
    NFD: ("NFD", NFC),
    "app.css?v=1": ("what follows a ? in a URL", "app.css"),
    "a#b.css": ("never sent", "a"),
    "css\\app.css": ("turn \\ into /", "app.css"),
    "my%20file.pdf": ("saved with %-escapes", "'my file.pdf'"),
    "a.pdf ": ("a space or a dot", "a.pdf"),
    "a\u200bb.pdf": ("an invisible character", "ab.pdf"),
    os.fsdecode(b"Gr\xf6\xdfe.jpg"): ("not in UTF-8", "Größe.jpg"),
}


@pytest.mark.parametrize(("name", "reason", "plain"), [(n, *v) for n, v in ODD.items()], ids=ascii)
def test_file_names_notes_a_name_that_links_may_miss(
    tmp_path: Path, name: str, reason: str, plain: str
) -> None:
    lay(tmp_path, name, "plain name-1.css", ".hidden", NFC)
    if plain == NFC:
        (tmp_path / "static" / NFC).unlink()

    [finding] = noted("file-names", tmp_path, STATIC.replace("MORE", ""))

    assert reason in finding.what
    assert finding.fix.endswith(plain) or finding.fix.endswith(f"/{plain.strip(chr(39))}'")


YEARS = {"Nix": 1, "a container": 0, "zip": 315532800, "npm": 499162500}


@pytest.mark.parametrize("seconds", YEARS.values(), ids=YEARS)
def test_frozen_mtimes_reports(tmp_path: Path, seconds: int) -> None:
    lay(tmp_path, "js/app.js", "js/new.js")
    os.utime(tmp_path / "static/js/app.js", (seconds, seconds))

    [finding] = found("frozen-mtimes", tmp_path, STATIC.replace("MORE", ""))

    assert f'ETag "{seconds:x}-1"' in finding.evidence[1]
    subprocess.run(["sh", "-c", finding.fix], check=True)
    assert [] == found("frozen-mtimes", tmp_path, STATIC.replace("MORE", ""))


LIVELY = {
    "names with a hash": ("js/app.3f9c1a2b.js", "", 0),
    "times of this year": ("js/app.js", "", 1_700_000_000),
    "no validators": ("js/app.js", "etag off; if_modified_since off;", 0),
    "a hidden file": (".app.js", "", 0),
}


@pytest.mark.parametrize(("name", "more", "seconds"), LIVELY.values(), ids=LIVELY)
def test_frozen_mtimes_is_silent(tmp_path: Path, name: str, more: str, seconds: int) -> None:
    lay(tmp_path, name)
    os.utime(tmp_path / "static" / name, (seconds, seconds))

    assert [] == found("frozen-mtimes", tmp_path, STATIC.replace("MORE", more))


TYPES = "types { video/mp4 mp4; application/pdf pdf; image/svg+xml svg; }"
UNRANGED = {
    "every type": ("gzip on; gzip_types *;", "film.mp4", "name the types in place of *"),
    "its type": ("gzip on; gzip_types text/css video/mp4;", "film.mp4", "remove video/mp4"),
    "a download": ("gzip on; gzip_types application/pdf;", "a.pdf", "remove application/pdf"),
    "Brotli": ("brotli on; brotli_types *;", "film.mp4", "brotli_types text/plain"),
    "no ranges at all": ("max_ranges 0;", "film.mp4", "remove max_ranges 0"),
}


@pytest.mark.parametrize(("more", "name", "fix"), UNRANGED.values(), ids=UNRANGED)
def test_range_loss_reports(tmp_path: Path, more: str, name: str, fix: str) -> None:
    lay(tmp_path, name)

    [finding] = found("range-loss", tmp_path, TYPES + STATIC.replace("MORE", more))

    assert fix in finding.fix


RANGED = {
    "texts": ("gzip on; gzip_types text/css image/svg+xml;", ["film.mp4", "a.svg"]),
    "gzip that is off": ("gzip off; gzip_types *;", ["film.mp4"]),
    "an image that is text": ("gzip on; gzip_types *;", ["a.svg"]),
    "one range": ("max_ranges 1;", ["film.mp4"]),
}


@pytest.mark.parametrize(("more", "names"), RANGED.values(), ids=RANGED)
def test_range_loss_is_silent(tmp_path: Path, more: str, names: list[str]) -> None:
    lay(tmp_path, *names)

    assert [] == found("range-loss", tmp_path, TYPES + STATIC.replace("MORE", more))


def test_range_loss_is_what_nginx_does(tmp_path: Path) -> None:
    lay(tmp_path, "film.mp4")
    (tmp_path / "static/film.mp4").write_bytes(b"x" * 10_000)
    port, statuses = free_port(), []
    for types in ("*", "text/css"):
        more = f"gzip on; gzip_types {types};"
        site = STATIC.replace("server {", f"server {{ listen 127.0.0.1:{port};")
        http = TYPES + site.replace("MORE", more).replace("{root}", str(tmp_path))
        with running(tmp_path, http, port) as nginx:
            assert nginx is not None
            headers = ["-H", "Host: a.test", "-H", "Accept-Encoding: gzip", "-r", "0-9"]
            url = f"http://127.0.0.1:{port}/static/film.mp4"
            done = subprocess.run(
                ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *headers, url],
                capture_output=True,
                text=True,
                check=True,
            )
            statuses.append(done.stdout)

    assert ["200", "206"] == statuses


ORIGIN = "add_header Access-Control-Allow-Origin"
REFUSED = {
    "several origins": (f'{ORIGIN} "https://a.test https://b.test" always;', "several origins"),
    "a list": (f'{ORIGIN} "https://a.test,https://b.test" always;', "several origins"),
    "credentials to all": (
        f'{ORIGIN} "*" always; add_header Access-Control-Allow-Credentials true always;',
        "credentials to every origin",
    ),
}


@pytest.mark.parametrize(("more", "what"), REFUSED.values(), ids=REFUSED)
def test_cors_reports(tmp_path: Path, more: str, what: str) -> None:
    [finding] = found("cors", tmp_path, STATIC.replace("MORE", more))

    assert what in finding.what


GIVEN = {
    "all": f'{ORIGIN} "*" always;',
    "one, with credentials": (
        f'{ORIGIN} "https://a.test" always;'
        " add_header Access-Control-Allow-Credentials true always;"
    ),
    "by a variable": f"{ORIGIN} $http_origin always; add_header Vary Origin always;",
    "none": "add_header Cache-Control public;",
}


@pytest.mark.parametrize("more", GIVEN.values(), ids=GIVEN)
def test_cors_is_silent(tmp_path: Path, more: str) -> None:
    assert [] == found("cors", tmp_path, STATIC.replace("MORE", more))
    assert [] == noted("cors", tmp_path, STATIC.replace("MORE", more))


def test_cors_notes_errors_without_the_header(tmp_path: Path) -> None:
    location = f"location /api/ {{ proxy_pass http://127.0.0.1:1; {ORIGIN} *; }}"

    [finding] = noted("cors", tmp_path, f"server {{ server_name a.test; {location} }}")

    assert "an upload over 1048576 bytes (413) has no such header" in finding.evidence[0]
    assert finding.fix.endswith(f"{ORIGIN} * always;")


NOBODY = 65534
APP = """
import os, socket, sys
os.umask(int(sys.argv[2], 8))
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    server.accept()
"""


@contextmanager
def app(port: int, umask: str) -> Iterator[None]:
    """A program of the user nobody that listens there."""
    command = ["setpriv", "--pdeathsig", "KILL", f"--reuid={NOBODY}", f"--regid={NOBODY}"]
    command += ["--clear-groups", sys.executable, "-c", APP, str(port), umask]
    process = subprocess.Popen(command)
    try:
        listeners = ["ss", "-Hltn", f"sport = :{port}"]
        wait_for(lambda: subprocess.check_output(listeners), "the app")
        yield
    finally:
        process.kill()
        process.wait()


def uploads(root: Path, umask: str) -> list[str]:
    port = free_port()
    media = "location /media/ { alias {root}/media/; }"
    http = f"server {{ {media} location / {{ proxy_pass http://127.0.0.1:{port}; }} }}"
    with app(port, umask):
        findings = found("upload-modes", root, http)
    return [" ".join((one.what, *one.evidence, one.fix)) for one in findings]


@pytest.fixture
def media(public: Path) -> Path:
    """A folder of uploads that belongs to the app."""
    folder = public / "media"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    folder.chmod(0o755)
    return folder


only_root = needs_root("can be another user")


@only_root
@pytest.mark.parametrize(("umask", "mode"), [("077", "0600"), ("027", "0640")])
def test_upload_modes_reports_a_umask_and_its_fix_ends_it(
    media: Path, umask: str, mode: str
) -> None:
    [text] = uploads(media.parent, umask)

    assert f"new files have mode {mode}" in text
    subprocess.run(["sh", "-c", text[text.index("setfacl") :]], check=True)
    assert [] == uploads(media.parent, umask)


@only_root
def test_upload_modes_reports_temporary_files_that_were_renamed(media: Path) -> None:
    for name, mode in (("small.jpg", 0o644), ("large.jpg", 0o600)):
        (media / name).write_text("x")
        os.chown(media / name, NOBODY, NOBODY)
        (media / name).chmod(mode)

    [text] = uploads(media.parent, "022")

    assert "1 upload in" in text
    assert "large.jpg has mode 0600, small.jpg 0644" in text
    subprocess.run(["sh", "-c", text[text.index("find ") :]], check=True)
    assert [] == uploads(media.parent, "022")


@only_root
def test_upload_modes_names_the_mask_that_takes_what_an_acl_grants(media: Path) -> None:
    subprocess.run(["setfacl", "-d", "-m", "u:www-data:rX", media], check=True)
    for name, mode in (("small.jpg", 0o644), ("large.jpg", 0o600)):
        (media / name).write_text("x")
        os.chown(media / name, NOBODY, NOBODY)
        (media / name).chmod(mode)

    [text] = uploads(media.parent, "077")

    assert "its ACL grants nginx r, but the mask, which is set by the mode, removes it" in text


@only_root
@pytest.mark.parametrize("umask", ["022", "002"])
def test_upload_modes_is_silent(media: Path, umask: str) -> None:
    for name in ("a.jpg", "b.jpg"):
        (media / name).write_text("x")
        os.chown(media / name, NOBODY, NOBODY)

    assert [] == uploads(media.parent, umask)


@only_root
def test_upload_modes_is_silent_where_nginx_has_the_folders_group(media: Path) -> None:
    import grp

    os.chown(media, NOBODY, grp.getgrnam("www-data").gr_gid)
    media.chmod(0o2750)

    assert [] == uploads(media.parent, "027")
