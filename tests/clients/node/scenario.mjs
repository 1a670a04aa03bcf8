// The scenario that every transport runs, against the client of main.mjs. Instants and durations are whole nanoseconds
// (BigInt), so that nothing is lost on the way to a comparison.

import { randomUUID } from "node:crypto";
import { Refused } from "./checks.mjs";

export const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;
const SHORTEST = DAY;
const LONGEST = 730n * DAY;
const TOKEN = /^scimd_scim_[0-9A-Za-z]{49}$/;
const TOTAL = 60;

/** What the SCIM door says to a token: the only way to see from outside whether it is alive. */
async function scimStatus(environment, configuration, token) {
  const answer = await fetch(`${environment.url}/scim/v2/${configuration}/ServiceProviderConfig`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** One transport's way through. Configurations made on the way are deleted again, except the 60 that paging needs. */
export async function scenario(t, e, c, label) {
  const mine = [];
  const alive = (id, token) => scimStatus(e, id, token);
  const create = async (fields = {}, key = e.admin) => {
    const made = await c.create(key, { organizationId: e.organization, ssoConfigurationId: randomUUID(), ...fields });
    mine.push(made.configuration.id);
    return made;
  };
  const get = (id) => c.get(e.admin, id);
  const update = (id, fields) => c.update(e.admin, id, fields);
  const strangers = [
    ["an unknown", randomUUID()],
    ["another tenant's", e.otherConfiguration],
  ];

  async function identity() {
    for (const [name, key] of [["admin", e.admin], ["viewer", e.viewer]]) {
      const seen = await c.identity(key);
      t.equal(`the ${name} key's identity names its organization`, seen.organization, e.organization);
      t.equal(`the ${name} key is a service account`, seen.principal, "PRINCIPAL_SERVICE_ACCOUNT");
    }
  }

  async function creation() {
    const ssoConfigurationId = randomUUID();
    const { configuration: made, token, tokenExpiresAt } = await create({ ssoConfigurationId });
    t.equal(
      "creating with defaults answers the fields of the configuration",
      [made.organizationId, made.name, made.enabled, made.ssoConfigurationId, made.allowUnverifiedEmailAccountLinking],
      [e.organization, "", true, ssoConfigurationId, false],
    );
    t.true("the token has its published pattern", TOKEN.test(token), `${token.length} characters`);
    t.equal("both places tell the same expiry", tokenExpiresAt, made.tokenExpiresAt);
    t.equal("a token lives exactly 365 days by default", made.tokenExpiresAt - made.createdAt, 365n * DAY);
    t.equal("a new configuration was updated when it was created", made.updatedAt, made.createdAt);
    t.equal("the token of a new configuration is taken", await alive(made.id, token), 200);

    const asked = { name: "Okta production", ssoConfigurationId, allowUnverifiedEmailAccountLinking: true };
    const { configuration: full } = await create({ ...asked, tokenExpiresIn: 90n * DAY });
    t.equal("creating with all fields answers all of them", full, { ...full, ...asked, enabled: true });
    t.equal("a token lives as long as was asked for", full.tokenExpiresAt - full.createdAt, 90n * DAY);
  }

  async function bounds() {
    for (const [sentence, tokenExpiresIn] of [["the shortest", SHORTEST], ["the longest", LONGEST]]) {
      const { configuration: made } = await create({ tokenExpiresIn });
      t.equal(`${sentence} duration is taken`, made.tokenExpiresAt - made.createdAt, tokenExpiresIn);
    }
    for (const [sentence, fields, named] of [
      ["a second less than the shortest duration", { tokenExpiresIn: SHORTEST - SECOND }, ["token_expires_in"]],
      ["a nanosecond more than the longest duration", { tokenExpiresIn: LONGEST + 1n }, ["token_expires_in"]],
      ["several invalid fields", { organizationId: "nonsense", name: "n".repeat(129) }, ["name", "organization_id"]],
      ["a missing SSO configuration", { ssoConfigurationId: "" }, ["sso_configuration_id"]],
    ]) {
      await t.refused(`${sentence}: refused, and all named`, "invalid_argument", () => create(fields), named);
    }
    const name = "é".repeat(128);
    t.equal("a name counts code points, not bytes", (await create({ name })).configuration.name, name);
  }

  async function reading() {
    const { configuration: made } = await create({ name: "read me" });
    t.equal("get answers what create answered", await get(made.id), made);
    for (const [whose, id] of strangers) {
      await t.refused(`${whose} configuration is not found`, "not_found", () => get(id));
    }
    const call = () => get("not-a-uuid");
    await t.refused("an id that is no uuid is refused", "invalid_argument", call, ["scim_configuration_id"]);
  }

  async function updates() {
    let before = (await create({ name: "before" })).configuration;
    for (const [sentence, fields] of [
      ["the name alone", { name: "after" }],
      ["enabled alone", { enabled: false }],
      ["account linking alone", { allowUnverifiedEmailAccountLinking: true }],
      ["an empty SSO configuration, which unlinks,", { ssoConfigurationId: "" }],
      ["an SSO configuration, which links again,", { ssoConfigurationId: randomUUID() }],
      ["an empty name", { name: "" }],
    ]) {
      const after = await update(before.id, fields);
      const wanted = { ...before, ...fields, updatedAt: after.updatedAt };
      t.equal(`updating ${sentence} changes nothing else`, after, wanted);
      t.true(`updating ${sentence} moves updated_at`, after.updatedAt > before.updatedAt, after.updatedAt);
      t.equal(`updating ${sentence} is seen by get`, await get(before.id), after);
      before = after;
    }
    const unchanged = [await update(before.id, {}), await get(before.id)];
    t.equal("an update that names no field changes nothing, not even updated_at", unchanged, [before, before]);
    for (const [fields, named] of [
      [{ ssoConfigurationId: "nonsense" }, "sso_configuration_id"],
      [{ name: "n".repeat(129) }, "name"],
    ]) {
      const call = () => update(before.id, fields);
      await t.refused(`updating with an invalid ${named} is refused`, "invalid_argument", call, [named]);
    }
    for (const [whose, id] of strangers) {
      const call = () => update(id, { name: "mine now" });
      await t.refused(`updating ${whose} configuration finds nothing`, "not_found", call);
    }
    t.equal("refused updates leave no trace", await get(before.id), before);
  }

  async function regeneration() {
    let { configuration: made, token: old } = await create({ tokenExpiresIn: 90n * DAY });
    for (const [sentence, asked, lasts] of [
      ["regenerating keeps the duration", undefined, 90n * DAY],
      ["regenerating with a duration takes that", 180n * DAY, 180n * DAY],
      ["regenerating again keeps the newer duration", undefined, 180n * DAY],
    ]) {
      const { token, tokenExpiresAt } = await c.regenerate(e.admin, made.id, asked);
      const now = await get(made.id);
      t.equal(`${sentence}, to the microsecond`, now.tokenExpiresAt - now.updatedAt, lasts);
      t.equal(`${sentence}, and changes nothing else`, now, { ...made, updatedAt: now.updatedAt, tokenExpiresAt });
      t.true(`${sentence}, and moves updated_at`, now.updatedAt > made.updatedAt, now.updatedAt);
      t.true(`${sentence}, and makes a new token`, token !== old && TOKEN.test(token), "the old or no token");
      const statuses = [await alive(made.id, token), await alive(made.id, old)];
      t.equal(`${sentence}: the new token lives, the old one is dead`, statuses, [200, 401]);
      [made, old] = [now, token];
    }
    for (const [sentence, asked] of [["short", SHORTEST - SECOND], ["long", LONGEST + 1n]]) {
      const call = () => c.regenerate(e.admin, made.id, asked);
      await t.refused(`regenerating for too ${sentence} a time is refused`, "invalid_argument", call, ["token_expires_in"]);
    }
    t.equal("a refused regeneration leaves the token alive", await alive(made.id, old), 200);
    const call = () => c.regenerate(e.admin, e.otherConfiguration);
    await t.refused("regenerating another tenant's token finds nothing", "not_found", call);
  }

  async function deletion() {
    const { configuration: made, token } = await create();
    await c.delete(e.admin, made.id);
    await t.refused("a deleted configuration is not found", "not_found", () => get(made.id));
    await t.refused("a second delete finds nothing", "not_found", () => c.delete(e.admin, made.id));
    t.equal("the token of a deleted configuration is dead", await alive(made.id, token), 401);
    const call = () => c.delete(e.admin, e.otherConfiguration);
    await t.refused("deleting another tenant's configuration finds nothing", "not_found", call);
  }

  async function paging() {
    for (let missing = TOTAL - (await c.page(e.admin, { pageSize: 100 })).configurations.length; missing > 0; missing--) {
      await c.create(e.admin, { organizationId: e.organization, ssoConfigurationId: randomUUID() });
    }
    const { configurations: everything } = await c.page(e.admin, { pageSize: 100 });
    const pages = [];
    for (let token = ""; pages.length <= TOTAL; ) {
      const page = await c.page(e.admin, { pageSize: 7, token });
      pages.push(page.configurations);
      token = page.nextToken;
      if (!token) break;
    }
    const lengths = pages.map((page) => page.length);
    t.equal("60 configurations make 9 pages of 7", lengths, [...Array(8).fill(7), 4]);
    t.equal("paging by 7 gathers each once, in the order of one big page", pages.flat(), everything);
    const ids = new Set(everything.map((made) => made.id));
    t.equal("no configuration is listed twice", ids.size, TOTAL);
    const ordered = everything.every((made, index) => index === 0 || everything[index - 1].createdAt <= made.createdAt);
    t.true("the oldest come first", ordered);
    for (const [sentence, pagination, length] of [
      ["no pagination gives 25", undefined, 25],
      ["page size 0 gives 25", { pageSize: 0 }, 25],
      ["page size 100 gives all", { pageSize: 100 }, TOTAL],
    ]) {
      const page = await c.page(e.admin, pagination);
      t.equal(sentence, [page.configurations.length, page.nextToken !== ""], [length, length < TOTAL]);
    }
    for (const [pagination, named] of [
      [{ pageSize: 101 }, "pagination.page_size"],
      [{ pageSize: -1 }, "pagination.page_size"],
      [{ token: "nonsense" }, "pagination.token"],
    ]) {
      const sentence = `${JSON.stringify(pagination)} is refused`;
      await t.refused(sentence, "invalid_argument", () => c.page(e.admin, pagination), [named]);
    }
  }

  async function access() {
    const { configuration: made, token } = await create();
    t.equal("a viewer may get", await c.get(e.viewer, made.id), made);
    t.equal("a viewer may list", (await c.page(e.viewer, { pageSize: 100 })).configurations.length, TOTAL + 1);
    for (const [name, call] of [
      ["create", () => create({}, e.viewer)],
      ["update", () => c.update(e.viewer, made.id, { name: "mine" })],
      ["regenerate", () => c.regenerate(e.viewer, made.id)],
      ["delete", () => c.delete(e.viewer, made.id)],
    ]) {
      await t.refused(`a viewer may not ${name}`, "permission_denied", call);
    }
    t.equal("a refused viewer leaves no trace", await get(made.id), made);
    t.equal("a refused viewer leaves the token alive", await alive(made.id, token), 200);
    const elsewhere = () => create({ organizationId: e.otherOrganization });
    await t.refused("an admin may not create in another organization", "permission_denied", elsewhere);
    for (const [sentence, key] of [
      ["no key", undefined],
      ["a made-up key", "nonsense"],
      ["a key with a typing error", e.admin.slice(0, -1) + (e.admin.endsWith("a") ? "b" : "a")],
      ["an expired key", e.expired],
      ["a revoked key", e.revoked],
      ["a SCIM token", token],
    ]) {
      await t.refused(`${sentence} may not ask who it is`, "unauthenticated", () => c.identity(key));
      await t.refused(`${sentence} may not get`, "unauthenticated", () => c.get(key, made.id));
      await t.refused(`${sentence} may not create`, "unauthenticated", () => create({}, key ?? null));
    }
  }

  t.label = label;
  for (const section of [identity, creation, bounds, reading, updates, regeneration, deletion, paging, access]) {
    await t.section(section.name, section);
    await t.section(`tidying up after ${section.name}`, async () => {
      for (const id of mine.splice(0)) {
        await c.delete(e.admin, id).catch((refusal) => {
          if (!(refusal instanceof Refused) || refusal.code !== "not_found") throw refusal;
        });
      }
    });
  }
  t.label = "";
}
