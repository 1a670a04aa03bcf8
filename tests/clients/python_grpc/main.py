"""grpcio over HTTP/2 without generated code: messages from the descriptor set, methods by their path, errors by grpc-status."""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import grpc
from checks import Checks, Environment, Refused
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from scenario import SECOND, Configuration, Created, Scenario


class Client:
    def __init__(self, url, descriptor_set):
        self.channel = grpc.insecure_channel(url.removeprefix("http://"))
        self.pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(descriptor_set).read_bytes())
        for file in files.file:
            self.pool.Add(file)

    def message(self, name, /, **fields):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"gitpod.v1.{name}"))(**fields)

    def call(self, key, service, method, request, **options):
        answer = message_factory.GetMessageClass(
            self.pool.FindServiceByName(f"gitpod.v1.{service}").FindMethodByName(method).output_type
        )
        return self.send(key, service, method, request.SerializeToString(), answer.FromString, **options)

    def send(self, key, service, method, request, read, **options):
        metadata = () if key is None else (("authorization", f"Bearer {key}"),)
        multicallable = self.channel.unary_unary(f"/gitpod.v1.{service}/{method}", response_deserializer=read)
        try:
            return multicallable(request, metadata=metadata, timeout=20, **options)
        except grpc.RpcError as error:
            raise Refused(error.code().name.lower(), fields(error), error.details()) from error

    def organization(self, key, method, /, **fields):
        if fields.get("token_expires_in") is not None:
            seconds, nanos = divmod(fields["token_expires_in"], SECOND)
            fields["token_expires_in"] = {"seconds": seconds, "nanos": nanos}
        return self.call(key, "OrganizationService", method, self.message(f"{method}Request", **fields))

    def identity(self, key):
        request = self.message("GetAuthenticatedIdentityRequest")
        answer = self.call(key, "IdentityService", "GetAuthenticatedIdentity", request)
        principals = self.pool.FindEnumTypeByName("gitpod.v1.Principal").values_by_number
        return answer.organization_id, principals[answer.subject.principal].name

    def create(self, key, **fields):
        answer = self.organization(key, "CreateSCIMConfiguration", **fields)
        return Created(configuration(answer.scim_configuration), answer.token, instant(answer.token_expires_at))

    def get(self, key, id):
        return configuration(self.organization(key, "GetSCIMConfiguration", scim_configuration_id=id).scim_configuration)

    def update(self, key, id, **fields):
        answer = self.organization(key, "UpdateSCIMConfiguration", scim_configuration_id=id, **fields)
        return configuration(answer.scim_configuration)

    def delete(self, key, id):
        self.organization(key, "DeleteSCIMConfiguration", scim_configuration_id=id)

    def regenerate(self, key, id, token_expires_in=None):
        answer = self.organization(key, "RegenerateSCIMToken", scim_configuration_id=id, token_expires_in=token_expires_in)
        return answer.token, instant(answer.token_expires_at)

    def page(self, key, size=None, token=None):
        pagination = None if (size, token) == (None, None) else {"page_size": size or 0, "token": token or ""}
        answer = self.organization(key, "ListSCIMConfigurations", pagination=pagination)
        return [configuration(made) for made in answer.scim_configurations], answer.pagination.next_token


def fields(error):
    status = rpc_status.from_call(error)
    named = []
    for detail in status.details if status else ():
        violations = error_details_pb2.BadRequest()
        if detail.Unpack(violations):
            named += [violation.field for violation in violations.field_violations]
    return named


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
    client = Client(environment.url, os.environ["SCIMD_DESCRIPTOR_SET"])
    Scenario(checks, environment, client, "grpcio").run()
    with checks.section("what only this client can do"):
        service = "OrganizationService"
        request = client.message("ListSCIMConfigurationsRequest", pagination={"page_size": 100})
        answer = client.call(
            environment.admin, service, "ListSCIMConfigurations", request, compression=grpc.Compression.Gzip
        )
        checks.equal("a compressed request is read", len(answer.scim_configurations), 60)
        for method in ("GetOrganization", "NoSuchMethod"):
            checks.refused(
                f"{method} is unimplemented", "unimplemented",
                lambda: client.send(environment.admin, service, method, b"", bytes),
            )
    checks.finish()


if __name__ == "__main__":
    main()
