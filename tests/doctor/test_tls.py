"""Certificates, keys and certbot, with real certificates of an authority of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.doctor import certificates
from reconcile.doctor.certificates import CertificateKeyPair
from reconcile.doctor.rules.tls_certificate import widen_command
from reconcile.output.findings import Diagnosis
from tests.doctor.pki import Pki, openssl
from tests.doctor.single_rule import ask, configured, serious

pytestmark = pytest.mark.process

SERVER = """
server {{
    listen 127.0.0.1:8443 ssl;
    server_name {names};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    {more}
    location /static/ {{ alias {root}/static/; }}
}}
"""


@pytest.fixture(scope="module")
def pki() -> Iterator[Pki]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    made = Pki(folder)
    made.issue("site", names="shop.test www.shop.test *.cdn.test")
    made.issue("other", names="other.test")
    made.issue("alone", extensions="public")
    made.chain("alone-full.pem", "alone", "between")
    made.issue("ended", begins="-90", ends="-1")
    made.issue("ending", begins="-80", ends="9")
    made.issue("short", begins="-1", ends="5")
    made.issue("to-come", begins="2")
    made.issue(
        "late-between", "/CN=Between", by="root", extensions="authority", begins="-90", ends="-1"
    )
    made.issue("late", by="late-between")
    made.issue("rsa", kind="RSA")
    made.chain("full.pem", "site", "between")
    made.chain("late-full.pem", "late", "late-between")
    made.chain("rsa-full.pem", "rsa", "between")
    locked = "pkey -in site.key -aes128 -passout pass:word -out locked.key"
    openssl(folder, *locked.split())
    yield made
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def authorities(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts the test's own authority, and no other."""
    monkeypatch.setattr(certificates, "AUTHORITIES", str(pki.folder / "root.pem"))


def asked(
    rule: str,
    pki: Pki,
    root: Path,
    certificate: str = "full.pem",
    key: str = "site.key",
    names: str = "shop.test",
    more: str = "",
) -> Diagnosis:
    certificate, key = str(pki.folder / certificate), str(pki.folder / key)
    http = SERVER.format(root=root, names=names, certificate=certificate, key=key, more=more)
    return ask(rule, configured(root, http), root)


def test_tls_certificate_is_silent_where_all_is_right(pki: Pki, tmp_path: Path) -> None:
    found = asked("tls-certificate", pki, tmp_path, names="shop.test www.shop.test a.cdn.test")

    assert ((), ()) == (found.findings, found.unknown)


FAULTS = {
    "another key": ("full.pem", "other.key", "is not the key of", "error"),
    "the issuer first": ("reversed.pem", "site.key", "is not the key of", "error"),
    "expired": ("ended.pem", "ended.key", "expired on", "error"),
    "soon to expire": ("ending.pem", "ending.key", "expires in 8 days", "warning"),
    "not yet begun": ("to-come.pem", "to-come.key", "is not valid before", "error"),
    "another name": ("other.pem", "other.key", "does not cover shop.test", "error"),
    "a chain out of order": ("broken.pem", "site.key", "is broken", "warning"),
    "an expired intermediate": ("late-full.pem", "late.key", "has a certificate that", "error"),
    "no intermediate of a public authority": (
        *("alone.pem", "alone.key", "has no intermediate certificate", "warning"),
    ),
    "a key with a passphrase": ("full.pem", "locked.key", "needs a passphrase:", "error"),
    "no certificate": ("none.pem", "site.key", "does not exist", "error"),
}


@pytest.mark.parametrize(("certificate", "key", "what", "severity"), FAULTS.values(), ids=FAULTS)
def test_tls_certificate_reports(
    pki: Pki, tmp_path: Path, certificate: str, key: str, what: str, severity: str
) -> None:
    pki.chain("reversed.pem", "between", "site")
    pki.chain("broken.pem", "site", "root", "between")

    found = serious(asked("tls-certificate", pki, tmp_path, certificate, key))

    assert any(what in one.what and severity == one.severity for one in found), found


def test_tls_certificate_with_a_short_lifetime_is_renewed_later(pki: Pki, tmp_path: Path) -> None:
    assert [] == serious(asked("tls-certificate", pki, tmp_path, "short.pem", "short.key"))


NOTES = {
    "no intermediate": (
        "site.pem",
        "site.key",
        "does not end at an authority that this machine trusts",
    ),
    "self-signed": ("root.pem", "root.key", "is self-signed"),
}


@pytest.mark.parametrize(("certificate", "key", "what"), NOTES.values(), ids=NOTES)
def test_tls_certificate_notes_an_untrusted_issuer(
    pki: Pki, tmp_path: Path, certificate: str, key: str, what: str
) -> None:
    found = asked("tls-certificate", pki, tmp_path, certificate, key)

    assert [what] == [what for one in found.findings if one.severity == "note" and what in one.what]


def test_a_certificate_of_a_public_authority_with_its_chain_is_fine(
    pki: Pki, tmp_path: Path
) -> None:
    assert () == asked("tls-certificate", pki, tmp_path, "alone-full.pem", "alone.key").findings


def test_tls_certificate_with_its_chain_is_not_asked_for_one(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "AUTHORITIES", str(pki.folder / "other.pem"))

    [finding] = asked("tls-certificate", pki, tmp_path).findings

    assert ("note", "") == (finding.severity, finding.fix)
    assert "another intermediate certificate is missing" in finding.what


def test_tls_certificate_that_is_malformed_is_unknown(pki: Pki, tmp_path: Path) -> None:
    (pki.folder / "garbage.pem").write_text("garbage")

    assert 1 == len(asked("tls-certificate", pki, tmp_path, "garbage.pem").unknown)


@pytest.mark.parametrize(("words", "what"), [("other\nword\n", 0), ("other\n", 1)])
def test_tls_certificate_tries_the_passphrases_of_nginx(
    pki: Pki, tmp_path: Path, words: str, what: int
) -> None:
    (tmp_path / "words").write_text(words)
    more = f"ssl_password_file {tmp_path}/words;"

    found = serious(asked("tls-certificate", pki, tmp_path, key="locked.key", more=more))

    assert what == len([one for one in found if f"that is not in {tmp_path}/words" in one.what])


@pytest.mark.parametrize(("key", "wrong"), [("rsa.key", []), ("other.key", ["rsa-full.pem"])])
def test_tls_certificate_checks_each_of_two_key_types(
    pki: Pki, tmp_path: Path, key: str, wrong: list[str]
) -> None:
    more = f"ssl_certificate {pki.folder}/rsa-full.pem; ssl_certificate_key {pki.folder}/{key};"

    found = serious(asked("tls-certificate", pki, tmp_path, more=more))

    assert [
        f"{pki.folder}/{key} is not the key of {pki.folder}/{name}: nginx cannot start."
        for name in wrong
    ] == [finding.what for finding in found]


def test_tls_certificate_and_key_in_one_file_are_right(pki: Pki, tmp_path: Path) -> None:
    both = pki.folder / "both.pem"
    parts = ("full.pem", "site.key")
    both.write_bytes(b"".join((pki.folder / part).read_bytes() for part in parts))

    assert [] == serious(asked("tls-certificate", pki, tmp_path, "both.pem", "both.pem"))


def test_tls_certificate_of_certbot_is_extended_by_its_name() -> None:
    live = CertificateKeyPair(None, None, "/etc/letsencrypt/live/shop.test/fullchain.pem", "")  # type: ignore[arg-type]  # neither is asked for

    told = widen_command(live, ["shop.test", "www.shop.test"])

    assert told.endswith(
        "certbot certonly --webroot -w /var/www/letsencrypt --cert-name shop.test"
        " -d shop.test -d www.shop.test"
    )


def test_an_authority_of_a_bad_form_hides_no_other(pki: Pki) -> None:
    bad = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    authorities = bad + (pki.folder / "root.pem").read_bytes()
    [between] = certificates.parse_chain((pki.folder / "between.pem").read_bytes())

    assert certificates.ends_at_trusted_root(between, authorities)


@pytest.mark.parametrize(
    ("name", "is_named"),
    [
        *(("shop.test", True), ("SHOP.test", True), ("a.cdn.test", True), ("cdn.test", False)),
        *(("a.b.cdn.test", False), ("*.cdn.test", True), ("*.shop.test", False)),
        *(("x.test", False), (".shop.test", False), (".both.test", True)),
        *(("bücher.test", True), ("x.bücher.test", False), ("192.0.2.7", True)),
        *(("192.0.2.8", False), ("cdn.*", True), ("www.shop.*", True), ("~^x\\.test$", True)),
        *(("localhost", True), ("_", True), ("", True)),
    ],
)
def test_a_name_is_certified_as_browsers_have_it(name: str, is_named: bool) -> None:
    certified = frozenset(
        {"shop.test", "*.cdn.test", "both.test", "*.both.test", "xn--bcher-kva.test", "192.0.2.7"}
    )

    asked_for = certificates.browser_names([name])

    assert is_named == all(certificates.covers_name(one, certified) for one in asked_for)


def test_an_address_is_certified_by_an_address(pki: Pki, tmp_path: Path) -> None:
    pki.issue("address", names="shop.test IP:192.0.2.7")
    named = "shop.test 192.0.2.7"

    found = asked("tls-certificate", pki, tmp_path, "address.pem", "address.key", named)

    assert [] == serious(found)


def test_tls_key_that_anybody_can_read(pki: Pki, tmp_path: Path) -> None:
    shutil.copy(pki.folder / "site.key", pki.folder / "open.key")
    (pki.folder / "open.key").chmod(0o644)

    [finding] = serious(asked("tls-key", pki, tmp_path, key="open.key"))

    assert f"any user of this machine can read the private key {pki.folder}/open.key." == (
        finding.what
    )
    assert f"chmod 0600 {pki.folder}/open.key" in finding.fix


def test_tls_key_that_the_worker_can_read(pki: Pki, tmp_path: Path) -> None:
    shutil.copy(pki.folder / "site.key", pki.folder / "group.key")
    (pki.folder / "group.key").chmod(0o640)
    shutil.chown(pki.folder / "group.key", group="www-data")

    [finding] = asked("tls-key", pki, tmp_path, key="group.key").findings

    assert "note" == finding.severity
    assert "www-data can read the private key" in finding.what


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        ("user:games:r", "games"),
        ("group:games:r", "the group games"),
        ("user:games:-", ""),
        ("user:root:r", ""),
    ],
)
def test_tls_key_that_an_acl_opens(pki: Pki, tmp_path: Path, entry: str, who: str) -> None:
    # A copy over the last one would keep its list.
    (pki.folder / "listed.key").unlink(missing_ok=True)
    shutil.copy(pki.folder / "site.key", pki.folder / "listed.key")
    (pki.folder / "listed.key").chmod(0o600)
    subprocess.run(["setfacl", "-m", entry, pki.folder / "listed.key"], check=True)

    found = serious(asked("tls-key", pki, tmp_path, key="listed.key"))

    assert [f"{who} can read the private key {pki.folder}/listed.key."] * bool(who) == [
        finding.what for finding in found
    ]


def test_tls_key_behind_a_closed_folder_is_silent_as_certbot_has_it(
    pki: Pki, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    live, archive = tmp_path / "live/shop", tmp_path / "archive/shop"
    for folder in (live, archive):
        folder.mkdir(parents=True)
        folder.parent.chmod(0o700)
    shutil.copy(pki.folder / "site.key", archive / "privkey1.pem")
    (archive / "privkey1.pem").chmod(0o644)
    (live / "privkey.pem").symlink_to("../../archive/shop/privkey1.pem")

    assert [] == serious(asked("tls-key", pki, tmp_path, key=f"{live}/privkey.pem"))


def test_tls_key_that_is_served(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    shutil.copy(pki.folder / "site.key", tmp_path / "static/site.key")

    found = serious(asked("tls-key", pki, tmp_path, key=f"{tmp_path}/static/site.key"))

    assert "error" == found[0].severity
    assert "is in the folder that /static/ serves" in found[0].what


def test_tls_key_of_root_alone_is_silent(pki: Pki, tmp_path: Path) -> None:
    assert [] == serious(asked("tls-key", pki, tmp_path))


EDITED = """
server {
    listen 8443 ssl; # managed by Certbot
    server_name shop.test;
    ssl_certificate /etc/letsencrypt/live/shop.test/fullchain.pem; # managed by Certbot
    ssl_certificate_key /etc/letsencrypt/live/shop.test/privkey.pem; # managed by Certbot
}
"""


def test_certbot_edits_in_a_managed_file_are_a_warning(tmp_path: Path) -> None:
    host = configured(tmp_path, "# Managed by reconcile (site shop)\n" + EDITED)

    [finding] = serious(ask("certbot-edits", host, tmp_path))

    assert f"{tmp_path}/conf.d/site.conf:4: 3 lines" in finding.evidence[0]
    assert "tls: {letsencrypt: shop.test}" in finding.fix


def test_certbot_edits_in_a_foreign_file_are_a_note(tmp_path: Path) -> None:
    found = ask("certbot-edits", configured(tmp_path, EDITED), tmp_path)

    assert ["note"] == [finding.severity for finding in found.findings]


@pytest.mark.parametrize(("site", "count"), [("", 1), ("shop.test", 1), ("blog.test", 0)])
def test_certbot_edits_are_reported_for_the_selected_site(
    tmp_path: Path, site: str, count: int
) -> None:
    host = configured(tmp_path, EDITED)
    (tmp_path / "conf.d/blog.conf").write_text("server { listen 80; server_name blog.test; }")

    assert count == len(ask("certbot-edits", host, tmp_path, site=site).findings)


def test_certbot_edits_is_silent_where_certbot_only_gets_certificates(tmp_path: Path) -> None:
    text = EDITED.replace(" # managed by Certbot", "")

    assert () == ask("certbot-edits", configured(tmp_path, text), tmp_path).findings
