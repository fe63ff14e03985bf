"""An app's import can't hurt: whatever it does ends in an answer within the limit."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.system import Host
from reconcile.system.confined import Ended, NotConfined, run_confined
from tests.doctor.asked import state_of

PYTHON = "/usr/bin/python3"
WWW = Host().accounts.user("www-data")


def run(script: str, folder: Path, timeout_s: float = 5.0) -> Ended:
    return run_confined(
        (PYTHON, "-c", script),
        WWW,
        directory=str(folder),
        environment={"MARK": str(folder)},
        timeout_s=timeout_s,
    )


def marked(folder: Path) -> list[int]:
    """Processes that were started from that folder's test and are still there."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = Path(f"/proc/{name}/environ").read_bytes()
        except OSError:
            continue
        if f"MARK={folder}".encode() in environment.split(b"\0"):
            found.append(int(name))
    return found


@pytest.fixture
def folder(public: Path) -> Path:
    """A folder that www-data owns, with a file in it."""
    place = public / "app"
    place.mkdir()
    (place / "kept.txt").write_text("kept")
    for path in (place, place / "kept.txt"):
        os.chown(path, WWW.uid, WWW.gid)
    return place


@pytest.fixture
def service(folder: Path) -> Iterator[list[bytes]]:
    """What a service on a socket of the file system hears."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "service.sock"))
        os.chmod(folder / "service.sock", 0o666)
        listener.listen()

        def take() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(100))

        threading.Thread(target=take, daemon=True).start()
        yield heard
        listener.shutdown(socket.SHUT_RDWR)


HARM = {
    "overwrite": "open('kept.txt', 'w').write('gone')",
    "append": "open('kept.txt', 'a').write('more')",
    "new": "open('new.txt', 'w').write('new')",
    "remove": "import os; os.unlink('kept.txt')",
    "rename": "import os; os.rename('kept.txt', 'other.txt')",
    "mode": "import os; os.chmod('kept.txt', 0o600)",
    "times": "import os; os.utime('kept.txt', (1, 1))",
    "temporary": "open('/tmp/reconcile-harm', 'w')",
    "remount": "import ctypes; l = ctypes.CDLL(None); l.unshare(0x10020000);"
    " l.mount(b'none', b'/', b'none', 0x1020, None); open('kept.txt', 'w')",
    "unix": "import socket; s = socket.socket(socket.AF_UNIX);"
    " s.connect('service.sock'); s.send(b'harm')",
    "tcp": "import socket; socket.create_connection(('127.0.0.1', 80), 1)",
    "udp": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
}


@pytest.mark.parametrize("script", HARM.values(), ids=HARM)
def test_nothing_on_the_machine_is_changed(folder: Path, service: list[bytes], script: str) -> None:
    before = state_of(folder)

    ended = run(script, folder)

    assert ("exited", 1) == (ended.how, ended.code)
    assert before == state_of(folder)
    assert [] == service
    assert not os.path.exists("/tmp/reconcile-harm")


def test_no_process_of_the_machine_can_be_seen_or_signalled(folder: Path) -> None:
    ended = run("import os; print([n for n in os.listdir('/proc') if n.isdigit()])", folder)

    assert b"['1']\n" == ended.said


LINGERING = {
    "sleeps": "import time; time.sleep(60)",
    "waits for a child": "import os, time; os.fork() or time.sleep(60); os.wait()",
    "talks": "while True: print('x' * 100_000)",
    "spins": "while True: pass",
    "takes no signal": "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
}


@pytest.mark.parametrize("script", LINGERING.values(), ids=LINGERING)
def test_it_ends_within_the_limit_and_leaves_nobody(folder: Path, script: str) -> None:
    began = time.monotonic()

    ended = run(script, folder, timeout_s=0.5)

    assert "timeout" == ended.how
    assert time.monotonic() - began < 30
    assert [] == marked(folder)


LEAVING = {
    "a child that has left its session": "import os, time\n"
    "if os.fork() == 0:\n os.setsid()\n if os.fork() == 0: time.sleep(60)",
    "many children": "import os, time\nfor _ in range(20):\n if os.fork() == 0: time.sleep(60)",
}


@pytest.mark.parametrize("script", LEAVING.values(), ids=LEAVING)
def test_what_it_left_running_ends_with_it(folder: Path, script: str) -> None:
    ended = run(script, folder)

    assert "exited" == ended.how
    assert [] == marked(folder)


def test_children_without_end_come_to_an_end(folder: Path) -> None:
    ended = run("import os\nwhile True: os.fork()", folder, timeout_s=2)

    assert ended.how in ("exited", "timeout")
    assert [] == marked(folder)


def test_memory_is_limited(folder: Path) -> None:
    ended = run("x = bytearray(8 << 30)", folder)

    assert ("exited", 1) == (ended.how, ended.code)


def test_it_runs_as_its_user_without_any_privilege(folder: Path) -> None:
    ended = run(
        "import os; s = open('/proc/self/status').read();"
        " print(os.getuid(), os.getgid(), [l for l in s.split('\\n') if l[:6] in"
        " ('CapEff', 'CapBnd', 'NoNewP')])",
        folder,
    )

    nothing = "0" * 16
    assert (
        f"{WWW.uid} {WWW.gid} ['CapEff:\\t{nothing}', 'CapBnd:\\t{nothing}', 'NoNewPrivs:\\t1']\n"
    ) == ended.said.decode()


def test_what_an_honest_program_needs_is_there(folder: Path) -> None:
    ended = run(
        "import tempfile, subprocess, socket, random; tempfile.TemporaryFile().write(b'x');"
        " socket.socketpair(); random.SystemRandom().random();"
        " subprocess.run(['true'], stdin=subprocess.DEVNULL, check=True);"
        " print(open('kept.txt').read())",
        folder,
    )

    assert b"kept\n" == ended.said


def test_an_interpreter_that_cannot_be_run_is_told_with_the_reason(public: Path) -> None:
    ended = run_confined(("/none/python",), WWW, directory=str(public), environment={})

    assert ("not started", True) == (ended.how, "No such file" in ended.why)


UNPRIVILEGED = """
import sys
from reconcile.system import Host
from reconcile.system.confined import run_confined
for script in ("import os; print(os.getuid(), os.listdir('/proc')[-1])",
               "open(sys.argv[0], 'a')", "import socket; socket.socket()"):
    ended = run_confined(("/usr/bin/python3", "-c", script), Host().accounts.current,
                         directory="/", environment={})
    print(ended.how, ended.code, ended.said.decode().strip())
"""


def test_whoever_is_not_root_gets_the_same_by_a_user_namespace(public: Path) -> None:
    package = Path(__file__).parents[2] / "reconcile"
    shutil.copytree(package, public / "reconcile", ignore=shutil.ignore_patterns("__pycache__"))
    me = ("setpriv", f"--reuid={WWW.uid}", f"--regid={WWW.gid}", "--clear-groups")

    told = subprocess.run(
        (*me, PYTHON, "-B", "-c", UNPRIVILEGED),
        cwd=public,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert [f"exited 0 {WWW.uid} 1", "exited 1 ", "exited 1 "] == told.splitlines()


def test_root_is_kept_out_of_too_little(public: Path) -> None:
    root = Host().accounts.user("root")

    with pytest.raises(NotConfined):
        run_confined((PYTHON, "-c", ""), root, directory=str(public), environment={})
