#!/usr/bin/python3
"""Runs in a virtual machine: each line of its port asks for a command, and gets one answer."""

import base64
import json
import subprocess

with open("/dev/virtio-ports/lab", "r+b", buffering=0) as port:
    port.write(b'{"up": true}\n')
    asked = b""
    while True:
        asked += port.read(65536)
        if not asked.endswith(b"\n"):
            continue
        wanted, asked = json.loads(asked), b""
        done = subprocess.run(
            wanted["argv"], input=base64.b64decode(wanted["input"]), capture_output=True
        )
        answer = {
            "code": done.returncode,
            "stdout": base64.b64encode(done.stdout).decode(),
            "stderr": base64.b64encode(done.stderr).decode(),
        }
        port.write(json.dumps(answer).encode() + b"\n")
