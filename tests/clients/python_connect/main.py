"""Ona's Python SDK of the Connect generation: generated clients, binary protobuf over POST, and over GET where asked."""

import sys
from functools import cache
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from checks import Checks, Environment, Refused, violated_fields
from connectrpc.errors import ConnectError
from gitpod.v1 import identity_pb2, organization_pb2, pagination_pb2
from google.protobuf.duration_pb2 import Duration
from ona_sdk import create_client
from scenario import SECOND, Configuration, Created, Scenario


class Client:
    def __init__(self, base_url):
        self.base_url = base_url

    @cache
    def services(self, key):
        return create_client(api_key=key, base_url=self.base_url, timeout=20).services

    def identity(self, key):
        identity = self.services(key).identity
        answer = call(identity.get_authenticated_identity, identity_pb2.GetAuthenticatedIdentityRequest())
        return answer.organization_id, identity_pb2.Principal.Name(answer.subject.principal)

    def create(self, key, **fields):
        answer = self.organization(key, "create_scim_configuration", "CreateSCIMConfigurationRequest", **fields)
        return Created(configuration(answer.scim_configuration), answer.token, instant(answer.token_expires_at))

    def get(self, key, id, **options):
        request = organization_pb2.GetSCIMConfigurationRequest(scim_configuration_id=id)
        answer = call(self.services(key).organization.get_scim_configuration, request, **options)
        return configuration(answer.scim_configuration)

    def update(self, key, id, **fields):
        answer = self.organization(
            key, "update_scim_configuration", "UpdateSCIMConfigurationRequest", scim_configuration_id=id, **fields
        )
        return configuration(answer.scim_configuration)

    def delete(self, key, id):
        self.organization(key, "delete_scim_configuration", "DeleteSCIMConfigurationRequest", scim_configuration_id=id)

    def regenerate(self, key, id, token_expires_in=None):
        answer = self.organization(
            key, "regenerate_scim_token", "RegenerateSCIMTokenRequest",
            scim_configuration_id=id, token_expires_in=token_expires_in,
        )
        return answer.token, instant(answer.token_expires_at)

    def page(self, key, size=None, token=None, **options):
        request = organization_pb2.ListSCIMConfigurationsRequest()
        if (size, token) != (None, None):
            request.pagination.CopyFrom(pagination_pb2.PaginationRequest(page_size=size or 0, token=token or ""))
        answer = call(self.services(key).organization.list_scim_configurations, request, **options)
        return [configuration(made) for made in answer.scim_configurations], answer.pagination.next_token

    def organization(self, key, method, request, **fields):
        if fields.get("token_expires_in") is not None:
            seconds, nanos = divmod(fields["token_expires_in"], SECOND)
            fields["token_expires_in"] = Duration(seconds=seconds, nanos=nanos)
        request = getattr(organization_pb2, request)(**fields)
        return call(getattr(self.services(key).organization, method), request)


def call(method, request, **options):
    try:
        return method(request, **options)
    except ConnectError as error:
        details = [(detail.type_name, detail.message_bytes) for detail in error.details]
        raise Refused(error.code.value, violated_fields(details), error.message) from error


def configuration(message):
    return Configuration(
        **{
            field: instant(getattr(message, field)) if field.endswith("_at") else getattr(message, field)
            for field in Configuration.__dataclass_fields__
        }
    )


def instant(timestamp):
    return timestamp.seconds * SECOND + timestamp.nanos


def main():
    checks, environment = Checks(), Environment.read()
    client = Client(f"{environment.url}/api")
    Scenario(checks, environment, client, "gitpod-sdk 1.2.0").run()
    with checks.section("what only this client can do"):
        everything, _ = client.page(environment.admin, size=100)
        first = everything[0]
        checks.equal("a read may come as HTTP GET", client.get(environment.admin, first.id, use_get=True), first)
        checks.equal("a list may come as HTTP GET", client.page(environment.admin, size=100, use_get=True)[0], everything)
        checks.refused(
            "a refused HTTP GET names its field", "invalid_argument",
            lambda: client.get(environment.admin, "not-a-uuid", use_get=True), ["scim_configuration_id"],
        )
        checks.refused(
            "the service's other methods are unimplemented", "unimplemented",
            lambda: client.organization(environment.admin, "get_organization", "GetOrganizationRequest"),
        )
    checks.finish()


if __name__ == "__main__":
    main()
