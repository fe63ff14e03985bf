"""The pages of the examples in a browser: nothing is blocked, and the console stays empty."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.browser import Visit, chromium
from tests.support.command import Run
from tests.support.example import Example, TlsPort
from tests.support.ports import free_port
from tests.support.samples import PNG, WEBM, wav
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = [pytest.mark.process, pytest.mark.nightly]

NAMES = (
    *("example.com", "*.example.com", "secure.example"),
    *("shop.example", "www.shop.example", "blog.example"),
)
Open = Callable[[str, bytes], Visit]
SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a certificate for every name of the examples, and of its key."""
    folder = tmp_path_factory.mktemp("certificate")
    names = ",".join(f"DNS:{name}" for name in NAMES)
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-days", "30"]
    command += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=example.com"]
    command += ["-addext", f"subjectAltName={names}", "-keyout", "key.pem", "-out", "chain.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def tls(certificate: Path) -> TlsPort:
    return TlsPort(free_port(), certificate / "chain.pem", certificate / "key.pem")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[BrowserContext]:
    with chromium(tmp_path / "profile", ignore_https_errors=True) as found:
        yield found


def applied(name: str, demo: DemoHost, run: Run, tls: TlsPort) -> Example:
    example = Example(name, demo, run, tls)
    if name == "django":
        example.collect_static()
    example.apply()
    return example


def address(example: Example, scheme: str, host: str, path: str = "/") -> str:
    assert example.tls
    return f"{scheme}://{host}:{example.tls.port if scheme == 'https' else example.demo.port}{path}"


@SCHEMES
@pytest.mark.parametrize(
    ("name", "host", "path", "shown", "resources"),
    [
        ("django", "shop.example.com", "/", "A shop", ["/static/css/shop.css"]),
        ("flask-app", "example.com", "/", "Nothing uploaded yet.", ["/static/css/app.css"]),
        ("fastapi-websocket", "chat.example.com", "/", "echo: hello", ["/static/chat.js"]),
        ("spa-and-api", "example.com", "/any/page", "hello", ["/api/hello"]),
        ("two-sites", "blog.example", "/", "Hello", ["/static/css/blog.css"]),
        ("tls", "secure.example", "/static/index.html", "Secure", ["/static/css/app.css"]),
    ],
)
def test_a_page_loads_whole_without_a_complaint(
    demo: DemoHost, run: Run, tls: TlsPort, browser: BrowserContext,
    scheme: str, name: str, host: str, path: str, shown: str, resources: list[str],
) -> None:  # fmt: skip
    example = applied(name, demo, run, tls)
    visit = Visit(browser.new_page())

    visit.open(address(example, scheme, host, path))

    visit.page.get_by_text(shown).first.wait_for()
    assert [] == visit.complaints
    final = "https" if name == "tls" else scheme
    for resource in resources:
        assert 200 == visit.loaded[address(example, final, host, resource)]


@SCHEMES
def test_an_upload_is_shown_by_its_link(
    demo: DemoHost, run: Run, tls: TlsPort, browser: BrowserContext, scheme: str, tmp_path: Path
) -> None:
    example = applied("flask-app", demo, run, tls)
    photo = tmp_path / "photo.png"
    photo.write_bytes(PNG)
    visit = Visit(browser.new_page())
    visit.open(address(example, scheme, "example.com"))

    visit.page.set_input_files("input", photo)
    visit.page.get_by_role("button", name="Upload").click()
    visit.page.wait_for_url("**/upload")
    visit.open(address(example, scheme, "example.com"))
    assert [] == visit.complaints
    visit.page.get_by_role("link", name="photo.png").click()
    visit.page.wait_for_url("**/photo.png")

    assert 1 == visit.page.evaluate("document.images[0].naturalWidth")


@pytest.fixture
def opened(demo: DemoHost, run: Run, tls: TlsPort, browser: BrowserContext) -> Open:
    """Open an upload by its own address, over HTTPS."""
    example = applied("flask-app", demo, run, tls)

    def opened(name: str, content: bytes) -> Visit:
        (Path(demo.root) / "www/myapp/media" / name).write_bytes(content)
        visit = Visit(browser.new_page())
        visit.page.goto(address(example, "https", "example.com", f"/media/{name}"))
        return visit

    return opened


@pytest.mark.parametrize("name", ["film.webm", "sound.wav"])
def test_a_film_and_a_sound_play_by_their_link(opened: Open, name: str) -> None:
    visit = opened(name, WEBM if name == "film.webm" else wav())

    visit.page.keyboard.press("Space")

    played = "document.querySelector('video').currentTime > 0"
    wait_for(lambda: visit.page.evaluate(played), f"{name} to play")
    assert [] == visit.complaints


def test_a_photo_is_shown_without_a_complaint(opened: Open) -> None:
    visit = opened("photo.png", PNG)

    assert 1 == visit.page.evaluate("document.images[0].naturalWidth")
    assert [] == visit.complaints


@pytest.mark.parametrize("name", ["page.html", "image.svg", "data.xml", "page.png.html"])
def test_an_upload_that_could_run_is_downloaded(opened: Open, name: str) -> None:
    from playwright.sync_api import Error

    with pytest.raises(Error, match="Download is starting"):
        opened(name, b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")


def test_a_page_named_as_a_photo_runs_nothing(opened: Open) -> None:
    visit = opened("page.png", b"<!doctype html><script>document.title = 'ran'</script>")

    assert "ran" != visit.page.title()
    assert 0 == visit.page.locator("script").count()


@SCHEMES
def test_who_knows_the_password_of_staging_sees_its_page(
    demo: DemoHost, run: Run, tls: TlsPort, tmp_path: Path, scheme: str
) -> None:
    example = applied("staging-with-password", demo, run, tls)
    login: dict[str, Any] = {"http_credentials": {"username": "anna", "password": "example"}}

    with chromium(tmp_path / "profile", ignore_https_errors=True, **login) as browser:
        visit = Visit(browser.new_page())
        visit.open(address(example, scheme, "staging.example.com"))
        assert "Staging" == visit.page.inner_text("h1")

    assert [] == visit.complaints


FONT = "<style>@font-face {{ font-family: f; src: url({}) }} h1 {{ font-family: f }}</style>"
PAGES = {
    "module": ('<script type="module" src="/good.mjs"></script>', ""),
    "font": (FONT.format("//api.example.com:PORT/fonts/f.woff2"), ""),
    "module-of-a-wrong-type": ('<script type="module" src="/bad.mjs"></script>', "MIME type"),
    "script-of-a-wrong-type": ('<script src="/note.txt"></script>', "strict MIME"),
    "font-of-a-stranger": (FONT.format("//api.example.com:PORT/closed/f.woff2"), "CORS"),
    "missing": ('<img src="/missing.png" alt="">', "404"),
    "inline": ("<script>document.title = 1</script>", "Content Security Policy"),
    "mixed": ('<script src="http://api.example.com:1/x.js"></script>', "insecure"),
}
"""Pages by name, and what the browser has against each; "" for nothing."""


def planted(example: Example) -> None:
    """The pages, in the example of one page."""
    dist = example.folder / "dist"
    fonts = Path(example.demo.root) / "www/fonts"
    fonts.mkdir()
    # Debian's chromium brings fonts.
    font = next(Path("/usr/share/fonts").rglob("*.ttf"))
    (fonts / "f.woff2").write_bytes(font.read_bytes())
    for name, text in {"good.mjs": "", "bad.mjs": "", "note.txt": "1"}.items():
        (dist / name).write_text(text)
    assert example.tls
    for name, (text, _) in PAGES.items():
        body = text.replace("PORT", str(example.tls.port))
        icon = '<link rel="icon" href="data:,">'
        (dist / f"{name}.html").write_text(f"<!doctype html>{icon}{body}<h1>page</h1>")
    sites = example.values["sites"]
    sites["spa"]["headers"] = {"Content-Security-Policy": POLICY}
    sites["spa"]["extra"] = (
        f"location = /bad.mjs {{ root {example.demo.root}/www/spa;"
        " types { } default_type application/octet-stream; }"
    )
    sites["api"]["locations"] = {
        "/fonts/": {"role": "static", "dir": str(fonts), "cors": "*"},
        "/closed/": {"role": "static", "dir": str(fonts)},
    }


def test_the_browser_reports_what_is_planted_and_nothing_else(
    demo: DemoHost, run: Run, tls: TlsPort, browser: BrowserContext
) -> None:
    example = Example("spa-and-api", demo, run, tls)
    planted(example)
    example.apply()

    for name, (_, expected) in PAGES.items():
        visit = Visit(browser.new_page())
        visit.open(address(example, "https", "example.com", f"/{name}.html"))

        assert bool(expected) == bool(visit.complaints), (name, visit.complaints)
        assert expected in "\n".join(visit.complaints), (name, visit.complaints)


POLICY = "script-src 'self' http://api.example.com:1; style-src 'unsafe-inline'"
