"""`buf curl` in its protocols, with the schema from files and by server reflection. The binary is $SCIMD_BUF, or `buf`."""

import base64
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from checks import Checks, Environment, Refused, violated_fields
from scenario import SECOND, Configuration, Created, Scenario

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Client:
    def __init__(self, base_url, *options):
        self.base_url = base_url
        self.options = options

    def call(self, key, service, method, request):
        credential = [] if key is None else ["--header", f"Authorization: Bearer {key}"]
        finished = subprocess.run(
            [
                os.environ.get("SCIMD_BUF", "buf"), "curl", *self.options, *credential, "--emit-defaults",
                "--data", json.dumps(request), f"{self.base_url}/gitpod.v1.{service}/{method}",
            ],
            capture_output=True, text=True, timeout=20, check=False,
        )
        if finished.returncode == 0:
            return json.loads(finished.stdout)
        try:
            error = json.loads(finished.stderr)
        except ValueError:
            raise RuntimeError(f"buf curl exited with {finished.returncode}: {finished.stderr}") from None
        details = [(detail["type"], base64.b64decode(detail["value"] + "==")) for detail in error.get("details", [])]
        raise Refused(error["code"], violated_fields(details), error.get("message", ""))

    def organization(self, key, method, **fields):
        if "token_expires_in" in fields:
            seconds, nanos = divmod(fields["token_expires_in"], SECOND)
            fields["token_expires_in"] = f"{seconds}.{nanos:09}s" if nanos else f"{seconds}s"
        return self.call(key, "OrganizationService", method, fields)

    def identity(self, key):
        answer = self.call(key, "IdentityService", "GetAuthenticatedIdentity", {})
        return answer["organizationId"], answer["subject"]["principal"]

    def create(self, key, **fields):
        answer = self.organization(key, "CreateSCIMConfiguration", **fields)
        return Created(configuration(answer["scimConfiguration"]), answer["token"], instant(answer["tokenExpiresAt"]))

    def get(self, key, id):
        return configuration(self.organization(key, "GetSCIMConfiguration", scim_configuration_id=id)["scimConfiguration"])

    def update(self, key, id, **fields):
        answer = self.organization(key, "UpdateSCIMConfiguration", scim_configuration_id=id, **fields)
        return configuration(answer["scimConfiguration"])

    def delete(self, key, id):
        self.organization(key, "DeleteSCIMConfiguration", scim_configuration_id=id)

    def regenerate(self, key, id, token_expires_in=None):
        duration = {} if token_expires_in is None else {"token_expires_in": token_expires_in}
        answer = self.organization(key, "RegenerateSCIMToken", scim_configuration_id=id, **duration)
        return answer["token"], instant(answer["tokenExpiresAt"])

    def page(self, key, size=None, token=None):
        pagination = {name: value for name, value in (("page_size", size), ("token", token)) if value is not None}
        answer = self.organization(key, "ListSCIMConfigurations", **({"pagination": pagination} if pagination else {}))
        return [configuration(made) for made in answer["scimConfigurations"]], answer["pagination"]["nextToken"]


def configuration(made):
    return Configuration(
        id=made["id"],
        organization_id=made["organizationId"],
        name=made["name"],
        enabled=made["enabled"],
        sso_configuration_id=made["ssoConfigurationId"],
        created_at=instant(made["createdAt"]),
        updated_at=instant(made["updatedAt"]),
        token_expires_at=instant(made["tokenExpiresAt"]),
        allow_unverified_email_account_linking=made["allowUnverifiedEmailAccountLinking"],
    )


def instant(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1) * 1000


def main():
    checks, environment = Checks(), Environment.read()
    schema = ["--schema", os.environ["SCIMD_PROTO_DIR"]]
    http2 = ["--http2-prior-knowledge"]
    # A call is a process of its own that compiles the schema: one full run, and short ones for the other ways in.
    Scenario(checks, environment, Client(environment.url, "--protocol", "connect", *http2, *schema), "connect").run()
    for label, base_url, options in (
        ("connect over HTTP/1.1", environment.url, ["--protocol", "connect", *schema]),
        ("connect below /api", f"{environment.url}/api", ["--protocol", "connect", *http2, *schema]),
        ("grpc", environment.url, ["--protocol", "grpc", *http2, *schema]),
        ("grpcweb", environment.url, ["--protocol", "grpcweb", *http2, *schema]),
        ("connect by reflection", environment.url, ["--protocol", "connect", *http2]),
        ("grpc by reflection", environment.url, ["--protocol", "grpc", *http2]),
        ("grpcweb by reflection", environment.url, ["--protocol", "grpcweb", *http2]),
    ):
        Scenario(checks, environment, Client(base_url, *options), label).run_briefly()
    checks.finish()


if __name__ == "__main__":
    main()
