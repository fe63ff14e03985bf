"""Uploads that nginx refuses for their size."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import is_ours
from reconcile.doctor.rule import Rule, RuleResult, error, note, warning
from reconcile.doctor.upstream import Passed
from reconcile.nginx.model.sizes import body_limit

_TOO_LARGE = re.compile(r"client intended to send too large body: (\d+) bytes")
_SERVER = re.compile(r", server: ([^,]+),")


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    served = {id(one.server) for one in snapshot.of_role("media")}
    for passed in snapshot.passed:
        limit = body_limit(passed.scope)
        said = snapshot.declared_app(passed.server)
        if said and said.max_upload and 0 < limit < said.max_upload:
            yield error(
                f"nginx takes {limit} bytes at most, the YAML wants {said.max_upload}.",
                f"{passed.scope.directive.place}: {passed.scope}",
                f"{said.place}: max_upload",
                fix="reconcile apply",
                by_apply=is_ours(passed.server),
            )
        elif (most := _of_the_app(snapshot, passed)) and 0 < limit < most:
            yield warning(
                f"The app takes {most} bytes, nginx refuses all above {limit} (413).",
                f"the app: MAX_CONTENT_LENGTH = {most}",
                f"{passed.scope.directive.place}: client_max_body_size is {limit} bytes",
                fix=f"{passed.server.place}: client_max_body_size {most}; in the YAML"
                f" max_upload: {-(-most // 2**20)}MB",
            )
        elif refused := _refused(snapshot, passed, limit):
            yield refused
        elif id(passed.server) in served and not passed.scope.inherited("client_max_body_size"):
            yield note(
                f"Uploads to {passed.server.names[0]} over 1 MB are answered 413.",
                f"{passed.server.place}: no client_max_body_size",
                fix=f"{passed.server.place}: client_max_body_size 20m; where larger ones are"
                " wanted.",
            )


def _of_the_app(snapshot: HostInspection, passed: Passed) -> int | None:
    facts = snapshot.facts_of(passed.server)
    return facts.most_bytes if facts else None


def _refused(snapshot: HostInspection, passed: Passed, limit: int) -> RuleResult | None:
    """The last upload in the log that was too large, and would be again."""
    for line in reversed(snapshot.error_lines):
        size, server = _TOO_LARGE.search(line.said), _SERVER.search(line.said)
        if size and server and server[1] in passed.server.names and 0 < limit < int(size[1]):
            return warning(
                f"nginx refused an upload of {size[1]} bytes to {server[1]} (413).",
                str(line),
                f"{passed.scope.directive.place}: client_max_body_size is {limit} bytes",
                fix=f"{passed.server.place}: client_max_body_size {int(size[1]) // 2**20 + 1}m;",
            )
    return None


RULE = Rule("body-limit", (), look)
