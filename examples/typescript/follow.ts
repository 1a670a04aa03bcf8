// Follows the change feed of one organization for ever, and prints each event once, in order.

import { setTimeout as pause } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { DirectoryService, EventKind } from "./gen/scimd/v1/directory_pb.js";

const { SCIMD_URL = "", SCIMD_API_KEY, SCIMD_ORGANIZATION, SCIMD_AFTER = "0" } = process.env;
const client = createClient(DirectoryService, createConnectTransport({ baseUrl: SCIMD_URL, httpVersion: "1.1" }));
const headers = { authorization: `Bearer ${SCIMD_API_KEY}` };
// In earnest: the number that was stored in the same transaction as what the last event led to.
let after = BigInt(SCIMD_AFTER);
for (;;) {
  // A message comes every 15 seconds, if only one without events: who is silent for a minute is gone.
  const call = new AbortController();
  const silence = setTimeout(() => call.abort(), 60_000);
  try {
    const request = { organizationId: SCIMD_ORGANIZATION, after };
    for await (const message of client.streamEvents(request, { headers, signal: call.signal })) {
      silence.refresh();
      for (const event of message.events) {
        console.log(`${event.number} ${EventKind[event.kind] ?? event.kind} ${event.subjectId}`);
        after = event.number;
      }
    }
  } catch (error) {
    if (ConnectError.from(error).code === Code.OutOfRange) {
      console.error(`${error}: take GetSnapshot and go on behind its number`);
      process.exit(1);
    }
    console.error(`goes on behind ${after}: ${error}`);
  }
  clearTimeout(silence);
  await pause(1000);
}
