"""The guide's checklist of ten items for a site, checked by present evidence only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from reconcile.config.probes import HttpProbe, Probe, UploadDirectoryProbe, UploadProbe
from reconcile.config.site.location import HEALTH_FILE
from reconcile.doctor.app_introspection.sandboxed_import import NotImported
from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.guide_rows import CHECKLIST
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule
from reconcile.doctor.rules import load_rules
from reconcile.doctor.rules.upload_dir_mismatch import upload_settings
from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.output.findings import Diagnosis
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.config.compile import ReadableProbes
    from reconcile.doctor.config_view import Declaration
    from reconcile.doctor.location_mapping import Role
    from reconcile.system import Host

ChecksByRow = Mapping[str, Sequence[Check]]
"""Row of the checklist → the results of the probes for it."""
PROBE_ROWS = ("CL6", "CL8", "CL9")
"""The rows that only a probe can check."""
NO_FILE = "no file could be written there to request"
NOT_APPLICABLE = "not applicable, or not known: set app.flask or app.django to check this"


@dataclass(frozen=True)
class BoxEvidence:
    """The evidence for one item: what passed, what failed, what is unknown."""

    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __add__(self, more: BoxEvidence) -> BoxEvidence:
        return BoxEvidence(
            self.passed + more.passed, self.failed + more.failed, self.unknown + more.unknown
        )


@dataclass(frozen=True)
class ChecklistItem:
    """One item of the checklist of a site."""

    row: str
    check: Check

    @property
    def title(self) -> str:
        """The item as the guide numbers and words it."""
        return f"{self.row.removeprefix('CL')}. {CHECKLIST[self.row]}"


def checklist_item(
    site: str, row: str, evidence: BoxEvidence, *, is_declared: bool = True
) -> ChecklistItem:
    """Failed, unknown or passed, in this order; without any evidence it is skipped.

    So is what the YAML leaves to the app, with what to add if nginx should do it.
    """
    name = _check_name(site, row)
    if evidence.failed and not is_declared:
        fix = f"Add /static/ to sites.{site}.locations to let nginx serve the files"
        return ChecklistItem(row, Check(name, "skipped", _join_sentences((*evidence.failed, fix))))
    if evidence.failed:
        return ChecklistItem(row, Check(name, "fail", _join_sentences(evidence.failed)))
    if evidence.unknown:
        return ChecklistItem(row, Check(name, "unknown", _join_sentences(evidence.unknown)))
    if evidence.passed:
        return ChecklistItem(row, Check(name, "pass", _join_sentences(evidence.passed)))
    return ChecklistItem(row, Check(name, "skipped", NOT_APPLICABLE))


def _check_name(site: str, row: str) -> str:
    return f"checklist:{site}:{row.removeprefix('CL')}"


def _join_sentences(lines: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(lines)).replace(".; ", "; ")


def rule_evidence(found: Diagnosis) -> BoxEvidence:
    """The findings of rules against an item; their absence does not pass it."""
    failed = tuple(finding.what for finding in found.findings if finding.severity != "note")
    return BoxEvidence((), failed, tuple(f"{one.ref.name}: {one.reason}" for one in found.unknown))


def probe_evidence(checks: Iterable[Check]) -> BoxEvidence:
    """The results of probes for an item."""
    lines: dict[str, list[str]] = {"pass": [], "fail": [], "unknown": [], "skipped": []}
    for check in checks:
        lines[check.status].append(f"{check.name.removeprefix('probe:')}: {check.detail}")
    return BoxEvidence(*(tuple(lines[status]) for status in ("pass", "fail", "unknown")))


def checks_by_row(
    probes: Iterable[Probe], checks: Sequence[Check], declared: Declaration
) -> dict[str, list[Check]]:
    """The checks of these probes, by the row that they are evidence for."""
    found: dict[str, list[Check]] = {row: [] for row in CHECKLIST}
    for probe in probes:
        answers = [check for check in checks if check.name.startswith(f"{probe.name} over ")]
        own = [check for check in checks if check.name == probe.name]
        if isinstance(probe, UploadProbe):
            found["CL4"] += own
        elif isinstance(probe, UploadDirectoryProbe):
            # Without an address, the name is that of a canary that could not even be written.
            found["CL6"] += own or [_passed_upload_check(probe)]
            unknown = [check for check in own if check.status == "unknown"]
            found["CL9"] += answers or unknown or [Check(probe.name, "unknown", NO_FILE)]
        elif isinstance(probe, HttpProbe) and _is_health_probe(probe, declared):
            found["CL8"] += answers
    return found


def _passed_upload_check(probe: UploadDirectoryProbe) -> Check:
    return Check(probe.name, "pass", f"written to {probe.dir} as {probe.writer or 'this user'}")


def _is_health_probe(probe: HttpProbe, declared: Declaration) -> bool:
    static = (one.prefix for one in declared.locations if one.role == "static")
    return probe.path in {prefix + HEALTH_FILE for prefix in static}


def site_checklist(
    whole: HostInspection, site: str, probed: ChecksByRow
) -> tuple[ChecklistItem, ...]:
    """The ten items of `site`. Errors: none; what cannot be read is an unknown item."""
    inspections = _SiteInspections(whole, site)
    return tuple(_item(site, row, inspections, probed[row]) for row in CHECKLIST)


def _item(
    site: str, row: str, inspections: _SiteInspections, probed: Sequence[Check]
) -> ChecklistItem:
    skipped = [check.detail for check in probed if check.status == "skipped"]
    if skipped and len(skipped) == len(probed):
        # A rule that sends the same request is refused in the same way.
        return ChecklistItem(
            row, Check(_check_name(site, row), "skipped", _join_sentences(skipped))
        )
    is_declared = row != "CL8" or bool(inspections.of("static").declared.locations)
    evidence = _row_evidence(row, inspections) + probe_evidence(probed)
    return checklist_item(site, row, evidence, is_declared=is_declared)


class _SiteInspections:
    """A site, whole or with the locations of one role; each rule runs once on each of these."""

    def __init__(self, whole: HostInspection, site: str) -> None:
        declared = whole.declared.of_site(site)
        names = frozenset(declared.sites[site])
        self.of = cache(lambda role: whole.restricted_to(declared, names, role))
        self._diagnosis = cache(lambda rule, role: diagnose(self.of(role), [rule]))

    def rule_evidence(self, rules: Iterable[Rule], role: Role | None) -> BoxEvidence:
        """What these rules have against an item."""
        found = (rule_evidence(self._diagnosis(rule, role)) for rule in rules)
        return sum(found, BoxEvidence())


def _row_evidence(row: str, inspections: _SiteInspections) -> BoxEvidence:
    rules = [rule for rule in load_rules() if row in rule.guide_rows]
    role = ROLES.get(row)
    try:
        found = inspections.rule_evidence(rules, role)
        if role == "media":
            # What concerns the static files, or the site as a whole, has its own item.
            static = inspections.rule_evidence(rules, "static").failed
            found = replace(found, failed=tuple(one for one in found.failed if one not in static))
        return found + EVIDENCE[row](inspections.of(role))
    except ReconcileError as error:
        return BoxEvidence(unknown=(in_one_line(error),))
    except OSError as error:
        return BoxEvidence(unknown=(f"{error.filename or ''}: {error.strerror or error}",))


def _mapped_folders(inspection: HostInspection) -> BoxEvidence:
    mappings = inspection.mappings
    return BoxEvidence(tuple(f"{one.place}: {one.prefix} is {one.folder}" for one in mappings))


def _static_files(inspection: HostInspection) -> BoxEvidence:
    evidence = BoxEvidence()
    for mapping in inspection.mappings_of("static"):
        found = inspection.inventory(mapping.path)
        files = list(found.of_kind("file")) if found else []
        line = (f"{mapping.path} has {counted(len(files), 'file')}",)
        evidence += BoxEvidence(passed=line) if files else BoxEvidence(failed=line)
    return evidence


def _upload_folders(inspection: HostInspection) -> BoxEvidence:
    servers = dict.fromkeys(one.server for one in inspection.mappings_of("media"))
    settings = [one for server in servers for _, one in upload_settings(inspection, server)]
    if settings:
        return BoxEvidence(tuple(f"{one.place}: {one.name} = {one.folder}" for one in settings))
    return BoxEvidence(unknown=tuple(_uncertain_imports(inspection)))


def _uncertain_imports(inspection: HostInspection) -> Iterator[str]:
    """The apps whose upload folder is unknown, since they could not be imported."""
    for app in inspection.declared.apps:
        result = inspection.import_result(app)
        if result and isinstance(result.facts, NotImported) and not result.facts.is_certain:
            yield f"{result.code.name}: {result.facts.why}"


def _readable_folders(inspection: HostInspection) -> BoxEvidence:
    served = inspection.mappings_of("static", "media")
    worker = inspection.nginx.worker.name
    return BoxEvidence(tuple(f"{worker} can read {one.path}" for one in served))


def _valid_config(_: HostInspection) -> BoxEvidence:
    return BoxEvidence(("nginx accepts its configuration",))


def _permanent_folders(inspection: HostInspection) -> BoxEvidence:
    served = inspection.mappings_of("static", "media")
    return BoxEvidence(tuple(f"{one.path} survives deployments" for one in served))


def _probes_only(_: HostInspection) -> BoxEvidence:
    return BoxEvidence()


ROLES: Mapping[str, Role] = {"CL1": "static", "CL2": "media", "CL8": "static", "CL9": "media"}
"""Rows that concern one role of locations, while their rules check all."""
EVIDENCE: Mapping[str, Callable[[HostInspection], BoxEvidence]] = {
    "CL1": _mapped_folders,
    "CL2": _mapped_folders,
    "CL3": _static_files,
    "CL4": _upload_folders,
    "CL5": _readable_folders,
    "CL6": _probes_only,
    "CL7": _valid_config,
    "CL8": _probes_only,
    "CL9": _probes_only,
    "CL10": _permanent_folders,
}
"""The evidence for an item, if no rule has any against it."""


def site_checklists(
    host: Host,
    declared: Declaration,
    sites: Iterable[str],
    readable: ReadableProbes,
    checks: Sequence[Check],
) -> Iterator[tuple[str, tuple[ChecklistItem, ...]]]:
    """Each site with its items; `checks` are the results of the probes."""
    whole = HostInspection(host, declared)
    for site in sites:
        probes = [probe for probe in readable.probes if probe.site == site]
        probed = checks_by_row(probes, checks, declared.of_site(site))
        for row in PROBE_ROWS if site in readable.unknown else ():
            probed[row].append(readable.unknown[site])
        yield site, site_checklist(whole, site, probed)
