#!/usr/bin/python
"""Applies the configuration; in check mode it plans."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Make a host match its reconcile.yaml
description:
  - Runs C(reconcile apply), which verifies the host afterwards and rolls back where that fails.
  - In check mode it runs C(reconcile plan), and is C(changed) where an apply would change
    something.
extends_documentation_fragment: [reconcile.host.common]
options:
  max_deletes:
    description: Refuse a plan that deletes more resources and files than this.
    type: int
  allow_empty:
    description: Allow a file without sites and paths to remove everything.
    type: bool
    default: false
  lock_timeout:
    description: Seconds to wait for another apply to finish.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: The host matches its configuration
  reconcile.host.apply:
    file: /etc/reconcile/reconcile.yaml
    max_deletes: 10
"""

RETURN = r"""
result: {description: no_changes or applied; planned in check mode., returned: success, type: str}
summary: {description: Numbers of resources by action., returned: success, type: dict}
checks: {description: The checks after the apply., returned: success, type: list}
document: {description: The summary event; in check mode the plan., returned: always, type: dict}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reconcile.host.plugins.module_utils.command_line import (
    COMMON_OPTIONS,
    HELD,
    arguments,
    differences,
    error_message,
    read_plan,
    run,
)


def plan(module):
    """Whether an apply would change anything, and what."""
    code, document = read_plan(module)
    if code == HELD:
        hold = "A hold is in force: {user}, {reason}".format(**document["hold"])
        module.fail_json(msg=hold, rc=code, document=document)
    return document, document["resource_changes"]


def apply(module):
    """Apply; ends the module with the command's own words where that fails."""
    params = module.params
    options = ["--auto-approve", "--lock-timeout", str(params["lock_timeout"])]
    if params["max_deletes"] is not None:
        options += ["--max-deletes", str(params["max_deletes"])]
    if params["allow_empty"]:
        options.append("--allow-empty")
    code, events = run(module, arguments("apply", params, options))
    document = events[-1]
    changes = [one["change"] for one in events if one.get("type") == "planned_change"]
    if code:
        failed = [one for one in document.get("checks", []) if one["status"] in ("fail", "unknown")]
        lines = ["{name}: {detail}".format(**one) for one in failed]
        message = "\n".join([error_message(document) or "reconcile apply failed", *lines])
        module.fail_json(msg=message, rc=code, document=document)
    return document, changes if document["result"] == "applied" else []


def main():
    """Run the module."""
    spec = dict(
        COMMON_OPTIONS,
        max_deletes={"type": "int"},
        allow_empty={"type": "bool", "default": False},
        lock_timeout={"type": "int", "default": 0},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    document, changes = (plan if module.check_mode else apply)(module)
    result = {
        "changed": bool(changes),
        "result": document["result"],
        "summary": document["summary"],
        "checks": document["checks"],
        "document": document,
    }
    if module._diff:
        result["diff"] = differences(changes)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
