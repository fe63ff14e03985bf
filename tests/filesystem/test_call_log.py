"""What the log of a host's calls holds, and what it never holds."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from reconcile.filesystem.files import Files
from reconcile.filesystem.state_dir import StateDir
from reconcile.system.accounts import Accounts
from reconcile.system.call_log import COMPUTED, EFFECTS, LOGGER, log_calls
from reconcile.system.commands import Commands, CompletedCommand
from reconcile.system.http import HttpAnswer, HttpClient, HttpTarget
from reconcile.system.services import ServiceFailed, ServiceManager

PARTS: dict[str, type] = {
    "files": Files,
    "services": ServiceManager,
    "state": StateDir,
    "commands": Commands,
    "http": HttpClient,
    "accounts": Accounts,
}


class Calls(logging.Handler):
    """Keeps what was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def fields(self) -> dict[str, Any]:
        [record] = self.records
        fields: dict[str, Any] = record.__dict__["call"]
        return fields

    @property
    def text(self) -> str:
        return "\n".join(f"{record.getMessage()} {record.__dict__}" for record in self.records)


@pytest.fixture
def calls() -> Iterator[Calls]:
    handler = Calls()
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)
    yield handler
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(logging.NOTSET)


class FakeFiles:
    def read(self, path: str, limit: int = 0) -> bytes:
        return b"s3cret"

    def write(self, path: str, data: bytes, *, uid: int, gid: int, mode: int) -> None:
        pass


class FakeCommands:
    def __init__(self, returncode: int = 0) -> None:
        self._returncode = returncode

    def run(self, argv: tuple[str, ...], *, input: bytes | None = None) -> CompletedCommand:  # noqa: A002
        return CompletedCommand(argv, self._returncode, "s3cret output", "s3cret error")


class FakeHttp:
    def request(self, target: HttpTarget, path: str, *, headers: object = ()) -> HttpAnswer:
        return HttpAnswer(status=200, body=b"s3cret")


def test_a_reading_is_logged_with_its_path_and_the_size_of_what_was_read(calls: Calls) -> None:
    log_calls("files", FakeFiles()).read("/etc/app.env")

    assert ("reading", "files.read", {"path": "/etc/app.env"}, "6 bytes") == (
        calls.fields["event"],
        calls.fields["call"],
        calls.fields["arguments"],
        calls.fields["outcome"],
    )
    assert logging.DEBUG == calls.records[0].levelno


def test_an_effect_is_logged_with_owner_and_mode_and_without_content(calls: Calls) -> None:
    log_calls("files", FakeFiles()).write("/etc/app.env", b"s3cret", uid=0, gid=33, mode=0o640)

    assert "effect  files.write /etc/app.env uid=0 gid=33 0640 -> done" in calls.text
    assert logging.INFO == calls.records[0].levelno
    assert "s3cret" not in calls.text


@pytest.mark.parametrize(
    "argv",
    [
        ("env", "TOKEN=s3cret", "git", "fetch"),
        ("systemd-run", "--setenv=TOKEN=s3cret", "--", "true"),
        ("systemd-run", "--property=Environment=TOKEN=s3cret"),
        ("git", "fetch", "https://user:s3cret@git.example/site.git"),
        ("curl", "https://git.example/hook?token=s3cret"),
    ],
    ids=" ".join,
)
def test_a_command_is_logged_without_environment_password_input_and_output(
    calls: Calls, argv: tuple[str, ...]
) -> None:
    log_calls("commands", FakeCommands()).run(argv, input=b"s3cret")

    assert f"command commands.run {argv[0]} " in calls.text
    assert "returncode=0" in calls.fields["outcome"]
    assert "s3cret" not in calls.text


def test_a_request_is_logged_without_headers_query_and_body(calls: Calls) -> None:
    target = HttpTarget("127.0.0.1", 80, "shop.example")

    log_calls("http", FakeHttp()).request(
        target, "/login?token=s3cret", headers=[("Authorization", "Basic s3cret")]
    )

    assert "request http.request authority=shop.example /login?… -> status=200" in calls.text
    assert "s3cret" not in calls.text


def test_a_failed_call_is_logged_with_its_error_and_raised_all_the_same(calls: Calls) -> None:
    class Failing:
        def start(self, unit: str) -> None:
            raise ServiceFailed("app.service failed to start", "TOKEN=s3cret is invalid")

    with pytest.raises(ServiceFailed):
        log_calls("services", Failing()).start("app.service")

    assert "ServiceFailed: app.service failed to start" == calls.fields["error"]
    assert "effect  services.start app.service -> failed: ServiceFailed: " in calls.text
    assert "s3cret" not in calls.text


def test_an_account_is_logged_when_it_is_first_resolved(calls: Calls) -> None:
    accounts = log_calls("accounts", Accounts())

    for _ in range(2):
        accounts.user_name(0)

    assert "accounts.user_name" == calls.fields["call"]


def test_a_part_answers_as_without_the_log(calls: Calls) -> None:
    accounts = log_calls("accounts", Accounts())

    assert Accounts().current == accounts.current
    assert Accounts().user("root") == accounts.user("root")


@pytest.mark.parametrize("name", sorted(EFFECTS | COMPUTED))
def test_what_the_log_names_exists(name: str) -> None:
    part, _, method = name.partition(".")

    assert callable(getattr(PARTS[part], method))


def changing_methods(part: type) -> Iterator[str]:
    for name, method in inspect.getmembers(part, inspect.isfunction):
        if "with changing(" in inspect.getsource(method):
            yield name


def test_every_method_that_changes_files_is_logged_as_an_effect() -> None:
    assert {f"files.{name}" for name in changing_methods(Files)} == {
        name for name in EFFECTS if name.startswith("files.")
    }
