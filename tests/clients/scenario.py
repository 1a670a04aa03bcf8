"""The scenario that every client runs, against a client of this shape:

    identity(key) -> (organization id, name of the principal)
    create(key, **fields) -> Created
    get(key, id) -> Configuration
    update(key, id, **fields) -> Configuration
    delete(key, id)
    regenerate(key, id, token_expires_in=None) -> (token, token_expires_at)
    page(key, size=None, token=None) -> ([Configuration], next token); neither given: no pagination is sent

`key` is None where no credential is to be sent. Durations and instants are whole nanoseconds, so that nothing is lost on
the way to a comparison. Error answers are raised as `checks.Refused`.
"""

import re
import uuid
from dataclasses import dataclass, replace

from checks import Refused

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
SHORTEST = DAY
LONGEST = 730 * DAY
TOKEN = re.compile(r"scimd_scim_[0-9A-Za-z]{49}")
TOTAL = 60


@dataclass(frozen=True)
class Configuration:
    id: str
    organization_id: str
    name: str
    enabled: bool
    sso_configuration_id: str
    created_at: int
    updated_at: int
    token_expires_at: int
    allow_unverified_email_account_linking: bool


@dataclass(frozen=True)
class Created:
    configuration: Configuration
    token: str
    token_expires_at: int


class Scenario:
    """One client's way through. Configurations made on the way are deleted again, except the 60 that paging needs."""

    def __init__(self, checks, environment, client, label):
        self.t = checks
        self.e = environment
        self.c = client
        self.label = label
        self.mine = []

    def run(self):
        self._sections(
            self.identity, self.creation, self.bounds, self.reading, self.updates, self.regeneration, self.deletion,
            self.paging, self.page_sizes, self.access,
        )

    def run_briefly(self):
        """For a second way into the same client: that it carries every method, and an error's details."""
        self._sections(self.identity, self.creation, self.deletion, self.brief_changes, self.paging)

    def _sections(self, *sections):
        self.t.label = self.label
        for section in sections:
            with self.t.section(section.__name__):
                section()
            with self.t.section(f"tidying up after {section.__name__}"):
                self._tidy()
        self.t.label = ""

    def _tidy(self):
        while self.mine:
            try:
                self.c.delete(self.e.admin, self.mine.pop())
            except Refused as refusal:
                if refusal.code != "not_found":
                    raise

    def _create(self, key=None, **fields):
        fields = {"organization_id": self.e.organization, "sso_configuration_id": str(uuid.uuid4()), **fields}
        created = self.c.create(key or self.e.admin, **fields)
        self.mine.append(created.configuration.id)
        return created

    def identity(self):
        for name, key in (("admin", self.e.admin), ("viewer", self.e.viewer)):
            organization, principal = self.c.identity(key)
            self.t.equal(f"the {name} key's identity names its organization", organization, self.e.organization)
            self.t.equal(f"the {name} key is a service account", principal, "PRINCIPAL_SERVICE_ACCOUNT")

    def creation(self):
        sso = str(uuid.uuid4())
        created = self._create(sso_configuration_id=sso)
        made = created.configuration
        self.t.true("the id of a configuration is a uuid", str(uuid.UUID(made.id)) == made.id, made.id)
        self.t.equal(
            "creating with defaults answers the fields of the configuration",
            (made.organization_id, made.name, made.enabled, made.sso_configuration_id),
            (self.e.organization, "", True, sso),
        )
        self.t.equal("account linking is off by default", made.allow_unverified_email_account_linking, False)
        self.t.true("the token has its published pattern", TOKEN.fullmatch(created.token), f"{len(created.token)} characters")
        self.t.equal("both places tell the same expiry", created.token_expires_at, made.token_expires_at)
        self.t.equal("a token lives exactly 365 days by default", made.token_expires_at - made.created_at, 365 * DAY)
        self.t.equal("a new configuration was updated when it was created", made.updated_at, made.created_at)
        self.t.equal("the token of a new configuration is taken", self.e.scim_status(made.id, created.token), 200)

        full = self._create(
            name="Okta production",
            sso_configuration_id=sso,
            token_expires_in=90 * DAY,
            allow_unverified_email_account_linking=True,
        ).configuration
        self.t.equal(
            "creating with all fields answers all of them",
            (full.name, full.sso_configuration_id, full.allow_unverified_email_account_linking, full.enabled),
            ("Okta production", sso, True, True),
        )
        self.t.equal("a token lives as long as was asked for", full.token_expires_at - full.created_at, 90 * DAY)

    def bounds(self):
        for sentence, duration in (("the shortest", SHORTEST), ("the longest", LONGEST)):
            made = self._create(token_expires_in=duration).configuration
            self.t.equal(f"{sentence} duration is taken", made.token_expires_at - made.created_at, duration)
        for sentence, duration in (
            ("a second less than the shortest", SHORTEST - SECOND),
            ("a nanosecond more than the longest", LONGEST + 1),
        ):
            self.t.refused(
                f"{sentence} duration is refused", "invalid_argument",
                lambda: self._create(token_expires_in=duration), ["token_expires_in"],
            )
        self.t.refused(
            "several invalid fields are all named", "invalid_argument",
            lambda: self._create(organization_id="nonsense", name="n" * 129), ["name", "organization_id"],
        )
        self.t.refused(
            "a missing SSO configuration is refused", "invalid_argument",
            lambda: self._create(sso_configuration_id=""), ["sso_configuration_id"],
        )
        name = "é" * 128
        self.t.equal("a name counts code points, not bytes", self._create(name=name).configuration.name, name)

    def reading(self):
        made = self._create(name="read me").configuration
        self.t.equal("get answers what create answered", self.c.get(self.e.admin, made.id), made)
        for sentence, other in (("an unknown", str(uuid.uuid4())), ("another tenant's", self.e.other_configuration)):
            self.t.refused(f"{sentence} configuration is not found", "not_found", lambda: self.c.get(self.e.admin, other))
        self.t.refused(
            "an id that is no uuid is refused", "invalid_argument",
            lambda: self.c.get(self.e.admin, "not-a-uuid"), ["scim_configuration_id"],
        )

    def updates(self):
        before = self._create(name="before").configuration
        sso = str(uuid.uuid4())
        for sentence, fields in (
            ("the name alone", {"name": "after"}),
            ("enabled alone", {"enabled": False}),
            ("account linking alone", {"allow_unverified_email_account_linking": True}),
            ("an empty SSO configuration, which unlinks,", {"sso_configuration_id": ""}),
            ("an SSO configuration, which links again,", {"sso_configuration_id": sso}),
            ("an empty name", {"name": ""}),
        ):
            after = self.c.update(self.e.admin, before.id, **fields)
            self.t.equal(
                f"updating {sentence} changes nothing else", after, replace(before, updated_at=after.updated_at, **fields)
            )
            self.t.true(f"updating {sentence} moves updated_at", after.updated_at > before.updated_at, after.updated_at)
            self.t.equal(f"updating {sentence} is seen by get", self.c.get(self.e.admin, before.id), after)
            before = after
        self.t.equal(
            "an update that names no field changes nothing, not even updated_at",
            (self.c.update(self.e.admin, before.id), self.c.get(self.e.admin, before.id)), (before, before),
        )
        for fields in ({"sso_configuration_id": "nonsense"}, {"name": "n" * 129}):
            self.t.refused(
                f"updating with an invalid {[*fields][0]} is refused", "invalid_argument",
                lambda: self.c.update(self.e.admin, before.id, **fields), [*fields],
            )
        for sentence, other in (("an unknown", str(uuid.uuid4())), ("another tenant's", self.e.other_configuration)):
            self.t.refused(
                f"updating {sentence} configuration finds nothing", "not_found",
                lambda: self.c.update(self.e.admin, other, name="mine now"),
            )
        self.t.equal("refused updates leave no trace", self.c.get(self.e.admin, before.id), before)

    def regeneration(self):
        created = self._create(token_expires_in=90 * DAY)
        made, old = created.configuration, created.token
        for sentence, asked, lasts in (
            ("regenerating keeps the duration", None, 90 * DAY),
            ("regenerating with a duration takes that", 180 * DAY, 180 * DAY),
            ("regenerating again keeps the newer duration", None, 180 * DAY),
        ):
            token, expires = self.c.regenerate(self.e.admin, made.id, token_expires_in=asked)
            now = self.c.get(self.e.admin, made.id)
            self.t.equal(f"{sentence}, to the microsecond", now.token_expires_at - now.updated_at, lasts)
            self.t.equal(f"{sentence}, and get tells the same expiry", now.token_expires_at, expires)
            self.t.equal(
                f"{sentence}, and changes nothing else",
                now, replace(made, updated_at=now.updated_at, token_expires_at=expires),
            )
            self.t.true(f"{sentence}, and moves updated_at", now.updated_at > made.updated_at, now.updated_at)
            self.t.true(f"{sentence}, and makes a new token", token != old and TOKEN.fullmatch(token), "the old or no token")
            self.t.equal(
                f"{sentence}: the new token lives, the old one is dead",
                (self.e.scim_status(made.id, token), self.e.scim_status(made.id, old)), (200, 401),
            )
            made, old = now, token
        for sentence, duration in (("short", SHORTEST - SECOND), ("long", LONGEST + 1)):
            self.t.refused(
                f"regenerating for too {sentence} a time is refused", "invalid_argument",
                lambda: self.c.regenerate(self.e.admin, made.id, token_expires_in=duration), ["token_expires_in"],
            )
        self.t.equal("a refused regeneration leaves the token alive", self.e.scim_status(made.id, old), 200)
        self.t.refused(
            "regenerating another tenant's token finds nothing", "not_found",
            lambda: self.c.regenerate(self.e.admin, self.e.other_configuration),
        )

    def deletion(self):
        created = self._create()
        gone = created.configuration.id
        self.c.delete(self.e.admin, gone)
        self.t.refused("a deleted configuration is not found", "not_found", lambda: self.c.get(self.e.admin, gone))
        self.t.refused("a second delete finds nothing", "not_found", lambda: self.c.delete(self.e.admin, gone))
        self.t.equal("the token of a deleted configuration is dead", self.e.scim_status(gone, created.token), 401)
        self.t.refused(
            "deleting another tenant's configuration finds nothing", "not_found",
            lambda: self.c.delete(self.e.admin, self.e.other_configuration),
        )

    def brief_changes(self):
        created = self._create(name="before")
        made = created.configuration
        after = self.c.update(self.e.admin, made.id, name="after")
        self.t.equal("an update answers the new state", (after.name, after.enabled), ("after", True))
        token, expires = self.c.regenerate(self.e.admin, made.id)
        self.t.equal("get tells the new token's expiry", self.c.get(self.e.admin, made.id).token_expires_at, expires)
        self.t.equal("the new token is taken", self.e.scim_status(made.id, token), 200)
        self.t.refused(
            "several invalid fields are all named", "invalid_argument",
            lambda: self._create(organization_id="nonsense", name="n" * 129), ["name", "organization_id"],
        )
        self.t.refused("a missing key is refused", "unauthenticated", lambda: self.c.get(None, made.id))

    def paging(self):
        for _ in range(TOTAL - len(self.c.page(self.e.admin, size=100)[0])):
            self.c.create(self.e.admin, organization_id=self.e.organization, sso_configuration_id=str(uuid.uuid4()))
        pages, token = [], ""
        while token is not None and len(pages) <= TOTAL:
            page, following = self.c.page(self.e.admin, size=7, token=token)
            pages.append(page)
            token = following or None
        self.t.equal("60 configurations make 9 pages of 7", [len(page) for page in pages], [7] * 8 + [4])
        self.gathers_everything("paging by 7", [made for page in pages for made in page])

    def page_sizes(self):
        for sentence, size, length in (
            ("no pagination gives 25", None, 25),
            ("page size 0 gives 25", 0, 25),
            ("page size 100 gives all", 100, TOTAL),
        ):
            page, following = self.c.page(self.e.admin, size=size)
            self.t.equal(sentence, (len(page), bool(following)), (length, length < TOTAL))
        for size in (101, -1):
            self.t.refused(
                f"page size {size} is refused", "invalid_argument",
                lambda: self.c.page(self.e.admin, size=size), ["pagination.page_size"],
            )
        self.t.refused(
            "a made-up page token is refused", "invalid_argument",
            lambda: self.c.page(self.e.admin, token="nonsense"), ["pagination.token"],
        )

    def gathers_everything(self, sentence, gathered):
        everything, _ = self.c.page(self.e.admin, size=100)
        self.t.equal(f"{sentence} gathers each configuration", {made.id for made in gathered}, {made.id for made in everything})
        self.t.equal(f"{sentence} gathers each once", len(gathered), TOTAL)
        instants = [made.created_at for made in gathered]
        self.t.true(f"{sentence} gathers the oldest first", instants == sorted(instants), instants)

    def access(self):
        created = self._create()
        made, viewer = created.configuration, self.e.viewer
        self.t.equal("a viewer may get", self.c.get(viewer, made.id), made)
        self.t.equal("a viewer may list", len(self.c.page(viewer, size=100)[0]), TOTAL + 1)
        for name, call in (
            ("create", lambda: self._create(key=viewer)),
            ("update", lambda: self.c.update(viewer, made.id, name="mine")),
            ("regenerate", lambda: self.c.regenerate(viewer, made.id)),
            ("delete", lambda: self.c.delete(viewer, made.id)),
        ):
            self.t.refused(f"a viewer may not {name}", "permission_denied", call)
        self.t.equal("a refused viewer leaves no trace", self.c.get(viewer, made.id), made)
        self.t.equal("a refused viewer leaves the token alive", self.e.scim_status(made.id, created.token), 200)
        self.t.refused(
            "an admin may not create in another organization", "permission_denied",
            lambda: self._create(organization_id=self.e.other_organization),
        )
        for sentence, key in (
            ("no key", None),
            ("a made-up key", "nonsense"),
            ("a key with a typing error", self.e.admin[:-1] + ("a" if self.e.admin[-1] != "a" else "b")),
            ("an expired key", self.e.expired),
            ("a revoked key", self.e.revoked),
            ("a SCIM token", created.token),
        ):
            self.t.refused(f"{sentence} may not ask who it is", "unauthenticated", lambda: self.c.identity(key))
            self.t.refused(f"{sentence} may not get", "unauthenticated", lambda: self.c.get(key, made.id))
            self.t.refused(
                f"{sentence} may not create", "unauthenticated",
                lambda: self.c.create(key, organization_id=self.e.organization, sso_configuration_id=str(uuid.uuid4())),
            )
