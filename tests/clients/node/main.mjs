// connect-node over all its transports, and plain fetch. There is no generated code: the schema is read from the
// descriptor set in $SCIMD_DESCRIPTOR_SET. The packages are looked up beside this file, so it runs where `npm ci` ran.

import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { Checks, Refused } from "./checks.mjs";
import { scenario, SECOND } from "./scenario.mjs";

const variable = (name) => {
  const value = process.env[`SCIMD_${name}`];
  if (!value) throw new Error(`SCIMD_${name} is not set`);
  return value;
};
const environment = {
  url: variable("URL"),
  organization: variable("ORGANIZATION"),
  admin: variable("ADMIN_KEY"),
  viewer: variable("VIEWER_KEY"),
  expired: variable("EXPIRED_KEY"),
  revoked: variable("REVOKED_KEY"),
  otherOrganization: variable("OTHER_ORGANIZATION"),
  otherConfiguration: variable("OTHER_CONFIGURATION"),
};
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(variable("DESCRIPTOR_SET"))));

const instant = ({ seconds, nanos }) => seconds * SECOND + BigInt(nanos);

function configuration(message) {
  return {
    id: message.id,
    organizationId: message.organizationId,
    name: message.name,
    enabled: message.enabled,
    ssoConfigurationId: message.ssoConfigurationId,
    createdAt: instant(message.createdAt),
    updatedAt: instant(message.updatedAt),
    tokenExpiresAt: instant(message.tokenExpiresAt),
    allowUnverifiedEmailAccountLinking: message.allowUnverifiedEmailAccountLinking,
  };
}

/** The fields that a google.rpc.BadRequest names: a repeated message 1, whose string 1 is the field. */
function violatedFields(details) {
  const strings = (bytes) => {
    const found = [];
    for (const reader = new BinaryReader(bytes); reader.pos < reader.len; ) {
      const [number, wireType] = reader.tag();
      if (number === 1) found.push(reader.bytes());
      else reader.skip(wireType);
    }
    return found;
  };
  return details
    .filter(({ type }) => type === "google.rpc.BadRequest")
    .flatMap(({ value }) => strings(value))
    .flatMap((violation) => strings(violation).map((field) => new TextDecoder().decode(field)));
}

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The client that the scenario wants, over any transport. */
class Client {
  constructor(transport) {
    this.organizations = createClient(registry.getService("gitpod.v1.OrganizationService"), transport);
    this.identities = createClient(registry.getService("gitpod.v1.IdentityService"), transport);
    this.principals = registry.getEnum("gitpod.v1.Principal");
  }

  async call(client, method, key, { tokenExpiresIn, ...request }) {
    if (tokenExpiresIn !== undefined) {
      request.tokenExpiresIn = { seconds: tokenExpiresIn / SECOND, nanos: Number(tokenExpiresIn % SECOND) };
    }
    try {
      const headers = key ? { authorization: `Bearer ${key}` } : {};
      return await client[method](request, { headers, timeoutMs: 20_000 });
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      throw new Refused(snake(Code[error.code]).slice(1), violatedFields(error.details), error.rawMessage);
    }
  }

  organization(method, key, request) {
    return this.call(this.organizations, method, key, request);
  }

  async identity(key) {
    const answer = await this.call(this.identities, "getAuthenticatedIdentity", key, {});
    const principal = this.principals.value[answer.subject.principal].name;
    return { organization: answer.organizationId, principal };
  }

  async create(key, fields) {
    const answer = await this.organization("createSCIMConfiguration", key, fields);
    const made = configuration(answer.scimConfiguration);
    return { configuration: made, token: answer.token, tokenExpiresAt: instant(answer.tokenExpiresAt) };
  }

  async get(key, scimConfigurationId) {
    const answer = await this.organization("getSCIMConfiguration", key, { scimConfigurationId });
    return configuration(answer.scimConfiguration);
  }

  async update(key, scimConfigurationId, fields) {
    const answer = await this.organization("updateSCIMConfiguration", key, { scimConfigurationId, ...fields });
    return configuration(answer.scimConfiguration);
  }

  async delete(key, scimConfigurationId) {
    await this.organization("deleteSCIMConfiguration", key, { scimConfigurationId });
  }

  async regenerate(key, scimConfigurationId, tokenExpiresIn) {
    const answer = await this.organization("regenerateSCIMToken", key, { scimConfigurationId, tokenExpiresIn });
    return { token: answer.token, tokenExpiresAt: instant(answer.tokenExpiresAt) };
  }

  async page(key, pagination) {
    const answer = await this.organization("listSCIMConfigurations", key, pagination ? { pagination } : {});
    const nextToken = answer.pagination?.nextToken ?? "";
    return { configurations: answer.scimConfigurations.map(configuration), nextToken };
  }
}

/** JSON by hand, as a browser or curl sends it: what a typed client cannot write. */
async function rawJson(t) {
  const base = `${environment.url}/api/gitpod.v1.OrganizationService`;
  const authorization = `Bearer ${environment.admin}`;
  const read = async (answer) => ({ status: answer.status, body: await answer.json().catch(() => ({})) });
  const post = async (method, body) =>
    read(
      await fetch(`${base}/${method}`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
  const get = async (method, message, more = {}) => {
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message, ...more });
    return read(await fetch(`${base}/${method}?${query}`, { headers: { authorization } }));
  };
  const named = ({ body }) =>
    violatedFields((body.details ?? []).map(({ type, value }) => ({ type, value: Buffer.from(value, "base64") })));
  const organizationId = environment.organization;
  const ssoConfigurationId = randomUUID();
  const lifetime = (made) => Date.parse(made.tokenExpiresAt) - Date.parse(made.createdAt);

  const taken = [];
  for (const [sentence, body, name, seconds] of [
    ["lowerCamelCase is read", { organizationId, ssoConfigurationId, name: "camel" }, "camel", 31_536_000],
    [
      "snake_case is read",
      { organization_id: organizationId, sso_configuration_id: ssoConfigurationId, token_expires_in: "86400s" },
      "",
      86_400,
    ],
    [
      "null counts as absent",
      { organizationId, ssoConfigurationId, name: null, tokenExpiresIn: null, allowUnverifiedEmailAccountLinking: null },
      "",
      31_536_000,
    ],
    ["unknown fields are ignored", { organizationId, ssoConfigurationId, fromTheFuture: [{}] }, "", 31_536_000],
    [
      "a duration with plus and fraction is taken exactly",
      { organizationId, ssoConfigurationId, tokenExpiresIn: "+9125115.360s" },
      "",
      9_125_115.36,
    ],
  ]) {
    const { status, body: answer } = await post("CreateSCIMConfiguration", body);
    const made = answer.scimConfiguration ?? {};
    taken.push(made.id);
    t.equal(
      sentence,
      [status, made.ssoConfigurationId, made.name ?? "", lifetime(made)],
      [200, ssoConfigurationId, name, seconds * 1000],
    );
  }
  const [scimConfigurationId] = taken;

  const wrong = await post("ListSCIMConfigurations", { pagination: { pageSize: "abc" } });
  t.equal("a value of the wrong type is refused", [wrong.status, wrong.body.code], [400, "invalid_argument"]);
  const required = await post("GetSCIMConfiguration", { scimConfigurationId: null });
  t.equal(
    "null for a required field is refused and named",
    [required.status, required.body.code, named(required)],
    [400, "invalid_argument", ["scim_configuration_id"]],
  );

  const message = JSON.stringify({ scimConfigurationId });
  const plain = await get("GetSCIMConfiguration", message);
  t.equal("GET reads plain JSON", [plain.status, plain.body.scimConfiguration?.id], [200, scimConfigurationId]);
  const encoded = await get("GetSCIMConfiguration", Buffer.from(message).toString("base64url"), { base64: "1" });
  t.equal("GET reads base64", [encoded.status, encoded.body.scimConfiguration?.id], [200, scimConfigurationId]);
  const listed = await get("ListSCIMConfigurations", JSON.stringify({ pagination: { page_size: 7 } }));
  t.equal("GET lists", [listed.status, listed.body.scimConfigurations?.length], [200, 7]);
  const refused = await get("GetSCIMConfiguration", JSON.stringify({ scimConfigurationId: "not-a-uuid" }));
  t.equal("a refused GET names its field", [refused.status, named(refused)], [400, ["scim_configuration_id"]]);
  const deleting = await get("DeleteSCIMConfiguration", message);
  t.equal("a method with side effects takes no GET", deleting.status, 405);

  for (const id of taken) await post("DeleteSCIMConfiguration", { scimConfigurationId: id });
}

const t = new Checks();
const api = `${environment.url}/api`;
const gzip = { sendCompression: compressionGzip, compressMinBytes: 1 };
for (const [label, create, options] of [
  ["connect binary, HTTP/1.1", createConnectTransport, { baseUrl: api, httpVersion: "1.1" }],
  ["connect binary, HTTP/2", createConnectTransport, { baseUrl: environment.url, httpVersion: "2", ...gzip }],
  ["connect JSON, HTTP/1.1", createConnectTransport, { baseUrl: environment.url, httpVersion: "1.1", useBinaryFormat: false, ...gzip }],
  ["connect JSON, HTTP/2", createConnectTransport, { baseUrl: api, httpVersion: "2", useBinaryFormat: false }],
  ["connect binary by GET", createConnectTransport, { baseUrl: api, httpVersion: "1.1", useHttpGet: true }],
  ["connect JSON by GET", createConnectTransport, { baseUrl: api, httpVersion: "2", useHttpGet: true, useBinaryFormat: false }],
  ["grpc", createGrpcTransport, { baseUrl: environment.url, ...gzip }],
  ["grpc below /api", createGrpcTransport, { baseUrl: api }],
  ["grpc-web, HTTP/1.1", createGrpcWebTransport, { baseUrl: environment.url, httpVersion: "1.1" }],
  ["grpc-web, HTTP/2", createGrpcWebTransport, { baseUrl: api, httpVersion: "2", ...gzip }],
]) {
  // An idle HTTP/2 connection would keep the program from ending.
  const http1 = options.httpVersion === "1.1";
  const sessionManager = http1 ? undefined : new Http2SessionManager(options.baseUrl);
  await scenario(t, environment, new Client(create(http1 ? options : { ...options, sessionManager })), label);
  sessionManager?.abort();
}
t.label = "plain HTTP";
await t.section("raw JSON", () => rawJson(t));
t.label = "";
t.finish();
