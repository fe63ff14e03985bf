"""The tree is what nginx reads: includes in its order, nothing lost, nothing invented."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_loader import MAX_DEPTH, IncludeCycleError, load, parse
from reconcile.nginx.model.config_tree import ConfigTree, ParsedFile
from reconcile.nginx.model.lexer import NginxSyntaxError
from tests.nginx.comparisons import compared
from tests.nginx.conftest import Judge
from tests.support.overlay import OverlayReader, rebuilt
from tests.support.real_nginx import DiskReader, Nothing, overlay

ETC_NGINX = Path("/etc/nginx")
DEBIAN_FILES = sorted(path for path in ETC_NGINX.rglob("*") if path.is_file())


def tree_of(**files: str) -> ConfigTree:
    """A tree of planned files alone; `main` is the configuration, `a_conf` is a.conf."""
    named = {f"/n/{name.replace('_', '.')}": text.encode() for name, text in files.items()}
    return load("/n/main", overlay(named))


def names(tree: ConfigTree) -> list[str]:
    return [directive.name for directive in tree.directives]


@pytest.mark.parametrize("path", DEBIAN_FILES, ids=str)
def test_every_file_of_debian_writes_back_byte_for_byte(path: Path) -> None:
    file = parse(path.read_bytes(), str(path))

    assert path.read_bytes() == rebuilt(file)
    assert b"" == outside_the_spans(file)


def outside_the_spans(file: ParsedFile) -> bytes:
    """What is left of a file without its directives, comments and white space."""
    left = bytearray(file.data)
    spans = [(d.start, d.end) for d in file.directives] + [(c.start, c.end) for c in file.comments]
    for start, end in spans:
        left[start:end] = b" " * (end - start)
    return bytes(left).strip()


def test_a_directive_knows_its_file_its_line_and_its_bytes() -> None:
    source = b"events {}\nhttp {\n  # why\n  server { listen 80; }\n}\n"

    http = parse(source, "/etc/nginx/nginx.conf").directives[1]

    server = (http.block or ())[0]
    assert ("/etc/nginx/nginx.conf:4", b"server { listen 80; }") == (
        server.place,
        source[server.span],
    )


def test_comments_are_kept_with_their_place() -> None:
    source = b"a; # one\n# two\nb c # three\n d;\n"

    comments = parse(source, "x").comments

    assert [(1, b"# one"), (2, b"# two"), (3, b"# three")] == [
        (c.line, source[c.start : c.end]) for c in comments
    ]


@pytest.mark.parametrize(
    "broken",
    ["server {", "}", "include;", "include b.conf;", "include none.conf; b1;"],
    ids=["unclosed", "unopened", "no argument", "a circle", "a missing file"],
)
def test_a_broken_include_can_be_left_out(broken: str) -> None:
    files = {"/n/main": "a; include b.conf; include *.inc; c;", "/n/b.conf": broken}
    reader = overlay({name: text.encode() for name, text in (files | {"/n/d.inc": "d;"}).items()})

    tree = load("/n/main", reader, skips_broken=True)

    kept = ["b1"] if "none" in broken else []
    assert ["a", *kept, "d", "c"] == names(tree)
    with pytest.raises(ReconcileError):
        load("/n/main", reader)


def test_includes_are_expanded_in_place() -> None:
    tree = tree_of(main="a; include b.conf; c;", b_conf="b1; b2;")

    assert ["a", "b1", "b2", "c"] == names(tree)


def test_a_glob_is_read_in_byte_order_without_hidden_files() -> None:
    tree = tree_of(main="include *.conf;", b_conf="b;", a_conf="a;", Z_conf="z;", _conf="hidden;")

    assert ["z", "a", "b"] == names(tree)


def test_a_glob_without_files_is_no_error() -> None:
    assert [] == names(tree_of(main="include *.conf;"))


def test_a_relative_include_starts_at_the_folder_of_the_main_file() -> None:
    files = {"/n/main": b"include sub/a;", "/n/sub/a": b"include sub/b;", "/n/sub/b": b"b;"}

    tree = load("/n/main", overlay(files))

    assert ["b"] == names(tree)


def test_a_missing_include_is_refused_at_the_line_that_names_it() -> None:
    with pytest.raises(NginxSyntaxError) as refused:
        tree_of(main="a;\ninclude b.conf;")

    expected = 'open() "/n/b.conf" failed (2: No such file or directory)'
    assert (expected, 2) == (refused.value.message, refused.value.line)


@pytest.mark.parametrize("text", ["include b.conf;\n\n}", "include b.conf;{"])
def test_a_missing_include_is_refused_before_an_error_after_it(text: str) -> None:
    with pytest.raises(NginxSyntaxError, match="nginx cannot read /n/main:1") as refused:
        tree_of(main=text)

    assert refused.value.message.startswith("open() ")


def test_a_missing_main_file_is_reported_with_a_fix() -> None:
    with pytest.raises(ReconcileError, match="/n/main cannot be read"):
        load("/n/main", Nothing())


def test_files_that_include_each_other_are_found() -> None:
    with pytest.raises(IncludeCycleError) as refused:
        tree_of(main="include a.conf;", a_conf="http { include b.conf; }", b_conf="include *.conf;")

    assert "/n/a.conf includes /n/b.conf includes /n/a.conf" == refused.value.why


def test_a_file_included_twice_is_no_cycle() -> None:
    tree = tree_of(main="include a.conf; include a.conf;", a_conf="a;")

    assert ["a", "a"] == names(tree)


def test_an_include_must_be_complete() -> None:
    with pytest.raises(NginxSyntaxError) as refused:
        tree_of(main="http { include a.conf; }", a_conf="}")

    assert ('unexpected "}"', "/n/a.conf") == (refused.value.message, refused.value.file)


def test_nesting_without_end_is_refused_not_survived() -> None:
    deep = "a {" * (MAX_DEPTH + 1) + "}" * (MAX_DEPTH + 1)

    with pytest.raises(NginxSyntaxError, match="nginx cannot read /n/main:1"):
        tree_of(main=deep)


def test_the_tree_lists_the_folders_of_its_globs() -> None:
    tree = tree_of(main="include sub/*.d/*.conf; include mime.types;", mime_types="")

    assert {"sub/*.d/*.conf": "/n/sub", "mime.types": "/n"} == {
        written: include.folder for written, include in tree.includes.items()
    }


def test_a_planned_file_hides_the_one_on_disk(tmp_path: Path, disk: DiskReader) -> None:
    for name in ("kept.conf", "gone.conf", "changed.conf"):
        (tmp_path / name).write_text(f"{name[:-5]};")
    (tmp_path / "main").write_text("include *.conf;")
    planned = {"gone.conf": None, "changed.conf": b"new;", "added.conf": b"added;"}

    overlay = OverlayReader(disk, {f"{tmp_path}/{name}": data for name, data in planned.items()})

    assert ["added", "new", "kept"] == names(load(f"{tmp_path}/main", overlay))


SYNTAX = re.compile(
    r'\[emerg\] \d+#\d+: ((?:unexpected|too long|open\(\)|directive "include").*) in (\S+):(\d+)$',
    re.MULTILINE,
)


@pytest.mark.process
@pytest.mark.parametrize("seed", range(300))
def test_a_damaged_debian_configuration_is_read_or_refused_as_nginx_does(
    judge: Judge, disk: DiskReader, seed: int
) -> None:
    assert_same_verdict(judge, disk, seed)


@pytest.mark.process
@pytest.mark.nightly
def test_damaged_debian_configurations_at_length(judge: Judge, disk: DiskReader) -> None:
    for seed in range(1_000, 11_000):
        assert_same_verdict(judge, disk, seed)


def assert_same_verdict(judge: Judge, disk: DiskReader, seed: int) -> None:
    """What nginx accepts we read; what it refuses for its syntax we refuse in its words."""
    files = damaged(debian_configuration(judge.prefix), random.Random(seed))
    verdict = judge.of(files)
    compared("verdicts")
    refusal = SYNTAX.search(verdict.message)
    ours = refusal_of(judge.prefix / "nginx.conf", disk)

    if verdict.accepted:
        assert ours is None
    elif refusal:
        assert (refusal[1], refusal[2], int(refusal[3])) == ours


def refusal_of(config: Path, disk: DiskReader) -> tuple[str, str, int] | None:
    try:
        load(str(config), disk)
    except NginxSyntaxError as refused:
        return refused.message, refused.file, refused.line
    return None


def debian_configuration(prefix: Path) -> dict[str, bytes]:
    """Debian's files, made to keep to `prefix`."""
    moved = {b"/etc/nginx/": b"/", b"/run/": b"/", b"/var/log/nginx/": b"/"}
    files = {}
    for name in ("nginx.conf", "mime.types", "sites-available/default", "proxy_params"):
        data = (ETC_NGINX / name).read_bytes()
        for old, new in moved.items():
            data = data.replace(old, f"{prefix}".encode() + new)
        files[name] = data.replace(b"include %b/modules" % f"{prefix}".encode(), b"include none")
    files["sites-enabled/default"] = files.pop("sites-available/default")
    return files


def damaged(files: dict[str, bytes], chance: random.Random) -> dict[str, bytes]:
    name = chance.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data))
        data[at : at + chance.choice([0, 0, 1, 5])] = chance.choice(
            [b"", b"{", b"}", b";", b'"', b"'", b"\\", b"#", b"\n", b" ", b"${", b"include x;"]
        )
    return files | {name: bytes(data)}
