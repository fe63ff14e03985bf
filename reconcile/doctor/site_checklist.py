"""The guide's ten boxes for one site, each ticked only by evidence gathered now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from reconcile.config.probes import HttpProbe, Probe, UploadDirectoryProbe, UploadProbe
from reconcile.config.site.location import HEALTH_FILE
from reconcile.doctor import registry
from reconcile.doctor.application.ask import NotImported
from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.guide_rows import CHECKLIST
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Diagnosis, Rule
from reconcile.doctor.rules.upload_dir_mismatch import upload_settings
from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line

if TYPE_CHECKING:
    from reconcile.config.compile import ReadableProbes
    from reconcile.doctor.config_view import Declaration
    from reconcile.system import Host

Proofs = Mapping[str, Sequence[Check]]
"""Row of the checklist → what the probes that prove it have seen."""
PROVEN = ("CL6", "CL8", "CL9")
"""The rows that nothing but a probe can tick."""
UNASKED = "no file could be written there to ask for"
NOTHING = "the site has nothing of the kind, or nothing tells"


@dataclass(frozen=True)
class BoxEvidence:
    """What was looked at for one box: what is fine, what is wrong, what could not be seen."""

    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __add__(self, more: BoxEvidence) -> BoxEvidence:
        return BoxEvidence(
            self.passed + more.passed, self.failed + more.failed, self.unknown + more.unknown
        )


@dataclass(frozen=True)
class ChecklistItem:
    """One line of the checklist."""

    row: str
    check: Check

    @property
    def title(self) -> str:
        return f"{self.row.removeprefix('CL')}. {CHECKLIST[self.row]}"


def checklist_item(site: str, row: str, seen: BoxEvidence) -> ChecklistItem:
    """Ticked where something shows that it is so, and nothing that it is not.

    With nothing for or against it, it is skipped: nothing said is no evidence.
    """
    name = f"checklist:{site}:{row.removeprefix('CL')}"
    for status, told in (("fail", seen.failed), ("unknown", seen.unknown), ("pass", seen.passed)):
        if told:
            line = "; ".join(dict.fromkeys(told)).replace(".; ", "; ")
            return ChecklistItem(row, Check(name, status, line))  # type: ignore[arg-type]  # all three are statuses
    return ChecklistItem(row, Check(name, "skipped", NOTHING))


def rule_evidence(found: Diagnosis) -> BoxEvidence:
    """What rules have against a box; that they are silent is no evidence by itself."""
    wrong = tuple(finding.what for finding in found.findings if finding.severity != "note")
    return BoxEvidence((), wrong, tuple(f"{one.ref.name}: {one.reason}" for one in found.unknown))


def probe_evidence(checks: Iterable[Check]) -> BoxEvidence:
    """What probes say of a box."""
    told: dict[str, list[str]] = {"pass": [], "fail": [], "unknown": [], "skipped": []}
    for check in checks:
        told[check.status].append(f"{check.name.removeprefix('probe:')}: {check.detail}")
    return BoxEvidence(*(tuple(told[status]) for status in ("pass", "fail", "unknown")))


def checks_by_row(
    probes: Iterable[Probe], checks: Sequence[Check], declared: Declaration
) -> dict[str, list[Check]]:
    """The checks of these probes, by the box that they prove."""
    found: dict[str, list[Check]] = {row: [] for row in CHECKLIST}
    for probe in probes:
        answers = [check for check in checks if check.name.startswith(f"{probe.name} over ")]
        itself = [check for check in checks if check.name == probe.name]
        if isinstance(probe, UploadProbe):
            found["CL4"] += itself
        elif isinstance(probe, UploadDirectoryProbe):
            # Its own name is borne by a canary that could not even be written.
            found["CL6"] += itself or [_written(probe)]
            blind = [check for check in itself if check.status == "unknown"]
            found["CL9"] += answers or blind or [Check(probe.name, "unknown", UNASKED)]
        elif _is_health(probe, declared):
            found["CL8"] += answers
    return found


def _written(probe: UploadDirectoryProbe) -> Check:
    return Check(probe.name, "pass", f"written to {probe.dir} as {probe.writer or 'this user'}")


def _is_health(probe: HttpProbe, declared: Declaration) -> bool:
    static = (one.prefix for one in declared.locations if one.role == "static")
    return probe.path in {prefix + HEALTH_FILE for prefix in static}


def of_site(declared: Declaration, site: str) -> Declaration:
    """What the YAML says of one site alone."""
    locations = tuple(one for one in declared.locations if one.site == site)
    prefixes = {one.prefix for one in locations}
    mounts = (
        replace(one, mounts={at: path for at, path in one.mounts.items() if at in prefixes})
        for one in declared.containers
    )
    apps = tuple(one for one in declared.apps if one.site == site)
    return replace(
        declared, locations=locations, apps=apps, containers=tuple(o for o in mounts if o.mounts)
    )


def site_checklist(whole: HostInspection, site: str, proven: Proofs) -> tuple[ChecklistItem, ...]:
    """The ten boxes of `site`. Errors: none; what cannot be read is an unknown box."""
    own = of_site(whole.declared, site)
    asked = cache(lambda rule, view: diagnose(view, [rule]))
    views = _Views(whole.restricted_to(own, frozenset(own.sites[site])))
    return tuple(
        checklist_item(site, row, _seen(row, views, asked) + probe_evidence(proven[row]))
        for row in CHECKLIST
    )


class _Views:
    """The inspection, whole and with the locations of one role alone."""

    def __init__(self, whole: HostInspection) -> None:
        self.whole = whole
        self.of = cache(self._of)

    def _of(self, role: str) -> HostInspection:
        view = copy(self.whole)
        locations = self.whole.declared.locations
        view.mappings = self.whole.mappings_of(role)
        is_static = role == "static"
        own = tuple(one for one in locations if (one.role == "static") == is_static)
        view.declared = replace(self.whole.declared, locations=own)
        return view


Asked = Callable[[Rule, HostInspection], Diagnosis]


def _seen(row: str, views: _Views, asked: Asked) -> BoxEvidence:
    covering = [rule for rule in registry.load() if row in rule.guide_rows]
    try:
        view = views.of(ROLES[row]) if row in ROLES else views.whole
        seen = BoxEvidence()
        for rule in covering:
            seen += rule_evidence(asked(rule, view))
        if ROLES.get(row) == "media":
            seen = _without(seen, covering, views.of("static"), asked)
        return seen + EVIDENCE[row](view)
    except ReconcileError as error:
        return BoxEvidence(unknown=(in_one_line(error),))
    except OSError as error:
        return BoxEvidence(unknown=(f"{error.filename or ''}: {error.strerror or error}",))


def _without(
    seen: BoxEvidence, covering: Sequence[Rule], static: HostInspection, asked: Asked
) -> BoxEvidence:
    """Less what is said of the static files, or of the site as a whole: that has its own box."""
    other = {what for rule in covering for what in rule_evidence(asked(rule, static)).failed}
    return replace(seen, failed=tuple(what for what in seen.failed if what not in other))


def _mapping(view: HostInspection) -> BoxEvidence:
    return BoxEvidence(tuple(f"{one.place}: {one.prefix} is {one.folder}" for one in view.mappings))


def _files(view: HostInspection) -> BoxEvidence:
    seen = BoxEvidence()
    for mapping in view.mappings_of("static"):
        found = view.inventory(mapping.path)
        count = len(list(found.of_kind("file"))) if found else 0
        told = (f"{mapping.path} has {count} files",)
        seen += BoxEvidence(passed=told) if count else BoxEvidence(failed=told)
    return seen


def _saving(view: HostInspection) -> BoxEvidence:
    servers = {id(one.server): one.server for one in view.mappings_of("media")}.values()
    told = (setting for server in servers for _, setting in upload_settings(view, server))
    fine = tuple(f"{one.place}: {one.name} = {one.folder}" for one in told)
    return BoxEvidence(fine) if fine else BoxEvidence(unknown=tuple(_unasked(view)))


def _unasked(view: HostInspection) -> Iterator[str]:
    """Apps that would tell where they save, if we might ask them."""
    for app in view.declared.apps:
        told = view.import_result(app)
        if told and isinstance(told.facts, NotImported) and not told.facts.is_certain:
            yield f"{told.code.name}: {told.facts.why}"


def _readable(view: HostInspection) -> BoxEvidence:
    served = view.mappings_of("static", "media")
    return BoxEvidence(tuple(f"{view.worker.name} may read {one.path}" for one in served))


def _accepted(_: HostInspection) -> BoxEvidence:
    return BoxEvidence(("nginx accepts its configuration",))


def _kept(view: HostInspection) -> BoxEvidence:
    served = view.mappings_of("static", "media")
    return BoxEvidence(tuple(f"no deploy script found here deletes {one.path}" for one in served))


def _by_probes_alone(_: HostInspection) -> BoxEvidence:
    return BoxEvidence()


ROLES = {"CL1": "static", "CL2": "media", "CL8": "static", "CL9": "media"}
"""Rows that are about one kind of location, while their rules are about all."""
EVIDENCE: Mapping[str, Callable[[HostInspection], BoxEvidence]] = {
    "CL1": _mapping,
    "CL2": _mapping,
    "CL3": _files,
    "CL4": _saving,
    "CL5": _readable,
    "CL6": _by_probes_alone,
    "CL7": _accepted,
    "CL8": _by_probes_alone,
    "CL9": _by_probes_alone,
    "CL10": _kept,
}
"""What speaks for a box once no rule speaks against it."""


def site_checklists(
    host: Host,
    declared: Declaration,
    sites: Iterable[str],
    asked: ReadableProbes,
    checks: Sequence[Check],
) -> Iterator[tuple[str, tuple[ChecklistItem, ...]]]:
    """Each site with its boxes; `checks` are what the probes have just seen."""
    whole = HostInspection(host, declared)
    for site in sites:
        own = [probe for probe in asked.probes if probe.site == site]
        proven = checks_by_row(own, checks, of_site(declared, site))
        for row in PROVEN if site in asked.unknown else ():
            proven[row].append(asked.unknown[site])
        yield site, site_checklist(whole, site, proven)
