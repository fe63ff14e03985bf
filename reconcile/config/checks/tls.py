"""TLS: one certificate a site, and for one of Let's Encrypt the way to get it."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.fault import Fault
from reconcile.config.models.sites import Site
from reconcile.config.models.spec import Spec
from reconcile.config.models.tls import Tls
from reconcile.config.nodes import Loc
from reconcile.config.tree import inside

CHALLENGE_PORT = 80


def check_tls(spec: Spec) -> Iterator[Fault]:
    for name, site in spec.sites.items():
        loc = ("sites", name, "tls")
        if site.tls:
            yield from _check_source(loc, site.tls)
            yield from _check_key(loc, site, site.tls)
            if site.tls.letsencrypt:
                yield from _check_challenge(("sites", name), site)


def _check_source(loc: Loc, tls: Tls) -> Iterator[Fault]:
    pair = {"certificate": tls.certificate, "key": tls.key}
    if tls.letsencrypt is None:
        for key, path in pair.items():
            if path is None:
                yield Fault((*loc, key), f'"{key}" is missing', "or name it by letsencrypt")
        return
    for key, path in pair.items():
        if path is not None:
            yield Fault((*loc, key), f"letsencrypt says where the {key} is", "keep one of the two")


def _check_key(loc: Loc, site: Site, tls: Tls) -> Iterator[Fault]:
    for prefix, location in site.locations.items():
        if tls.key and inside(tls.key, location.dir):
            yield Fault((*loc, "key"), f"the private key lies below {prefix}, for all to get")


def _check_challenge(loc: Loc, site: Site) -> Iterator[Fault]:
    """Let's Encrypt asks on port 80 and for plain names; RFC 8555, section 8.3."""
    plain = {listen.port for listen in site.listens if not site.speaks_tls(listen)}
    if CHALLENGE_PORT not in plain:
        yield Fault(
            (*loc, "tls", "letsencrypt"),
            "Let's Encrypt asks for its proof on port 80, and this site does not listen there",
            "add 80 to listen",
        )
    for index, name in enumerate(site.server_names):
        if name.startswith("*.") or "." not in name:
            yield Fault(
                (*loc, "server_names", index),
                f"Let's Encrypt certifies {name} by no file on the web",
                "name the certificate and its key by their paths",
            )
