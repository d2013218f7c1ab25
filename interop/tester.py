"""Runs scim2-tester, all of it, as its command does.

With --certificate the suite is told one value: a certificate, where it would
make up bytes that are none and then give up on whatever has them in it.
"""

import os
import sys
from importlib.metadata import version

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import Path
from scim2_tester import CheckResult, Status, check_server

from verdict import Found, judge

CERTIFICATE = (
    "MIIBQjCB9aADAgECAhQoHLItWiCxRduufnqb3iX2ZbubWjAFBgMrZXAwFjEUMBIGA1UEAwwLYWRhLmV4YW1wbGUwIBcNMjYxMTIyMDA1NjMyWhgP"
    "MjEyNjEwMjkwMDU2MzJaMBYxFDASBgNVBAMMC2FkYS5leGFtcGxlMCowBQYDK2VwAyEAxBHWqd7RqjQmdUGfLYEwNEV/xawQrAYN9EbOyQwUOVGj"
    "UzBRMB0GA1UdDgQWBBSsxTd3S1+KaqH5Kzegkdmw6fLEDTAfBgNVHSMEGDAWgBSsxTd3S1+KaqH5Kzegkdmw6fLEDTAPBgNVHRMBAf8EBTADAQH/"
    "MAUGAytlcANBAEjx40Nlgp3RZUqr9dL+1+rXkx3YDyOZrGqAqZABkBYNCjscj51DbaZiBkuW1q2gszXT2lxaWE4IU0nSmaAODAc="
)


def found(result: CheckResult) -> Found:
    urn = result.data.get("urn") if isinstance(result.data, dict) else None
    name = " ".join(part for part in (result.resource_type, result.title, urn) if part)
    return Found(name, result.status is Status.SUCCESS, f"{result.status.name}: {result.reason}")


def main() -> int:
    headers = {"Authorization": f"Bearer {os.environ['ROLLCALL_SUITE_TOKEN']}"}
    # Without a time of ours a machine that is busy for five seconds fails the suite.
    client = SyncSCIMClient(Client(base_url=os.environ["ROLLCALL_URL"], headers=headers, timeout=60))
    suite = "scim2-tester"
    if "--certificate" in sys.argv[1:]:
        suite += " with a certificate"
        client.discover()
        value = Path[client.get_resource_model("User")]("x509Certificates.value").resolve()
        value.target_model.model_fields[value.target_field_name].examples = [CERTIFICATE]
    results = [found(result) for result in check_server(client)]
    return judge(suite, f"scim2-tester {version('scim2-tester')}{suite.removeprefix('scim2-tester')}", results)


sys.exit(main())
