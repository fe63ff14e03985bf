"""A source in which the same apply removes an old copy is copied without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.workspace import Workspace
from reconcile.workspace.planning import plan_changes
from tests.support.image import Image

pytestmark = pytest.mark.process


@pytest.fixture
def image(public: Path) -> Image:
    return Image(public)


def publishing(image: Image, source: str, options: str = "") -> Workspace:
    """One site that publishes the folder `source` of the image."""
    workspace = image.declare(shop=8001)
    file = Path(workspace.config.file)
    text = file.read_text().replace(f"dir: {image.root}/www/shop", f"dir: {image.root}/pub")
    file.write_text(text.replace(f"{image.root}/app}}", f"{image.root}/{source}{options}}}"))
    return Workspace.open(str(file))


@pytest.mark.parametrize("options", ["", ", prune: true", ", precompress: [gzip]"])
@pytest.mark.parametrize("source", ["www", "www/shop"])
def test_an_old_copy_that_goes_is_not_copied(source: str, options: str, image: Image) -> None:
    (image.root / "app/sub").mkdir()
    (image.root / "app/sub/old.css").write_text("p {}")
    assert "applied" == image.apply(image.declare(shop=8001))
    (image.root / "www/shop/own.css").write_text("kept: somebody else's")
    workspace = publishing(image, source, options)

    report = image.report(workspace)
    assert "applied" == report.result, (report.error, report.why)

    assert () == plan_changes(publishing(image, source, options)).changes
    published = {path.name for path in (image.root / "pub").rglob("*") if path.is_file()}
    assert {"own.css", "health.txt"} == published


def test_a_directory_above_one_that_stays_is_no_removal(image: Image) -> None:
    assert "applied" == image.apply(image.declare(shop=8001))
    (image.root / "www/shop/own.css").write_text("kept: somebody else's")

    removals = {str(one.ref) for one in plan_changes(image.declare()).changes if not one.after}

    assert f"assets:{image.root}/www/shop" in removals
    assert not any(one.startswith("directory:") for one in removals)


@pytest.mark.parametrize("options", ["", ", prune: true", ", precompress: [gzip]"])
def test_what_was_copied_of_an_old_copy_goes_with_it(options: str, image: Image) -> None:
    (image.root / "app/sub").mkdir()
    (image.root / "app/sub/old.css").write_text("p {}" * 100)
    assert "applied" == image.apply(image.declare(shop=8001))
    (image.root / "www/own.css").write_text("somebody else's")
    both = image.declare(shop=8001, blog=8002)
    text = Path(both.config.file).read_text()
    blog = text.replace(f"dir: {image.root}/www/blog, source: {image.root}/app}}", "{}")
    published = f"dir: {image.root}/pub, source: {image.root}/www{options}}}"
    Path(both.config.file).write_text(blog.replace("{}", published, 1) if "{}" in blog else text)
    assert "applied" == image.apply(Workspace.open(both.config.file))
    assert (image.root / "pub/shop/sub/old.css").exists()
    head, _, tail = Path(both.config.file).read_text().partition("  shop:")
    Path(both.config.file).write_text(head + tail[tail.index("  blog:") :])

    report = image.report(Workspace.open(both.config.file))

    assert "applied" == report.result, (report.error, report.why)
    assert () == plan_changes(Workspace.open(both.config.file)).changes
    assert (image.root / "pub/shop/sub").exists() == ("prune" not in options)
