"""Commands that need no host: init, validate, schema."""

from __future__ import annotations

import json
import os
import re
import resource
from pathlib import Path

import jsonschema
import pytest

from tests.support.command import Run
from tests.support.needs_root import needs_root

pytestmark = pytest.mark.process

SCHEMAS = Path(__file__).parents[2] / "schemas"
WRONG = "version: 1\nsites:\n  a:\n    server_name: [x]\n    listen: yes\n"


def schema(name: str) -> object:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def test_the_file_that_init_writes_is_valid(run: Run) -> None:
    written = run("init")
    checked = run("validate")

    assert (0, 0) == (written.returncode, checked.returncode), written.stderr + checked.stderr


def test_init_finds_the_assets_of_the_app_beside_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()

    run("init")

    assert "source: ./static\n" in (tmp_path / "reconcile.yaml").read_text()


def test_init_prints_what_it_wrote_as_json(run: Run) -> None:
    done = run("init", "-f", "new.yaml", "--json")

    document = json.loads(done.stdout)
    jsonschema.validate(document, schema("written"))
    assert (0, ["new.yaml"]) == (done.returncode, document["files"])


def test_init_leaves_nothing_half_written(run: Run, tmp_path: Path) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    done = run("init", preexec_fn=no_room)

    assert 1 == done.returncode
    assert "reconcile.yaml cannot be written" in done.stderr
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["example.com", "no name at all"])
def test_init_overwrites_nothing(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "reconcile.yaml").write_text("mine")

    done = run("init", "--server-name", name)

    assert 1 == done.returncode
    assert "reconcile.yaml already exists" in done.stderr
    assert "mine" == (tmp_path / "reconcile.yaml").read_text()


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A link to a folder of root's, in a folder of another user."""
    (tmp_path / "root").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "out").symlink_to(tmp_path / "root")
    os.lchown(tmp_path / "theirs", 65534, 65534)
    return tmp_path / "theirs" / "out"


WRITING = {
    "init -f": ("init", "-f", "{}/a.yaml"),
    "adopt -o": ("adopt", "-o", "{}/a.yaml"),
    "schema --write": ("schema", "--write", "{}"),
    "plan --out": ("plan", "-f", "reconcile.yaml", "--out", "{}/a.plan"),
    "plan --json-into": ("plan", "-f", "reconcile.yaml", "--json-into", "{}/a.json"),
    "drift --metrics-file": ("drift", "-f", "reconcile.yaml", "--metrics-file", "{}/a.prom"),
}


@needs_root("can be lured by another user")
@pytest.mark.parametrize("command", WRITING.values(), ids=WRITING)
def test_a_link_in_a_folder_of_somebody_else_leads_no_output_elsewhere(
    run: Run, tmp_path: Path, planted: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "reconcile.yaml").write_text(
        f"version: 1\nhost: {{state_dir: {tmp_path}/state, service_manager: process}}\n"
        f"paths: {{{tmp_path}/root: {{owner: assets}}}}\n"
    )

    done = run(*(part.format(planted) for part in command))

    assert [] == list((tmp_path / "root").iterdir())
    assert 1 == done.returncode, done.stdout + done.stderr
    assert "cannot be written" in done.stderr
    assert "out is a symlink in a directory that others can write" in done.stderr


def test_a_link_in_a_folder_of_ones_own_is_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")

    run("init", "-f", "link/../link/new.yaml")

    assert (tmp_path / "folder" / "new.yaml").exists()


def test_every_error_of_a_file_is_reported_with_its_position(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reconcile.yaml").write_text(WRONG)

    done = run("validate")

    assert (1, "") == (done.returncode, done.stdout)
    assert "reconcile.yaml:4:5: " in done.stderr
    assert "did you mean server_names?" in done.stderr
    assert "reconcile.yaml:5:" in done.stderr


def test_validate_prints_the_same_as_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reconcile.yaml").write_text(WRONG)

    done = run("validate", "--json")

    document = json.loads(done.stdout)
    jsonschema.validate(document, schema("validate"))
    assert (1, False) == (done.returncode, document["valid"])
    assert document["error_count"] == len(document["diagnostics"]) >= 2
    places = [(d["file"], d["line"], d["column"]) for d in document["diagnostics"]]
    assert ("reconcile.yaml", 4, 5) in places


def test_a_valid_file_is_valid_for_scripts_too(run: Run) -> None:
    run("init")

    document = json.loads(run("validate", "--json").stdout)

    assert (True, 0, []) == (document["valid"], document["error_count"], document["diagnostics"])


@pytest.mark.parametrize("command", ["validate", "plan", "apply", "verify", "drift"])
def test_without_a_configuration_every_command_shows_how_to_create_one(
    run: Run, command: str
) -> None:
    done = run(command)

    assert 1 == done.returncode
    assert "No configuration file found" in done.stderr
    assert "reconcile init" in done.stderr


@pytest.mark.parametrize("command", [["history"], ["state", "list"], ["schedule", "status"]])
def test_state_commands_need_no_configuration(run: Run, command: list[str]) -> None:
    done = run(*command)

    assert (0, "") == (done.returncode, done.stderr)


def test_a_file_that_was_named_and_is_not_there_is_never_replaced_by_defaults(run: Run) -> None:
    done = run("history", "-f", "none.yaml")

    assert 1 == done.returncode
    assert "cannot read none.yaml" in done.stderr


@pytest.mark.parametrize(
    ("command", "forms"),
    [
        ("plan", ("--json", "--markdown")),
        ("drift", ("--json", "--markdown")),
        ("doctor", ("--markdown", "--sarif")),
        ("graph", ("--json", "--mermaid")),
    ],
)
def test_two_forms_at_once_are_refused(run: Run, command: str, forms: tuple[str, str]) -> None:
    done = run(command, *forms)

    assert 1 == done.returncode
    assert f"{forms[0]} and {forms[1]} are mutually exclusive" in done.stderr


def test_an_error_is_json_where_json_was_asked_for(run: Run) -> None:
    done = run("plan", "--json")

    document = json.loads(done.stdout)
    jsonschema.validate(document, schema("error"))
    assert ("error", 1) == (document["result"], document["exit_code"])


def test_the_file_may_come_from_the_environment(run: Run, tmp_path: Path) -> None:
    run("init", "-f", "other.yaml")

    done = run("validate", env={"RECONCILE_FILE": "other.yaml"})

    assert "other.yaml is valid.\n" == done.stdout


def test_a_file_here_comes_before_the_environment(run: Run, tmp_path: Path) -> None:
    run("init")

    assert "reconcile.yaml" in run("validate", env={"RECONCILE_FILE": "other.yaml"}).stdout


def test_schemas_are_printed_and_written(run: Run, tmp_path: Path) -> None:
    printed = run("schema", "plan")
    run("schema", "--write", str(tmp_path))

    assert schema("plan") == json.loads(printed.stdout)
    published = {path.name: path.read_text() for path in SCHEMAS.iterdir()}
    assert published == {path.name: path.read_text() for path in tmp_path.glob("*.schema.json")}


def test_schema_prints_the_written_files_as_json(run: Run, tmp_path: Path) -> None:
    done = run("schema", "--write", str(tmp_path), "--json")

    document = json.loads(done.stdout)
    jsonschema.validate(document, schema("written"))
    assert sorted(document["files"]) == sorted(map(str, tmp_path.glob("*.schema.json")))


def test_a_schema_is_json_with_and_without_asking(run: Run) -> None:
    assert run("schema", "plan").stdout == run("schema", "plan", "--json").stdout


def test_a_file_may_be_named_to_every_command(run: Run) -> None:
    with_file = run("schema", "plan", "-f", "reconcile.yaml")
    demo_help = run("demo", "--help").stdout

    assert run("schema", "plan").stdout == with_file.stdout
    assert "-f, --file FILE" in demo_help


def test_an_unknown_schema_is_refused_with_those_there_are(run: Run) -> None:
    done = run("schema", "nope")

    assert 1 == done.returncode
    assert re.search(r"Schemas: reconcile, .*\bplan, ", done.stderr)


def test_init_writes_what_fits_the_app_of_the_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\napp = FastAPI()\n")

    done = run("init", "--server-name", "api.example")

    assert (0, "") == (done.returncode, done.stderr)
    assert "fastapi, main:app" in done.stdout
    text = (tmp_path / "reconcile.yaml").read_text()
    assert "server_names: [api.example]" in text
    assert 'module: "main:app"' in text


def test_init_refuses_a_framework_that_it_does_not_know(run: Run, tmp_path: Path) -> None:
    done = run("init", "--framework", "rails")

    assert 1 == done.returncode
    assert "Use flask, django or fastapi. Nothing was written." in done.stderr
    assert not (tmp_path / "reconcile.yaml").exists()


@pytest.mark.parametrize("name", ["https://a.test/", "a b", "x;y", "a.test:80"])
def test_init_refuses_an_invalid_server_name(run: Run, tmp_path: Path, name: str) -> None:
    done = run("init", "--server-name", name)

    assert 1 == done.returncode
    assert "Nothing was written." in done.stderr
    assert [] == list(tmp_path.iterdir())
