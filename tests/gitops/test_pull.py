"""`reconcile pull` from a real repository with real signatures, on a real small host."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run

pytestmark = pytest.mark.process

Pull = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Repository:
    """Somebody's clone of the repository that the host pulls from."""

    bare: Path
    clone: Path
    keys: Path

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "gpg.format=ssh")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.keys)}
        done = subprocess.run(
            ["git", *who, *arguments],
            cwd=self.clone,
            env=environment,
            text=True,
            capture_output=True,
            check=True,
        )
        return done.stdout.strip()

    def push(self, key: str | None, *options: str) -> str:
        """Commit everything, signed with that key, and push it; the commit."""
        self.git("add", "-A")
        signed = ("-c", f"user.signingkey={self.keys / key}") if key else ()
        self.git(
            *signed, "commit", "-q", "-m", "change", "-S" if key else "--no-gpg-sign", *options
        )
        self.git("push", "-q", "--force", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")


def new_key(folder: Path, name: str) -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
    )
    return (folder / f"{name}.pub").read_text()


@pytest.fixture
def repository(demo: DemoHost, tmp_path: Path) -> Repository:
    """One signed commit of the demo's YAML and its sources."""
    made = Repository(tmp_path / "bare.git", tmp_path / "clone", tmp_path / "keys")
    made.keys.mkdir()
    made.clone.mkdir()
    allowed = new_key(made.keys, "ann")
    new_key(made.keys, "eve")
    (made.keys / "allowed").write_text(f"ann@example.com {allowed}")
    made.git("init", "-q", "--bare", str(made.bare))
    made.git("init", "-q", "-b", "main")
    made.git("remote", "add", "origin", str(made.bare))
    shutil.copy(demo.file, made.clone)
    shutil.copytree(f"{demo.root}/app", made.clone / "app")
    made.push("ann")
    return made


@pytest.fixture
def pull(demo: DemoHost, run: Run, repository: Repository) -> Pull:
    def pull_it(*options: str) -> subprocess.CompletedProcess[str]:
        signers = ("--allowed-signers", str(repository.keys / "allowed"))
        where = ("--state-dir", f"{demo.root}/state")
        return run("pull", str(repository.bare), *signers, *where, *options, cwd=demo.root)

    return pull_it


def site_file(demo: DemoHost) -> str:
    return f"{demo.root}/nginx/sites-available/demo.conf"


def append(repository: Repository, text: str) -> None:
    with open(repository.clone / "reconcile.yaml", "a") as file:
        file.write(text)


def test_a_signed_commit_is_planned_then_applied_and_the_history_names_it(
    demo: DemoHost, run: Run, repository: Repository, pull: Pull
) -> None:
    planned = pull()
    applied = pull("--then", "apply")
    checked = pull("--then", "drift", "--json")

    assert (2, 0, 0) == (planned.returncode, applied.returncode, checked.returncode), applied.stderr
    commit = repository.git("rev-parse", "HEAD")
    history = json.loads(run("history", "--json", cwd=demo.root).stdout)
    assert commit == history["entries"][-1]["git_commit"]
    assert commit == json.loads(checked.stdout)["config"]["git_commit"]
    assert os.path.exists(site_file(demo))


def test_what_is_pulled_is_named_by_revision_and_path(
    demo: DemoHost, repository: Repository, pull: Pull
) -> None:
    commit = repository.git("rev-parse", "HEAD")

    planned, machine = pull(), json.loads(pull("--json").stdout)
    pull("--then", "apply")
    (Path(demo.root) / "www/media").chmod(0o700)
    drifted = pull("--then", "drift")

    assert re.search(rf"\(reconcile\.yaml:\d+ at {commit[:7]}\)", drifted.stdout)
    assert "copied from app/static" in planned.stdout
    assert "trees/" not in planned.stdout + drifted.stdout
    assert "reconcile.yaml" == machine["config"]["file"]
    places = {place for change in machine["resource_changes"] for place in change["places"]}
    assert all(place.endswith(f" at {commit[:7]}") for place in places)


@pytest.mark.parametrize("then", ["plan", "drift", "apply"])
def test_quiet_prints_nothing_when_in_sync(pull: Pull, then: str) -> None:
    loud = pull("--then", "apply", "--quiet")

    done = pull("--then", then, "--quiet")

    assert (0, True) == (loud.returncode, "Apply complete!" in loud.stdout)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("key", "told"), [(None, "is not signed"), ("eve", "is not signed by an allowed key")]
)
def test_a_commit_without_an_allowed_signature_is_refused(
    demo: DemoHost, repository: Repository, pull: Pull, key: str | None, told: str
) -> None:
    append(repository, "# another\n")
    repository.push(key)

    done = pull("--then", "apply")

    assert 1 == done.returncode
    assert told in done.stderr
    assert not os.path.exists(site_file(demo))


def test_a_rewritten_history_is_refused_though_it_is_signed(
    demo: DemoHost, repository: Repository, pull: Pull
) -> None:
    pull()
    append(repository, "# instead\n")
    repository.push("ann", "--amend")

    done = pull("--then", "apply")

    assert 1 == done.returncode
    assert "the history was rewritten" in done.stderr
    assert not os.path.exists(site_file(demo))


def test_an_older_revision_is_refused(demo: DemoHost, repository: Repository, pull: Pull) -> None:
    append(repository, "# newer\n")
    repository.push("ann")
    pull()
    repository.git("push", "-q", "--force", "origin", "HEAD~1:main")

    done = pull("--then", "apply")

    assert 1 == done.returncode
    assert "this is an older revision" in done.stderr


def test_a_commit_with_a_broken_yaml_is_reported_with_its_line(
    demo: DemoHost, repository: Repository, pull: Pull
) -> None:
    append(repository, "sites: again\n")
    repository.push("ann")

    done = pull("--then", "apply")

    assert 1 == done.returncode
    assert "\n  why: reconcile.yaml:" in done.stderr
    assert "trees/" not in done.stderr
    assert not os.path.exists(site_file(demo))


def test_a_revision_that_failed_is_not_applied_again(
    demo: DemoHost, repository: Repository, pull: Pull
) -> None:
    append(repository, "      - {get: /none, expect: {status: 200}}\n")
    repository.push("ann")

    first = pull("--then", "apply")
    second = pull("--then", "apply")
    retried = pull("--then", "apply", "--retry")

    assert (3, 1, 3) == (first.returncode, second.returncode, retried.returncode)
    assert "was already attempted" in second.stderr
    assert not os.path.exists(site_file(demo))


def test_an_unreachable_repository_is_reported(
    demo: DemoHost, repository: Repository, pull: Pull
) -> None:
    shutil.rmtree(repository.bare)

    done = pull("--then", "apply")

    assert 1 == done.returncode
    assert "refs/heads/main could not be fetched" in done.stderr


@pytest.mark.parametrize(
    "attribute", ["text eol=crlf", "ident", "working-tree-encoding=UTF-16", "filter=lfs", "binary"]
)
def test_the_bytes_that_were_signed_are_used_whatever_the_attributes(
    demo: DemoHost, repository: Repository, pull: Pull, attribute: str
) -> None:
    text = "/* $Id$ */\nbody {}\n"
    encoding = "utf-16" if "UTF-16" in attribute else "utf-8"
    (repository.clone / "app/static/signed.css").write_bytes(text.encode(encoding))
    (repository.clone / "app/static/.gitattributes").write_text(f"*.css {attribute}\n")
    repository.push("ann")

    done = pull()

    assert 2 == done.returncode, done.stderr
    [tree] = Path(f"{demo.root}/state").glob("pull/*/trees/*")
    assert text.encode() == (tree / "app/static/signed.css").read_bytes()


def test_the_signature_of_the_tip_vouches_for_what_lies_below(
    repository: Repository, pull: Pull
) -> None:
    append(repository, "# by somebody\n")
    repository.push(None)
    unsigned = pull()
    append(repository, "# read by ann\n")
    repository.push("ann")

    assert (1, 2) == (unsigned.returncode, pull().returncode)


def test_a_signed_tag_is_as_good_as_a_branch(repository: Repository, pull: Pull) -> None:
    key = ("-c", f"user.signingkey={repository.keys / 'ann'}")
    repository.git(*key, "tag", "-s", "-m", "release", "v1")
    repository.git("tag", "-a", "-m", "nobody's", "v2")
    repository.git("push", "-q", "origin", "v1", "v2")

    signed, unsigned = pull("--tag", "v1"), pull("--tag", "v2")

    assert (2, 1) == (signed.returncode, unsigned.returncode), signed.stderr
    assert "is not signed\n  why: the commit or tag has no signature\n" in unsigned.stderr


def test_unsigned_beside_keys_is_refused_for_it_would_win(
    repository: Repository, pull: Pull
) -> None:
    done = pull("--unsigned")

    assert 1 == done.returncode
    assert "--unsigned and trusted keys are mutually exclusive" in done.stderr


def test_a_gpg_signature_counts_where_its_key_is_given(
    demo: DemoHost, run: Run, repository: Repository, tmp_path: Path
) -> None:
    ring = tmp_path / "ring"
    ring.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(ring), "--batch", "--quiet", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-gen-key", "ann@example.com", "ed25519"], check=True)
    keys = tmp_path / "keys.asc"
    subprocess.run([*gpg, "--output", str(keys), "--export", "ann@example.com"], check=True)
    wrapper = tmp_path / "gpg.sh"
    wrapper.write_text(f'#!/bin/sh\nexec gpg --homedir {ring} --batch "$@"\n')
    wrapper.chmod(0o755)
    append(repository, "# by gpg\n")
    repository.git("add", "-A")
    repository.git(
        "-c",
        "gpg.format=openpgp",
        "-c",
        f"gpg.program={wrapper}",
        "-c",
        "user.signingkey=ann@example.com",
        "commit",
        "-q",
        "-S",
        "-m",
        "signed",
    )
    repository.git("push", "-q", "origin", "HEAD:main")
    where = ("--state-dir", f"{demo.root}/state")

    by_gpg = run("pull", str(repository.bare), "--gpg-keys", str(keys), *where, cwd=demo.root)
    signers = ("--allowed-signers", str(repository.keys / "allowed"))
    by_ssh = run("pull", str(repository.bare), *signers, *where, cwd=demo.root)

    assert (2, 1) == (by_gpg.returncode, by_ssh.returncode), by_gpg.stderr
    assert "is not signed by an allowed key" in by_ssh.stderr


def test_filters_hooks_and_links_of_the_repository_are_ignored(
    demo: DemoHost, repository: Repository, pull: Pull, tmp_path: Path
) -> None:
    proof = tmp_path / "ran"
    (repository.clone / ".gitattributes").write_text("* filter=evil\n")
    (repository.clone / ".gitconfig").write_text(f'[filter "evil"]\n\tsmudge = touch {proof}\n')
    (repository.clone / "app/static/shadow.txt").symlink_to("/etc/shadow")
    repository.push("ann")

    done = pull("--then", "apply")

    assert 0 == done.returncode, done.stderr
    assert not proof.exists()
    served = Path(f"{demo.root}/www/static/shadow.txt")
    assert not served.exists() or served.read_text() == "/etc/shadow"


def test_the_mirror_is_private(demo: DemoHost, pull: Pull) -> None:
    pull()

    for folder, _, names in os.walk(f"{demo.root}/state/pull"):
        for path in (folder, *(f"{folder}/{name}" for name in names)):
            assert 0 == stat.S_IMODE(os.lstat(path).st_mode) & 0o077, path


def test_without_anyone_who_may_sign_nothing_is_fetched(demo: DemoHost, run: Run) -> None:
    done = run("pull", "/nowhere.git", cwd=demo.root)

    assert 1 == done.returncode
    assert (
        "anyone who can push to the repository could run code as root on this host" in done.stderr
    )


def test_signers_that_others_may_write_decide_nothing(repository: Repository, pull: Pull) -> None:
    (repository.keys / "allowed").chmod(0o666)

    done = pull()

    assert 1 == done.returncode
    assert "is not a trusted keys file" in done.stderr


def test_half_of_what_is_owned_is_never_removed_unattended(
    demo: DemoHost, repository: Repository, pull: Pull
) -> None:
    assert 0 == pull("--then", "apply").returncode
    text = (repository.clone / "reconcile.yaml").read_text()
    (repository.clone / "reconcile.yaml").write_text(
        text.split("sites:")[0] + f"paths:\n  {demo.root}/kept: {{owner: {{user: root}}}}\n"
    )
    repository.push("ann")

    done = pull("--then", "apply")

    assert 1 == done.returncode
    assert "an unattended apply may remove or release 50% of them" in done.stderr
    assert os.path.exists(site_file(demo))


def test_a_pull_applies_nothing_under_a_hold(demo: DemoHost, run: Run, pull: Pull) -> None:
    assert 0 == run("hold", "--reason", "migrating", cwd=demo.root).returncode

    applied, planned = pull("--then", "apply"), pull()

    assert (6, 6) == (applied.returncode, planned.returncode)
    assert "held this host" in applied.stderr
    assert "Plan: 7 to add" in planned.stdout


def test_every_pull_leaves_its_reading_for_collectors(
    demo: DemoHost, repository: Repository, pull: Pull
) -> None:
    def reading() -> dict[str, Any]:
        [file] = Path(f"{demo.root}/state-readings").iterdir()
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    pull("--then", "apply")
    applied = reading()
    (repository.clone / "reconcile.yaml").write_text("version: 1\n")
    repository.push("eve")
    pull("--then", "apply")

    assert ("pull", "in_sync", True) == tuple(applied[key] for key in ("run", "state", "healthy"))
    assert [check for check in applied["checks"] if check["status"] == "pass"]
    assert "reconcile pull" == applied["last_apply"]["command"]
    assert "unknown" == reading()["state"]
