"""Whatever code does in the sandbox, it changes and reaches nothing, and ends within limits."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any, NamedTuple

import pytest

from reconcile.system import Host
from reconcile.system.sandbox import NoSandbox, run_sandboxed
from tests.lab import DebianHost
from tests.lab.debian import entering
from tests.lab.fixtures import Boot
from tests.support.wait import wait_for

PYTHON = "/usr/bin/python3"
DRIVER = """
import json, sys
from reconcile.system import Host
from reconcile.system.sandbox import NoSandbox, run_sandboxed
order = json.load(sys.stdin)
host = Host()
try:
    result = run_sandboxed(host.commands, order["python"], ("-c", order["script"]),
        host.accounts.user("www-data"), directory=order["directory"],
        environment={"SECRET": order["secret"]}, timeout_s=order["timeout_s"])
except NoSandbox as error:
    print(json.dumps(["", "no sandbox", 0, f"{error.what}: {error.why}"]))
else:
    print(json.dumps([result.output, result.outcome, result.exit_code, result.reason]))
"""
LISTENER = """
import os, select, socket
def at(kind, address):
    one = socket.socket(socket.AF_UNIX, kind)
    one.bind(address)
    if kind == socket.SOCK_STREAM:
        one.listen()
    return one
sockets = [at(kind, f"{place}{kind.name}") for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
           for place in ("/srv/app/", "\\0")]
for name in os.listdir("/srv/app"):
    if name.startswith("SOCK"):
        os.chmod(f"/srv/app/{name}", 0o777)
print("ready", flush=True)
while True:
    for one in select.select(sockets, [], [])[0]:
        print("heard", one.type, flush=True)
        one.accept() if one.type == socket.SOCK_STREAM else one.recv(99)
"""
WATCHED = "/srv /tmp /var/tmp /dev/shm /dev/mqueue /run/lock /var/www"


class Result(NamedTuple):
    output: str
    outcome: str
    exit_code: int
    reason: str


def run(host: DebianHost, script: str, *, timeout_s: float = 5.0, **more: str) -> Result:
    order = {"python": PYTHON, "directory": "/srv/app", "secret": "", **more}
    done = host.run(
        *("/opt/reconcile/bin/python", "-c", DRIVER),
        input=json.dumps({**order, "script": script, "timeout_s": timeout_s}).encode(),
    )
    return Result(*json.loads(done.stdout))


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    host = module_hosts("sandbox")
    host.write("/srv/app/kept.txt", "kept", user="www-data")
    host.run("chown", "www-data", "/srv/app")
    return host


@pytest.fixture(scope="module")
def listener(host: DebianHost) -> str:
    """The file in which a service reports each of its sockets that is reached."""
    host.write("/srv/listener.py", LISTENER)
    host.run(
        "systemd-run", "--property=StandardOutput=append:/root/heard", PYTHON, "/srv/listener.py"
    )
    wait_for(lambda: host.run("grep", "ready", "/root/heard", check=False).stdout, "a listener")
    return "/root/heard"


def state(host: DebianHost) -> str:
    """Every file in the watched folders, and every process of the app's user.

    systemd makes a folder in /tmp, and removes it, while it makes a unit's /dev.
    """
    files = f"find {WATCHED} -mindepth 1 -printf '%p %m %u %s %T@ %C@\\n' | sort"
    return host.run("sh", "-c", f"{files}; ps -u www-data -o pid=,args= || true").stdout


DATAGRAM = "import socket; a, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); "
HARM = {
    "overwrite": "open('kept.txt', 'w').write('gone')",
    "append": "open('kept.txt', 'a').write('more')",
    "new": "open('new.txt', 'w').write('new')",
    "remove": "import os; os.unlink('kept.txt')",
    "rename": "import os; os.rename('kept.txt', 'other.txt')",
    "mode": "import os; os.chmod('kept.txt', 0o600)",
    "times": "import os; os.utime('kept.txt', (1, 1))",
    "a secret of root's": "open('/etc/shadow').read()",
    "the state directory": "import os; os.listdir('/var/lib/reconcile')",
    "remount": "import ctypes; l = ctypes.CDLL(None); l.unshare(0x10020000);"
    " l.mount(b'none', b'/', b'none', 0x1020, None); open('kept.txt', 'w')",
    "a user namespace": "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "the way out by a process": "open('/proc/1/root/srv/app/kept.txt', 'w')",
    "kill everybody": "import os; os.kill(-1, 9)",
    "a terminal": "import os; os.listdir('/dev/pts')",
    "a message queue": "open('/dev/mqueue/harm', 'w')",
    "tcp": "import socket; socket.create_connection(('127.0.0.1', 80), 1)",
    "udp": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "a stream socket": "import socket; socket.socket(socket.AF_UNIX).connect('SOCK_STREAM')",
    "a datagram socket": f"{DATAGRAM}a.sendto(b'x', 'SOCK_DGRAM')",
    "a datagram socket by sendmsg": f"{DATAGRAM}a.sendmsg([b'x'], [], 0, 'SOCK_DGRAM')",
    "a datagram socket by connect": f"{DATAGRAM}a.connect('SOCK_DGRAM')",
    "an abstract stream socket": "import socket;"
    " socket.socketpair()[0].connect('\\0SOCK_STREAM')",
    "an abstract datagram socket": f"{DATAGRAM}a.sendto(b'x', '\\0SOCK_DGRAM')",
    "the log": f"{DATAGRAM}a.sendto(b'forged', '/dev/log')",
    "the journal": f"{DATAGRAM}a.sendto(b'MESSAGE=forged', '/run/systemd/journal/socket')",
    "systemd": f"{DATAGRAM}a.sendto(b'STATUS=x', '/run/systemd/notify')",
    "dbus": "import os; os.stat('/run/dbus/system_bus_socket')",
}  # fmt: skip


@pytest.mark.host
@pytest.mark.parametrize("script", HARM.values(), ids=HARM)
def test_nothing_of_the_machine_is_changed_read_or_reached(
    host: DebianHost, listener: str, script: str
) -> None:
    before = state(host)

    result = run(host, script)

    assert ("exited", 1) == (result.outcome, result.exit_code)
    assert before == state(host)


@pytest.mark.host
def test_its_datagrams_reach_no_listener(host: DebianHost, listener: str) -> None:
    run(host, "\n".join(f"try:\n {line}\nexcept Exception: pass" for line in HARM.values()))

    assert b"ready\n" == host.read(listener)
    control = host.run(PYTHON, "-c", HARM["a datagram socket"], user="www-data", cwd="/srv/app")
    assert "" == control.stderr
    wait_for(lambda: b"heard" in host.read(listener), "the control")
    journal = host.run("journalctl", "--no-pager", "--output=cat").stdout
    assert "forged" not in journal
    assert "reconcile-sandbox" not in journal


LINGERING = {
    "sleeps": "import time; time.sleep(60)",
    "waits for a child": "import os, time; os.fork() or time.sleep(60); os.wait()",
    "spins": "while True: pass",
    "ignores signals": "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
    "a child that left its session": "import os, time\n"
    "if os.fork() == 0:\n os.setsid()\n time.sleep(60)\ntime.sleep(60)",
}


@pytest.mark.host
@pytest.mark.parametrize("script", LINGERING.values(), ids=LINGERING)
def test_it_ends_within_the_limit_and_leaves_no_process(host: DebianHost, script: str) -> None:
    before, began = state(host), time.monotonic()

    result = run(host, script, timeout_s=1)

    assert "timeout" == result.outcome
    assert time.monotonic() - began < 8
    assert before == state(host)


BEYOND = {
    "memory": ("x = bytearray(8 << 30)\nfor i in range(0, len(x), 4096): x[i] = 1", ["killed"]),
    "memory of many": (
        "import os\nwhile os.fork():\n pass\nx = b'1' * (400 << 20)\nimport time; time.sleep(9)",
        ["killed", "exited", "timeout"],
    ),
    "processes": ("import os\nwhile True: os.fork()", ["exited", "timeout"]),
    "output": ("while True: print('x' * 100_000)", ["too much output"]),
    "files in memory": ("open('/tmp/x', 'w').write('x' * (20 << 20))", ["exited"]),
    "descriptors": ("x = [open('/dev/null') for _ in range(9999)]", ["exited"]),
}


@pytest.mark.host
@pytest.mark.parametrize(("script", "outcomes"), BEYOND.values(), ids=BEYOND)
def test_nothing_is_taken_without_limit(host: DebianHost, script: str, outcomes: list[str]) -> None:
    before = state(host)

    result = run(host, script, timeout_s=30)

    assert result.outcome in outcomes
    assert 0 != result.exit_code or result.outcome != "exited"
    assert before == state(host)


@pytest.mark.host
def test_it_runs_as_its_user_alone_and_without_any_privilege(host: DebianHost) -> None:
    result = run(
        host,
        "import os; print(os.getuid(), os.getgid(), os.getpid());"
        " print([n for n in os.listdir('/proc') if n.isdigit()], os.listdir('/proc/self/fd'));"
        " s = open('/proc/self/status').read(); print([l.split()[1] for l in s.split('\\n')"
        " if l[:6] in ('CapEff', 'CapPrm', 'CapInh', 'CapAmb', 'NoNewP', 'Seccom')][:6])",
    )

    nothing = "0" * 16
    assert [
        "33 33 1",
        "['1'] ['0', '1', '2', '3']",
        f"{[nothing, nothing, nothing, nothing, '1', '2']}",
    ] == result.output.splitlines()


@pytest.mark.host
def test_every_mount_but_its_own_folders_in_memory_is_read_only(host: DebianHost) -> None:
    result = run(
        host,
        "import os\nfor line in open('/proc/self/mountinfo'):\n"
        " path, options = line.split()[4:6]\n"
        " if 'rw' in options.split(',') and os.access(path, os.W_OK): print(path)",
    )

    assert ["/dev/shm", "/tmp", "/var/tmp"] == sorted(result.output.split())


@pytest.mark.host
def test_what_an_honest_program_needs_is_there(host: DebianHost) -> None:
    result = run(
        host,
        "import asyncio, multiprocessing, random, subprocess, tempfile, threading\n"
        "tempfile.TemporaryFile().write(b'x'); random.SystemRandom().random()\n"
        "subprocess.run(['true'], check=True); multiprocessing.Lock(); multiprocessing.Pipe()\n"
        "thread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()\n"
        "async def answer(): return open('kept.txt').read()\n"
        "print(asyncio.run(answer()))",
    )

    assert ["thread", "kept"] == result.output.split()


@pytest.mark.host
def test_a_secret_of_its_environment_is_on_no_command_line_and_in_no_unit(
    host: DebianHost,
) -> None:
    shown = "systemctl show 'reconcile-sandbox-*'; ps -eo args"
    script = "import os, time; print(os.environ['SECRET']); time.sleep(5)"
    order = {
        "python": PYTHON,
        "directory": "/srv/app",
        "script": script,
        "timeout_s": 60,
        "secret": "s3cr3t",
    }
    command = [*entering(host.leader), "/opt/reconcile/bin/python", "-c", DRIVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        running.stdin.write(json.dumps(order).encode())
        running.stdin.close()
        wait_for(lambda: "print(os.environ" in host.run("ps", "-eo", "args").stdout, "the script")
        public = host.run("sh", "-c", shown).stdout
        assert running.stdout
        output = running.stdout.read().decode()

    assert "s3cr3t" in output
    assert "reconcile-sandbox-" in public
    assert "s3cr3t" not in public


@pytest.mark.host
def test_any_folder_can_be_entered(host: DebianHost) -> None:
    folder = "/srv/a b$HOME%n"
    host.run("mkdir", "-p", folder)

    assert f"{folder}\n" == run(host, "import os; print(os.getcwd())", directory=folder).output


@pytest.mark.host
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"python": "/none/python"}, "No such file"),
        ({"python": "/etc/shadow"}, "Permission denied"),
        ({"directory": "/root"}, "Permission denied: /root"),
    ],
)
def test_what_cannot_be_started_is_reported_with_the_reason(
    host: DebianHost, more: dict[str, Any], why: str
) -> None:
    result = run(host, "", **more)

    assert "not started" == result.outcome
    assert why in result.reason


@pytest.mark.host
def test_a_host_that_cannot_limit_memory_has_no_sandbox(host: DebianHost) -> None:
    host.write("/usr/local/bin/systemctl", "#!/bin/sh\necho 'MemoryCurrent=[not set]'", mode="0755")

    result = run(host, "print('ran')")

    host.run("rm", "/usr/local/bin/systemctl")
    assert "no sandbox" == result.outcome
    assert "cannot limit memory" in result.reason


@pytest.mark.process
def test_root_is_kept_out_of_too_little() -> None:
    host = Host()

    with pytest.raises(NoSandbox):
        run_sandboxed(
            *(host.commands, PYTHON, (), host.accounts.user("root")), directory="/", environment={}
        )
