"""What an apply compiled is used again by plans, as long as nothing that decides it has changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from reconcile.config.compile import compile_config
from reconcile.config.config_file import ConfigFile
from reconcile.config.host_facts import HostFacts, SourceFacts
from reconcile.config.load import load_bytes
from reconcile.engine.apply_report import Report
from reconcile.engine.digest import digest
from reconcile.engine.host_hold import new_hold, write_hold
from reconcile.engine.selection import Selection
from reconcile.errors import HoldInForce
from reconcile.nginx.model.media_types import AddedTypes
from reconcile.workspace import Workspace, kept_state
from reconcile.workspace.apply_unchanged import apply_unchanged
from reconcile.workspace.desired_state import DesiredState, desired_state
from reconcile.workspace.kept_state import NAME, KeptState, key_of
from reconcile.workspace.kept_workspace import KeptWorkspace, open_to_plan
from reconcile.workspace.planning import plan_changes
from reconcile.workspace.state_codec import StateCodec
from tests.support.host_facts import CONF_D, HOST
from tests.support.image import Image
from tests.support.recipes import recipes

FILE = ConfigFile("/etc/reconcile/reconcile.yaml", b"version: 1\n", {"name": "value"})
OTHER_FACTS: dict[str, Any] = {
    "layout": CONF_D,
    "added_types": AddedTypes({"text/new": "new"}),
    "sources": {"/srv/app/app.env": b"KEY=2\n"},
    "private_sources": {"/srv/app/app.env": "anna"},
    "release_sources": {"shop": SourceFacts("sha256:1")},
    "former_certificates": {"shop": ("/etc/tls/chain.pem", "/etc/tls/key.pem")},
    "service_manager": "none",
    "resolvers": ("192.0.2.1",),
}
SECRET = b"API_KEY=hunter2\n"
WITH_SECRET = b"""version: 1
paths:
  /etc/app.env: {source: /srv/app.env, sensitive: true}
"""


def state_of(text: bytes, facts: HostFacts) -> tuple[DesiredState, Any]:
    """What a file desires, and its outline."""
    config = load_bytes(text, "/srv/deploy/reconcile.yaml")
    return desired_state(config, compile_config(config, facts)), config.outline()


def other(name: str) -> Any:
    """Another value of a fact."""
    value = getattr(HOST, name)
    if name in OTHER_FACTS:
        return OTHER_FACTS[name]
    if isinstance(value, bool):
        return not value
    return f"{value}-other" if isinstance(value, str) else value | {"/other"}


@pytest.mark.parametrize("title", recipes())
def test_a_state_that_was_kept_is_the_one_that_was_compiled(title: str) -> None:
    text = recipes()[title].encode()
    hashed = b"anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"
    sources = dict.fromkeys(load_bytes(text, "/srv/deploy/reconcile.yaml").file_sources(), hashed)
    compiled = state_of(text, replace(HOST, sources=sources))
    codec = StateCodec(sources)

    kept = json.loads(json.dumps([codec.encode(one) for one in compiled]))

    assert compiled == tuple(map(codec.decode, kept))


def test_the_contents_of_source_files_are_not_kept() -> None:
    sources = {"/srv/app.env": SECRET}
    state, outline = state_of(WITH_SECRET, replace(HOST, sources=sources))
    codec = StateCodec(sources)

    kept = json.dumps([codec.encode(state), codec.encode(outline)])

    assert "hunter2" not in kept
    assert state == codec.decode(json.loads(kept)[0])


def test_what_no_state_has_is_not_kept() -> None:
    with pytest.raises(KeyError):
        StateCodec({}).encode(object())


@pytest.mark.parametrize("name", [field.name for field in fields(HostFacts)])
def test_a_state_is_that_of_a_host_with_the_very_same_facts(name: str) -> None:
    state, outline = state_of(b"version: 1\n", HOST)
    kept = KeptState(outline, digest(HOST), StateCodec(HOST.sources).encode(state))

    assert state == kept.on(replace(HOST))
    assert kept.on(replace(HOST, **{name: other(name)})) is None


@pytest.mark.parametrize(
    "changed",
    [
        replace(FILE, data=b"version: 1\n\n"),
        replace(FILE, path="/etc/reconcile/./reconcile.yaml"),
        replace(FILE, variables={"name": "other"}),
        replace(FILE, variables={}),
    ],
)
def test_another_file_has_another_key(changed: ConfigFile) -> None:
    assert key_of(replace(FILE)) == key_of(FILE)
    assert key_of(changed) != key_of(FILE)


def test_the_same_name_in_another_folder_has_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = replace(FILE, path="reconcile.yaml")
    before = key_of(here)

    monkeypatch.chdir(tmp_path)

    assert before != key_of(here)


def rewritten(package: Path) -> None:
    package.joinpath("config", "compile.py").write_text("# other code\n")


def added(package: Path) -> None:
    package.joinpath("config", "new.py").write_text("")


def retemplated(package: Path) -> None:
    package.joinpath("site.conf.j2").write_text("server {}\n")


@pytest.mark.parametrize("change", [rewritten, added, retemplated])
def test_other_code_has_another_key(
    change: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("config").mkdir()
    tmp_path.joinpath("config", "compile.py").write_text("# some code\n")
    tmp_path.joinpath("site.conf.j2").write_text("server {\n}\n")
    monkeypatch.setattr(kept_state, "_PACKAGE", str(tmp_path))
    before = key_of(FILE)

    change(tmp_path)

    assert before != key_of(FILE)


@pytest.mark.parametrize(
    ("name", "value"), [("__version__", "99.0"), ("_LIBRARIES", ("pydantic", "json"))]
)
def test_another_version_of_it_or_of_a_library_has_another_key(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_of(FILE)

    monkeypatch.setattr(kept_state, name, value)

    assert before != key_of(FILE)


@pytest.fixture
def image(public: Path) -> Image:
    return Image(public)


def planned_from(image: Image) -> Workspace:
    """The workspace of a plan of the file that was declared last."""
    file = image.root / "reconcile.yaml"
    return open_to_plan(ConfigFile(str(file), file.read_bytes()))


def resigned(kept: Mapping[str, Any]) -> bytes:
    """A text that matches its own digest, as who reads this test could write it."""
    body = json.dumps(kept).encode()
    return f"{sha256(body).hexdigest()}\n".encode() + body


@pytest.mark.process
def test_a_plan_after_an_apply_compiles_nothing(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    image.apply(image.declare(shop=8001))
    expected = plan_changes(image.declare(shop=8001))
    monkeypatch.setattr(ConfigFile, "load", None)

    workspace = planned_from(image)

    found = plan_changes(workspace)
    assert isinstance(workspace, KeptWorkspace)
    assert (expected.fingerprint, expected.changes, expected.findings, expected.config) == (
        *(found.fingerprint, found.changes, found.findings, found.config),
    )


@pytest.mark.process
def test_a_plan_of_another_host_state_compiles_anew(image: Image) -> None:
    image.apply(image.declare(shop=8001))
    image.root.joinpath("nginx", "conf.d", "hand.conf").write_text("# by hand\n")

    workspace = planned_from(image)

    assert workspace.state == image.declare(shop=8001).state


@pytest.mark.process
@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[2:], lambda _: b""])
def test_what_was_changed_is_not_used(image: Image, damage: Callable[[bytes], bytes]) -> None:
    image.apply(image.declare(shop=8001))
    kept = image.root / "state" / NAME
    kept.write_bytes(damage(kept.read_bytes()))

    workspace = planned_from(image)

    assert not isinstance(workspace, KeptWorkspace)
    assert () == plan_changes(workspace).changes


@pytest.mark.process
def test_an_apply_does_what_the_file_declares_whatever_is_kept(image: Image) -> None:
    image.apply(image.declare(shop=8001))
    kept = image.root / "state" / NAME
    body = json.loads(kept.read_bytes().partition(b"\n")[2])
    kept.write_bytes(resigned(body | {"state": ["DesiredState", {"resources": ["dict"]}]}))
    before = image.site_file("shop").read_text()

    result = image.apply(image.declare(shop=8001))

    assert ("no_changes", before) == (result, image.site_file("shop").read_text())
    assert () == plan_changes(planned_from(image)).changes
    assert "shop" in kept.read_text()


def applied_unchanged(image: Image) -> Report | None:
    """The report of an apply of the file that was declared last, if it is one of nothing."""
    workspace = planned_from(image)
    assert isinstance(workspace, KeptWorkspace)
    return apply_unchanged(workspace, "reconcile apply", timeout_s=0)


@pytest.mark.process
def test_an_apply_that_finds_nothing_compiles_nothing(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    image.apply(image.declare(shop=8001))
    monkeypatch.setattr(ConfigFile, "load", None)

    report = applied_unchanged(image)

    assert report is not None
    assert ("no_changes", ()) == (report.result, report.done)


def change_by_hand(image: Image) -> None:
    image.site_file("shop").write_text("server {}\n")


def add_a_file_of_nginx(image: Image) -> None:
    image.root.joinpath("nginx", "conf.d", "hand.conf").write_text("# by hand\n")


def forget_the_probes(image: Image) -> None:
    shutil.rmtree(image.root / "state" / "probes")


def rewrite_what_is_kept(image: Image) -> None:
    kept = image.root / "state" / NAME
    body = json.loads(kept.read_bytes().partition(b"\n")[2])
    kept.write_bytes(resigned(body | {"state": StateCodec({}).encode(DesiredState({}))}))


@pytest.mark.process
@pytest.mark.parametrize(
    "change", [change_by_hand, add_a_file_of_nginx, forget_the_probes, rewrite_what_is_kept]
)
def test_an_apply_of_whatever_else_is_of_the_file_itself(
    image: Image, change: Callable[[Image], None]
) -> None:
    image.apply(image.declare(shop=8001))
    change(image)
    before = image.site_file("shop").read_text()

    assert applied_unchanged(image) is None
    assert before == image.site_file("shop").read_text()


@pytest.mark.process
def test_what_an_apply_of_one_site_leaves_is_of_the_file_itself(image: Image) -> None:
    image.apply(image.declare(shop=8001, blog=8002))
    file = image.root / "reconcile.yaml"
    asks = "    probes: [{get: /new, expect: {status: 404}}]"
    file.write_text(file.read_text() + asks)
    image.apply(Workspace.open(str(file)), Selection(sites=("shop",)))

    assert not isinstance(planned_from(image), KeptWorkspace)


@pytest.mark.process
def test_a_hold_blocks_an_apply_of_nothing_too(image: Image) -> None:
    image.apply(image.declare(shop=8001))
    state = planned_from(image).host.state
    write_hold(state, new_hold("anna", "an audit", None, datetime.now(UTC)))

    with pytest.raises(HoldInForce):
        applied_unchanged(image)


@pytest.mark.process
def test_what_somebody_else_could_have_written_is_not_used(image: Image) -> None:
    image.apply(image.declare(shop=8001))
    (image.root / "state" / "cache").chmod(0o777)

    assert not isinstance(planned_from(image), KeptWorkspace)
