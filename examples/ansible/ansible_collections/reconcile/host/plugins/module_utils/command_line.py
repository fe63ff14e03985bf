"""What the modules share: the command line, its answers, and what Ansible shows of them.

It runs with the Python of the managed host and imports nothing of reconcile.
"""

from __future__ import annotations

import json

COMMON_OPTIONS = {
    "file": {"type": "path"},
    "vars": {"type": "dict", "default": {}},
    "executable": {"type": "str", "default": "reconcile"},
}
ERROR, HELD = 1, 6


def arguments(command, params, options=()):
    """The command line of `command`, whose answer is JSON."""
    line = [params["executable"], command, "--json"]
    if params["file"]:
        line += ["-f", params["file"]]
    for name, value in sorted(params["vars"].items()):
        line += ["--var", f"{name}={value}"]
    return line + list(options)


def run(module, line):
    """The exit code and the objects of the answer; ends the module where there is no answer."""
    code, out, err = module.run_command(line)
    try:
        objects = [json.loads(text) for text in out.splitlines() if text.strip()]
    except ValueError:
        objects = []
    if not objects:
        message = err.strip() or "reconcile printed no JSON"
        module.fail_json(msg=message, rc=code, stdout=out, stderr=err, cmd=line)
    return code, objects


def read_plan(module, options=()):
    """The exit code and the plan; ends the module where an apply would refuse it."""
    code, objects = run(module, arguments("plan", module.params, options))
    plan = objects[-1]
    if code == ERROR:
        message = error_message(plan) or refusal_message(plan)
        module.fail_json(msg=message, rc=code, document=plan)
    return code, plan


def error_message(document):
    """What happened, why, and what to do, as the command line prints it; "" for no error."""
    error = document.get("error")
    if not error:
        return ""
    return _message(error["what"], error["why"], error["fix"])


def refusal_message(plan):
    """Why an apply would refuse this plan, from what the plan itself shows."""
    unread = ["{address} could not be read: {reason}".format(**one) for one in plan["unknown"]]
    twice = ["{address} is declared twice: {field}".format(**one) for one in plan["conflicts"]]
    found = [
        _message(one["what"], "; ".join(one.get("evidence") or ()), one.get("fix"))
        for one in plan["findings"]
        if one["severity"] == "error"
    ]
    return "\n".join(unread + twice + found) or "reconcile apply would refuse this plan"


def _message(what, why, fix):
    first = f"{what}: {why}" if why else what
    return "\n".join([first, fix] if fix else [first])


def differences(changes):
    """The changes as Ansible's --diff shows them; sensitive values are masked already."""
    return [
        {
            "before_header": change["address"],
            "after_header": change["address"],
            "before": _values(change["change"]["before"]),
            "after": _values(change["change"]["after"]),
        }
        for change in changes
    ]


def _values(values):
    """Each field on a line, a text on lines of its own."""
    lines = []
    for name, value in sorted((values or {}).items()):
        if isinstance(value, str) and "\n" in value:
            lines += [f"{name}:"] + ["  " + line for line in value.splitlines()]
        else:
            lines.append(f"{name}: {json.dumps(value, sort_keys=True)}")
    return "".join(line + "\n" for line in lines)
