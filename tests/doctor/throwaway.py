"""Hosts that exist for one diagnosis: folders, network and processes that nothing else shares.

A host is one text: nginx's site, and lines `#: …` that lay it out. Those are shell, with words of
their own: `static DIR` and `media DIR OWNER` make folders with files in them, `group NAME GID
MEMBERS` a group, `cert LINEAGE NAMES` a certificate as certbot lays it. `#: later …` is shell for
when nginx is at work, `#: hidden DIR` is empty for nginx alone, and `#: app ADDRESS USER DIR` is an
app that listens there as long as the host exists. `#: file NAME` ends the site; what follows is
another.

Run as a program, in namespaces of its own: hosts as JSON on standard input, findings on standard
output.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.doctor.pasted import paste, readable, served
from tests.support.wait import wait_for

NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
FOLDERS = (
    *(
        "/srv",
        "/home",
        "/var/www",
        "/var/log",
        "/var/lib/nginx",
        "/var/lib/docker/volumes",
        "/root/www",
    ),
    *("/etc/nginx", "/etc/letsencrypt", "/run"),
)
SHARED = ("mime.types", "proxy_params", "uwsgi_params", "fastcgi_params", "fastcgi.conf")
MAIN = """
user www-data;
worker_processes 1;
pid /run/nginx.pid;
events { worker_connections 64; }
http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    server_names_hash_bucket_size 128;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    ssl_protocols TLSv1.2 TLSv1.3;
    access_log /var/log/nginx/access.log;
    error_log /var/log/nginx/error.log;
    gzip on;
    include /etc/nginx/conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}
"""
PRELUDE = """
umask 022
static() {
    mkdir -p "$1/css" "$1/js" "$1/img"
    echo 'body{}' >"$1/css/app.css"; echo 'var a' >"$1/js/app.js"; echo x >"$1/img/logo.png"
}
media() {
    mkdir -p "$1/2024"; echo x >"$1/2024/photo.jpg"; chown -R "$2" "$1"
}
group() {
    grep -v "^$1:" /etc/group >/run/group; echo "$1:x:$2:$3" >>/run/group
    cat /run/group >/etc/group
}
cert() {
    into=/etc/letsencrypt/live/$1; mkdir -p "$into"; names=""
    for name in "$@"; do names="$names,DNS:$name"; done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 89 \
        -subj "/CN=$1" -addext "subjectAltName=${names#,}" \
        -keyout "$into/privkey.pem" -out "$into/fullchain.pem" 2>/dev/null
    cp "$into/fullchain.pem" "$into/chain.pem"; chmod 600 "$into/privkey.pem"
}
"""
USERS = "deploy:x:4100:4100::/home/deploy:/bin/sh\n"
GROUPS = "deploy:x:4100:\n"
_PAGE = b"<html><body>hello</body></html>"
_FILE_URL = re.compile(rb"^(?:GET|HEAD) /(?:static|media|assets|uploads)\b")
Diagnosed = dict[str, Any]


def diagnose_hosts(hosts: dict[str, str], fixed_rules: Iterable[str] = ()) -> dict[str, Diagnosed]:
    """What the doctor reports of each, by name.

    `exit_code`, `findings` and `unknown` as in JSON; `test`: what nginx -t prints. The fixes of
    `fixed_rules` are done, all of a host called `*: …`: `pasted` are their findings, `after` those
    of a second diagnosis, `opened` the paths and URLs that somebody can read since.
    """
    done = subprocess.run(
        [*NAMESPACES, sys.executable, "-m", "tests.doctor.throwaway", *fixed_rules],
        input=json.dumps(hosts),
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
        check=True,
    )
    return dict(json.loads(done.stdout))


@dataclass(frozen=True)
class Layout:
    """A host as its text describes it."""

    files: dict[str, str]
    shell: str
    apps: tuple[tuple[str, str, str], ...]
    later: str
    hidden: tuple[str, ...]


def read_layout(name: str, text: str) -> Layout:
    """The parts of a host's text."""
    file = re.sub(r"\W+", "-", name)
    files, shell, apps = {f"/etc/nginx/sites-enabled/{file}": ""}, list[str](), []
    later, hidden = list[str](), list[str]()
    for line in text.splitlines(keepends=True):
        words = line.split()
        if words[:2] == ["#:", "app"]:
            apps.append((words[2], words[3], words[4]))
        elif words[:2] == ["#:", "file"]:
            files[words[2]] = ""
        elif words[:2] == ["#:", "later"]:
            later.append(line.partition("later")[2].strip())
        elif words[:2] == ["#:", "hidden"]:
            hidden.append(words[2])
        elif words[:1] == ["#:"]:
            shell.append(line.removeprefix("#:").strip())
        else:
            files[list(files)[-1]] += line
    return Layout(files, "\n".join(shell), tuple(apps), "\n".join(later), tuple(hidden))


def _main() -> None:
    shared = {name: Path("/etc/nginx", name).read_bytes() for name in SHARED}
    _enter()
    hosts = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        json.dump({name: _diagnosed(name, hosts[name], shared) for name in hosts}, answers)


def _enter() -> None:
    """Cover what a host consists of, so that nothing of this machine is read or written."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    _mount_memory("/mnt")
    for folder in FOLDERS:
        _make_here_only(folder)
        _mount_memory(folder)
    for path, lines in (("/etc/passwd", USERS), ("/etc/group", GROUPS)):
        copy = Path("/run", path.rpartition("/")[2])
        copy.write_text(Path(path).read_text() + lines)
        subprocess.run(["mount", "--bind", str(copy), path], check=True)
        copy.unlink()


def _mount_memory(folder: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "t", folder], check=True)


def _make_here_only(folder: str) -> None:
    """Make a missing folder in a layer of memory, so that this machine does not get it."""
    if os.path.isdir(folder):
        return
    above = next(str(path) for path in Path(folder).parents if path.is_dir())
    layer = f"/mnt/{folder.replace('/', '-')}"
    for part in ("changes", "work"):
        os.makedirs(f"{layer}/{part}")
    shutil.copystat(above, f"{layer}/changes")
    options = f"lowerdir={above},upperdir={layer}/changes,workdir={layer}/work"
    subprocess.run(["mount", "-t", "overlay", "t", "-o", options, above], check=True)
    os.makedirs(folder)


def _diagnosed(name: str, text: str, shared: dict[str, bytes]) -> Diagnosed:
    _empty()
    layout = read_layout(name, text)
    for folder in ("sites-enabled", "conf.d", "snippets"):
        os.makedirs(f"/etc/nginx/{folder}")
    os.makedirs("/var/log/nginx")
    for path, data in shared.items():
        Path("/etc/nginx", path).write_bytes(data)
    Path("/etc/nginx/nginx.conf").write_text(MAIN)
    os.makedirs("/run/bin")
    Path("/run/bin/systemctl").write_text("#!/bin/sh\nexit 0\n")
    os.chmod("/run/bin/systemctl", 0o755)
    os.environ["PATH"] = "/run/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    for path, content in layout.files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(content)
    subprocess.run(
        ["sh", "-eu", "-c", PRELUDE + layout.shell], check=True, stdin=subprocess.DEVNULL
    )
    with _apps(layout.apps):
        tested = subprocess.run(["nginx", "-t"], capture_output=True, text=True)
        if tested.returncode:
            return {"exit_code": -1, "findings": [], "unknown": [], "test": tested.stderr}
        with _nginx(layout.hidden):
            subprocess.run(["sh", "-eu", "-c", PRELUDE + layout.later], check=True)
            found = {**_doctor(), "test": tested.stderr}
            exposed = _exposure(text)
            every = sorted(found["findings"], key=_line, reverse=True)
            pasted = [one for one in every if _is_to_fix(name, one) and paste(one["fix"])]
            if not pasted:
                return {**found, "pasted": []}
        tested = subprocess.run(["nginx", "-t"], capture_output=True, text=True)
        if tested.returncode:
            return {**found, "pasted": pasted, "refused": tested.stderr}
        with _nginx():
            opened = {
                what: sorted(paths - exposed[what]) for what, paths in _exposure(text).items()
            }
            return {**found, "pasted": pasted, "after": _doctor(), "opened": opened}


def _is_to_fix(host: str, finding: dict[str, Any]) -> bool:
    rule, fixed = host.partition(":")[0], sys.argv[1:]
    is_one = finding["rule"] == rule or (rule == "*" and finding["severity"] != "note")
    return rule in fixed and is_one


def _line(finding: dict[str, Any]) -> int:
    """The line that its fix edits: what stands below is edited first, so that lines stay."""
    edit = re.match(r"/[^:]+:(\d+): ", finding["fix"])
    return int(edit[1]) if edit else 0


def _exposure(text: str) -> dict[str, set[str]]:
    """Who can read which path, and which file visitors get."""
    prefixes = re.findall(r"location (?:\^~ )?(/[^\s{]*)", text)
    urls = {f"{uri} {path}" for uri, path in served(prefixes).items()}
    return {**readable(), "visitors": urls}


def _empty() -> None:
    for folder in FOLDERS:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


@contextmanager
def _nginx(hidden: Sequence[str] = ()) -> Iterator[None]:
    mounts = "".join(f"mount -t tmpfs -o mode=755 t {folder}; " for folder in hidden)
    sandbox = ["unshare", "--mount", "sh", "-eu", "-c", f'{mounts}exec "$@"', "sh"]
    command = [*(sandbox if hidden else ()), "nginx", "-g", "daemon off;"]
    nginx = subprocess.Popen(command, stdout=2)
    try:
        wait_for(lambda: _has_workers(nginx.pid), "nginx to start")
        yield
    finally:
        nginx.terminate()
        nginx.wait()


def _has_workers(master: int) -> bool:
    """Whether it has named itself, and its workers are no masters' copies any more."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    titles = (Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children)
    pid_file = Path("/run/nginx.pid")
    named = pid_file.exists() and pid_file.read_text().strip() == str(master)
    return named and bool(children) and not any(map(_is_unnamed, titles))


def _is_unnamed(title: bytes) -> bool:
    return title.startswith(b"nginx: master")


def _doctor() -> Diagnosed:
    from datetime import UTC, datetime

    from reconcile.cli.doctor import run_rules
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.rules import load_rules
    from reconcile.output.findings import doctor_document
    from reconcile.output.json import to_json
    from reconcile.system import Host

    found = run_rules(HostInspection(Host()), load_rules())
    return dict(json.loads(to_json(doctor_document(found, now=datetime.now(UTC)))))


@contextmanager
def _apps(apps: Sequence[tuple[str, str, str]]) -> Iterator[None]:
    pids = [_start(*app) for app in apps]
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _start(address: str, user: str, folder: str) -> int:
    """Listen as root, as systemd's sockets do; then serve as the user."""
    listener = _listener(address, user)
    account = pwd.getpwnam(user)
    pid = os.fork()
    if pid:
        listener.close()
        return pid
    os.chdir(folder)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    while True:
        connection = listener.accept()[0]
        with connection:
            _answer(connection)


def _listener(address: str, user: str) -> socket.socket:
    if address.startswith("/"):
        os.makedirs(os.path.dirname(address), exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        shutil.chown(address, user, "www-data")
        os.chmod(address, stat.S_IFSOCK | 0o660)
    else:
        host, _, port = address.rpartition(":")
        listener = socket.create_server((host, int(port)))
    listener.listen(16)
    return listener


def _answer(connection: socket.socket) -> None:
    connection.settimeout(1)
    try:
        request = connection.recv(65536)
        path = request.split(b" ")[1].partition(b"?")[0] if request.count(b" ") > 1 else b""
        # As Flask and whitenoise do: the app serves the files that lie in its folder.
        has_file = os.path.isfile(b"." + path)
        is_missing = _FILE_URL.match(request) and not has_file
        status, body = (b"404 Not Found", b"") if is_missing else (b"200 OK", _PAGE)
        head = b"HTTP/1.0 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % (status, len(body)) + body)
    except OSError:
        return


if __name__ == "__main__":
    _main()
