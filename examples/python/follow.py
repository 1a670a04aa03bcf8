"""Follows the change feed of one organization for ever, and prints each event once, in order."""

import os
import sys
import time

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from pyqwest import SyncClient, SyncHTTPTransport

from gen.scimd.v1.directory_connect import DirectoryServiceClientSync
from gen.scimd.v1.directory_pb import StreamEventsRequest

# A message comes every 15 seconds, if only one without events: who is silent for a minute is gone.
transport = SyncHTTPTransport(tls_include_system_certs=True, read_timeout=60)
client = DirectoryServiceClientSync(os.environ["SCIMD_URL"], http_client=SyncClient(transport))
headers = {"authorization": "Bearer " + os.environ["SCIMD_API_KEY"]}
# In earnest: the number that was stored in the same transaction as what the last event led to.
after = int(os.environ.get("SCIMD_AFTER", "0"))
while True:
    try:
        request = StreamEventsRequest(organization_id=os.environ["SCIMD_ORGANIZATION"], after=after)
        for message in client.stream_events(request, headers=headers):
            for event in message.events:
                print(event.number, event.kind, event.subject_id, flush=True)
                after = event.number
    except ConnectError as error:
        if error.code == Code.OUT_OF_RANGE:
            sys.exit(f"{error}: take GetSnapshot and go on behind its number")
        print(f"goes on behind {after}: {error}", file=sys.stderr)
    time.sleep(1)
