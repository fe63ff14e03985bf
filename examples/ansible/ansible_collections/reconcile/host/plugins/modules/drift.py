#!/usr/bin/python
"""Checks that a host still matches its configuration and responds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drift
short_description: Check that a host still matches its reconcile.yaml and responds
description:
  - Runs C(reconcile drift), which changes nothing unless I(heal) is set, and then only what
    drifted.
extends_documentation_fragment: [reconcile.host.common]
options:
  heal:
    description: Revert what drifted; in check mode it is only reported.
    type: bool
    default: false
  fail_on:
    description: States in which the module fails. C(unknown) always fails.
    type: list
    elements: str
    choices: [drift, unhealthy]
    default: [drift, unhealthy]
"""

EXAMPLES = r"""
- name: The host is as it was left
  reconcile.host.drift:
- name: Report drift, and go on
  reconcile.host.drift:
    fail_on: [unhealthy]
  register: found
"""

RETURN = r"""
state: {description: in_sync drift or unhealthy., returned: success, type: str}
in_sync: {description: Whether nothing differs., returned: success, type: bool}
healthy: {description: Whether every check passes., returned: success, type: bool}
healed: {description: Addresses that were reverted., returned: success, type: list}
document: {description: What C(reconcile drift --json) prints., returned: always, type: dict}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reconcile.host.plugins.module_utils.command_line import (
    COMMON_OPTIONS,
    arguments,
    differences,
    error_message,
    refusal_message,
    run,
)


def message(found):
    """What differs or fails, one thing a line."""
    changes = ["{cause}: {address}".format(**one) for one in found["resource_changes"]]
    bad = [one for one in found["checks"] if one["status"] in ("fail", "unknown")]
    return "\n".join(changes + ["{name}: {detail}".format(**one) for one in bad])


def main():
    """Run the module."""
    spec = dict(
        COMMON_OPTIONS,
        heal={"type": "bool", "default": False},
        fail_on={
            "type": "list",
            "elements": "str",
            "choices": ["drift", "unhealthy"],
            "default": ["drift", "unhealthy"],
        },
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    heals = module.params["heal"] and not module.check_mode
    code, objects = run(module, arguments("drift", module.params, ["--heal"] if heals else []))
    found = objects[-1]
    if "state" not in found or found["state"] == "unknown":
        text = error_message(found) or refusal_message(found)
        module.fail_json(msg=text, rc=code, document=found)
    result = {
        "changed": bool(found["mended"]),
        "state": found["state"],
        "in_sync": found["in_sync"],
        "healthy": found["healthy"],
        "healed": found["mended"],
        "document": found,
    }
    if module._diff:
        result["diff"] = differences(found["resource_changes"])
    if found["state"] in module.params["fail_on"]:
        module.fail_json(msg=message(found), rc=code, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
