"""A certificate that certbot obtains, once the site answers the authority's challenges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.model import Finding
from reconcile.engine.resource import Cause, Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.nginx.certbot import CERTBOT_TIMER, WEBROOT, chain_path, key_path
from reconcile.system import Host
from reconcile.system.challenge import Proof, published_proof
from reconcile.system.http import HttpTarget

if TYPE_CHECKING:
    from reconcile.engine.model import Action, Change, FieldChange

PORT = 80
CERTBOT_TIMEOUT_S = 300.0
MOST_LINES = 12
"""Lines of what certbot prints that an error shows."""
_TIMERS = (CERTBOT_TIMER, "snap.certbot.renew.timer")
_TELLING = ("Domain:", "Type:", "Detail:")
_IDLE = re.compile(
    r"Warning: |^warnings\.warn|^Ask for help|^Saving debug log|^Some challenges have"
)


class ChallengeNotServed(ReconcileError):
    """The authority would not find the proof of a name."""


class CertbotFailed(ReconcileError):
    """certbot has not obtained the certificate."""


@dataclass(frozen=True, kw_only=True)
class Certificate(Resource):
    """A certificate of certbot's, by its name there, and the host names that it has to cover.

    Only whether they are covered is managed: certbot's own timer renews the certificate.
    """

    kind: Literal["certificate"] = "certificate"
    certificate: str
    names: tuple[str, ...] | None = None
    email: str | None = None
    address: str = "127.0.0.1"
    """Where this host's nginx answers on port 80."""
    nginx_config: str = ""
    renews: bool = True
    """Observed: whether a timer of certbot's runs."""

    order: ClassVar[int] = 95
    removal_order: ClassVar[int] = 95
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "forget"
    writes_contents: ClassVar[bool] = False
    reveals_changes: ClassVar[bool] = True
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {"certificate", "email", "address", "nginx_config", "renews"}
    )

    @property
    def name(self) -> str:
        """Its name at certbot."""
        return self.certificate

    @classmethod
    def from_name(cls, name: str) -> Self:
        """See `Resource.from_name`."""
        return cls(certificate=name)

    def requires(self) -> frozenset[Ref]:
        """nginx, which serves the proofs."""
        return frozenset({Ref("nginx_live", self.nginx_config)} if self.nginx_config else ())

    def observe(self, host: Host) -> Self | None:
        """The names that the newest certificate covers; None where there is none yet."""
        paths = (chain_path(self.certificate), key_path(self.certificate))
        if any(host.files.stat(path, follow=True) is None for path in paths):
            return None
        # Brings cryptography, for a certificate that is there.
        from reconcile.system.sent_certificate import dns_names

        covered = dns_names(host.files.read(paths[0]))
        is_enough = frozenset(self.names or ()) <= covered
        names = self.names if is_enough else tuple(sorted(covered))
        return replace(self, names=names, renews=_renews(host))

    def findings(self) -> tuple[Finding, ...]:
        """That nothing renews it."""
        if self.renews:
            return ()
        what = f"Nothing renews the certificate {self.certificate}: certbot's timer does not run."
        return (Finding("renewal", "warning", what, fix="systemctl enable --now certbot.timer"),)

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Refuse where certbot is missing. Errors: CommandMissing."""
        if self.ref in {change.ref for change in changes}:
            host.commands.required("certbot")
        return ()

    def apply(self, host: Host, before: Self | None) -> None:  # noqa: ARG002
        """Prove that the proofs are served, then have certbot obtain the certificate."""
        with published_proof(WEBROOT) as proof:
            for name in self.names or ():
                self._refuse_unserved(host, name, proof)
        done = host.commands.run(self._command(), timeout_s=CERTBOT_TIMEOUT_S)
        if not done.ok:
            raise CertbotFailed(
                f"certbot did not obtain the certificate {self.certificate}",
                "\n".join(_telling_lines(done.stdout, done.stderr)),
                "Remove the cause (does DNS lead here, is port 80 reachable from outside?), then"
                " apply again. certbot's log: /var/log/letsencrypt/letsencrypt.log",
            )

    def _refuse_unserved(self, host: Host, name: str, proof: Proof) -> None:
        answer = host.http.request(HttpTarget(self.address, PORT, name), proof.path)
        if (answer.status, answer.body) == (200, proof.content):
            return
        found = answer.detail if answer.error else f"status {answer.status}"
        raise ChallengeNotServed(
            f"http://{name}{proof.path} does not answer with the file that was put there",
            f"{found}, from {self.address}; so certbot was not run",
            "Check which server answers: reconcile explain"
            f" http://{name}/.well-known/acme-challenge/x",
        )

    def _command(self) -> tuple[str, ...]:
        contact = f"--email={self.email}" if self.email else "--register-unsafely-without-email"
        return (
            *("certbot", "certonly", "--non-interactive", "--agree-tos", contact),
            *("--webroot", f"--webroot-path={WEBROOT}", f"--cert-name={self.certificate}"),
            *("--keep-until-expiring", "--renew-with-new-domains"),
            *(f"--domain={name}" for name in self.names or ()),
        )

    def summary(self, action: Action) -> str:
        """Who obtains it, and for what."""
        return "" if action == "delete" else f"by certbot for {', '.join(self.names or ())}"

    def cause(self, field: str, before: Self | None, written: Mapping[str, str]) -> Cause:
        """Obtaining one is never reverting drift: it asks somebody else."""
        del field, before, written
        return "pending"

    def why(self, change: FieldChange) -> str:
        """Which names it lacks."""
        before = frozenset(change.before or ())
        return f"it lacks {', '.join(name for name in change.after or () if name not in before)}"

    def delete(self, host: Host) -> None:
        """Nothing: it stays certbot's."""


def _renews(host: Host) -> bool:
    if host.settings.service_manager != "systemd":
        return True
    return any(host.services.status(timer).active for timer in _TIMERS)


def _telling_lines(stdout: str, stderr: str) -> Iterator[str]:
    """What the authority reports, or else the last lines that certbot prints."""
    lines = [line.strip() for line in (stdout + "\n" + stderr).splitlines()]
    telling = [line for line in lines if line.startswith(_TELLING)]
    others = (line for line in lines if line and not _IDLE.search(line))
    yield from (telling or list(others))[-MOST_LINES:]
