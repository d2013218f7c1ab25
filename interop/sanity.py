"""Runs the probes of scim-sanity, in its strict mode."""

import json
import os
import pathlib
import subprocess
import sys

from verdict import Found, judge


def main() -> int:
    command = pathlib.Path(sys.executable).parent / "scim-sanity"
    arguments = ["probe", os.environ["ROLLCALL_URL"], "--token", os.environ["ROLLCALL_SUITE_TOKEN"]]
    probe = subprocess.run(
        [command, *arguments, "--i-accept-side-effects", "--json-output"], stdout=subprocess.PIPE, check=False
    )
    report = json.loads(probe.stdout)
    results = [
        Found(result["name"], result["status"] == "pass", f"{result['status']}: {result.get('message', '')}")
        for result in report["results"]
    ]
    return judge("scim-sanity", f"scim-sanity {report['scim_sanity_version']}", results)


sys.exit(main())
