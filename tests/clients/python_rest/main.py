"""Ona's Python SDK of the Stainless generation: plain JSON over POST, and an auto-pager that writes into the URL's query."""

import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from checks import Checks, Environment, Refused, violated_fields
from gitpod import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Gitpod,
    NotFoundError,
    PermissionDeniedError,
    omit,
)
from scenario import SECOND, Configuration, Created, Scenario

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
CLASSES = {
    "invalid_argument": BadRequestError,
    "unauthenticated": AuthenticationError,
    "permission_denied": PermissionDeniedError,
    "not_found": NotFoundError,
}


class Client:
    def __init__(self, base_url):
        self.base_url = base_url

    @cache
    def sdk(self, key):
        # The SDK insists on a key; without one there is no other way than to take the header out again.
        headers = {"Authorization": omit} if key is None else {}
        return Gitpod(
            bearer_token=key or "none", base_url=self.base_url, default_headers=headers, max_retries=0, timeout=20
        )

    def configurations(self, key):
        return self.sdk(key).organizations.scim_configurations

    def identity(self, key):
        answer = call(self.sdk(key).identity.get_authenticated_identity)
        return answer.organization_id, answer.subject.principal

    def create(self, key, **fields):
        answer = call(self.configurations(key).create, **arguments(fields))
        return Created(configuration(answer.scim_configuration), answer.token, instant(answer.token_expires_at))

    def get(self, key, id):
        answer = call(self.configurations(key).retrieve, scim_configuration_id=id)
        return configuration(answer.scim_configuration)

    def update(self, key, id, **fields):
        answer = call(self.configurations(key).update, scim_configuration_id=id, **arguments(fields))
        return configuration(answer.scim_configuration)

    def delete(self, key, id):
        call(self.configurations(key).delete, scim_configuration_id=id)

    def regenerate(self, key, id, token_expires_in=None):
        duration = {} if token_expires_in is None else {"token_expires_in": token_expires_in}
        answer = call(self.configurations(key).regenerate_token, scim_configuration_id=id, **arguments(duration))
        return answer.token, instant(answer.token_expires_at)

    def page(self, key, size=None, token=None):
        pagination = {name: value for name, value in (("page_size", size), ("token", token)) if value is not None}
        answer = call(self.configurations(key).list, **({"pagination": pagination} if pagination else {}))
        following = answer.pagination.next_token if answer.pagination else None
        return [configuration(made) for made in answer.scim_configurations or []], following or ""

    def post(self, key, method, body):
        """Any JSON at all, as the SDK sends what it has no name for."""
        return call(self.sdk(key).post, f"/gitpod.v1.OrganizationService/{method}", body=body, cast_to=object)


def arguments(fields):
    """The fields as the SDK takes them: a duration as text, and what it does not know yet as extra body."""
    fields = dict(fields)
    if "token_expires_in" in fields:
        seconds, nanos = divmod(fields["token_expires_in"], SECOND)
        fields["token_expires_in"] = f"{seconds}.{nanos:09}s" if nanos else f"{seconds}s"
    if "allow_unverified_email_account_linking" in fields:
        linking = fields.pop("allow_unverified_email_account_linking")
        fields["extra_body"] = {"allowUnverifiedEmailAccountLinking": linking}
    return fields


def call(method, *positional, **named):
    try:
        return method(*positional, **named)
    except APIStatusError as error:
        body = error.body if isinstance(error.body, dict) else {}
        code = body.get("code", "no code")
        if type(error) is not CLASSES.get(code):
            code = f"{code} as HTTP {error.status_code}"
        raise Refused(code, violated_fields(details(body)), body.get("message", "")) from error


def details(body):
    # Connect leaves the padding of base64 away.
    return [(detail["type"], base64.b64decode(detail["value"] + "==")) for detail in body.get("details", [])]


def configuration(model):
    return Configuration(
        id=model.id,
        organization_id=model.organization_id,
        name=model.name or "",
        enabled=bool(model.enabled),
        sso_configuration_id=model.sso_configuration_id or "",
        created_at=instant(model.created_at),
        updated_at=instant(model.updated_at),
        token_expires_at=instant(model.token_expires_at),
        allow_unverified_email_account_linking=(model.model_extra or {}).get("allowUnverifiedEmailAccountLinking", False),
    )


def instant(moment):
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def auto_paging(checks, scenario, client, environment):
    configurations = client.configurations(environment.admin)
    for sentence, first in (
        ("the auto-pager by query", {"page_size": 7}),
        ("the auto-pager by body", {"pagination": {"page_size": 7}}),
        ("the auto-pager with its own page size", {}),
    ):
        scenario.gathers_everything(sentence, [configuration(made) for made in configurations.list(**first)])
    page = configurations.list(page_size=7, pagination={"page_size": 9})
    checks.equal("the page size of the query wins over the body's", len(page.scim_configurations), 7)
    for sentence, query in (
        ("page_size", {"page_size": 101}),
        ("token", {"token": "nonsense"}),
    ):
        checks.refused(
            f"a wrong {sentence} in the query is refused", "invalid_argument",
            lambda: call(configurations.list, **query), [f"pagination.{sentence}"],
        )


def raw_json(checks, client, environment):
    made = []
    try:
        raw_bodies(checks, client, environment, made)
    finally:
        for one in made:
            client.delete(environment.admin, one["id"])


def raw_bodies(checks, client, environment, made):
    key, organization, sso = environment.admin, environment.organization, str(uuid.uuid4())

    def create(sentence, **body):
        answer = client.post(key, "CreateSCIMConfiguration", body)
        one = answer["scimConfiguration"]
        checks.equal(f"{sentence} is read", (one["organizationId"], one["ssoConfigurationId"]), (organization, sso))
        made.append(one)

    def lifetime(one):
        return instant(one["tokenExpiresAt"]) - instant(one["createdAt"])

    camel = {"organizationId": organization, "ssoConfigurationId": sso}
    create("lowerCamelCase", **camel, name="camel")
    create("snake_case", organization_id=organization, sso_configuration_id=sso, name="snake", token_expires_in="86400s")
    create("null", **camel, name=None, tokenExpiresIn=None, allowUnverifiedEmailAccountLinking=None)
    create("a field from the future", **camel, fromTheFuture={"a": [1, None]})
    create("a duration with plus and fraction", **camel, tokenExpiresIn="+9125115.360s")
    checks.equal("the name in lowerCamelCase is kept", made[0]["name"], "camel")
    checks.equal("snake_case reaches every field", (made[1]["name"], lifetime(made[1])), ("snake", 86_400 * SECOND))
    checks.equal("null counts as absent when creating", (made[2].get("name", ""), lifetime(made[2])), ("", 31_536_000 * SECOND))
    checks.equal("a fraction of a second is kept exactly", lifetime(made[4]), 9_125_115_360_000_000)

    subject = client.get(key, made[0]["id"])
    nulls = {"name": None, "enabled": None, "ssoConfigurationId": None, "allowUnverifiedEmailAccountLinking": None}
    client.post(key, "UpdateSCIMConfiguration", {"scimConfigurationId": subject.id, **nulls})
    checks.equal("null counts as absent when updating", client.get(key, subject.id), subject)
    client.post(key, "UpdateSCIMConfiguration", {"scim_configuration_id": subject.id, "sso_configuration_id": "", "later": 1})
    checks.equal("snake_case unlinks", client.get(key, subject.id).sso_configuration_id, "")
    client.post(key, "RegenerateSCIMToken", {"scimConfigurationId": subject.id, "tokenExpiresIn": None})
    renewed = client.get(key, subject.id)
    checks.equal(
        "null keeps the duration when regenerating", renewed.token_expires_at - renewed.updated_at, 31_536_000 * SECOND
    )
    for sentence, body in (
        ("null pagination", {"pagination": None}),
        ("null inside pagination", {"pagination": {"pageSize": None, "token": None}}),
    ):
        answer = client.post(key, "ListSCIMConfigurations", body)
        checks.equal(f"{sentence} counts as absent", len(answer["scimConfigurations"]), 25)
    answer = client.post(key, "ListSCIMConfigurations", {"pagination": {"page_size": 7}})
    checks.equal("snake_case is read inside pagination", len(answer["scimConfigurations"]), 7)
    checks.refused(
        "null for a required field is refused and named", "invalid_argument",
        lambda: client.post(key, "GetSCIMConfiguration", {"scimConfigurationId": None}), ["scim_configuration_id"],
    )
    for sentence, method, body in (
        ("text for a number", "ListSCIMConfigurations", {"pagination": {"pageSize": "abc"}}),
        ("a number for text", "GetSCIMConfiguration", {"scimConfigurationId": 7}),
        ("a number for a duration", "RegenerateSCIMToken", {"scimConfigurationId": subject.id, "tokenExpiresIn": 86400}),
        ("text for a boolean", "UpdateSCIMConfiguration", {"scimConfigurationId": subject.id, "enabled": "yes"}),
    ):
        try:
            client.post(key, method, body)
            seen = "taken"
        except Refused as refusal:
            seen = refusal.code
        checks.equal(f"{sentence} is refused", seen, "invalid_argument")


def connect_get(checks, client, environment, base_url):
    """Connect's GET has no client in this SDK: a browser sends it like this."""
    everything, _ = client.page(environment.admin, size=100)
    first = everything[0]

    def get(method, message, base64_encoded=False):
        text = json.dumps(message)
        query = {"encoding": "json", "connect": "v1", "message": text}
        if base64_encoded:
            query |= {"base64": "1", "message": base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")}
        request = urllib.request.Request(
            f"{base_url}/gitpod.v1.OrganizationService/{method}?{urllib.parse.urlencode(query)}",
            headers={"Authorization": f"Bearer {environment.admin}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else {}

    for encoded in (False, True):
        status, body = get("GetSCIMConfiguration", {"scimConfigurationId": first.id}, encoded)
        way = "base64" if encoded else "plain text"
        checks.equal(f"GET reads a message in {way}", (status, body.get("scimConfiguration", {}).get("id")), (200, first.id))
    status, body = get("ListSCIMConfigurations", {"pagination": {"pageSize": 7}, "fromTheFuture": None})
    checks.equal("GET lists", (status, len(body.get("scimConfigurations", []))), (200, 7))
    status, body = get("GetSCIMConfiguration", {"scimConfigurationId": "not-a-uuid"})
    checks.equal(
        "a refused GET names its field",
        (status, body.get("code"), violated_fields(details(body))), (400, "invalid_argument", ["scim_configuration_id"]),
    )
    status, _ = get("DeleteSCIMConfiguration", {"scimConfigurationId": first.id})
    checks.equal("a method with side effects takes no GET", status, 405)


def main():
    checks, environment = Checks(), Environment.read()
    for suffix in ("/api", ""):
        base_url = environment.url + suffix
        label = f"gitpod-sdk 0.11.0 at {suffix or '/'}"
        client = Client(base_url)
        scenario = Scenario(checks, environment, client, label)
        scenario.run()
        checks.label = label
        with checks.section("auto paging"):
            auto_paging(checks, scenario, client, environment)
        with checks.section("raw JSON"):
            raw_json(checks, client, environment)
        with checks.section("Connect GET"):
            connect_get(checks, client, environment, base_url)
    checks.label = ""
    checks.finish()


if __name__ == "__main__":
    main()
