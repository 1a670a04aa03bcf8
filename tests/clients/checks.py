"""What the Python programs in this folder share besides the scenario: counting checks, and the environment.

The output is the interface to `tests/integration/clients.rs`: one line per check, and a last line
`N passed, M failed`. A program never stops at the first failure, so that one run shows everything.
"""

import os
import sys
import traceback
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass


class Refused(Exception):
    """An error answer, in one shape for all clients: Connect's name of the code, and the fields of BadRequest."""

    def __init__(self, code, fields=(), text=""):
        super().__init__(f"{code} {sorted(fields)} {text}")
        self.code = code
        self.fields = sorted(fields)


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.label = ""

    def true(self, sentence, holds, seen=""):
        sentence = f"{self.label}: {sentence}" if self.label else sentence
        if holds:
            self.passed += 1
            print(f"ok - {sentence}", flush=True)
        else:
            self.failed += 1
            print(f"not ok - {sentence}: {' '.join(str(seen).split())}", flush=True)

    def equal(self, sentence, seen, wanted):
        self.true(sentence, seen == wanted, f"saw {seen!r}, wanted {wanted!r}")

    def refused(self, sentence, code, call, fields=()):
        """`call` must fail with `code`, and BadRequest must name exactly `fields`."""
        try:
            answer = call()
        except Refused as refusal:
            self.equal(sentence, (refusal.code, refusal.fields), (code, sorted(fields)))
        else:
            self.true(sentence, False, f"it was taken: {answer}")

    @contextmanager
    def section(self, name):
        """A section that breaks down is one failed check; the sections after it still run."""
        try:
            yield
        except Exception as broken:
            trace = "; ".join(f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(broken.__traceback__)[-4:])
            self.true(f"{name} runs to its end", False, f"{type(broken).__name__}: {broken} at {trace}")

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)


@dataclass(frozen=True)
class Environment:
    url: str
    organization: str
    admin: str
    viewer: str
    expired: str
    revoked: str
    other_organization: str
    other_configuration: str

    @staticmethod
    def read():
        names = {
            "url": "URL",
            "organization": "ORGANIZATION",
            "admin": "ADMIN_KEY",
            "viewer": "VIEWER_KEY",
            "expired": "EXPIRED_KEY",
            "revoked": "REVOKED_KEY",
            "other_organization": "OTHER_ORGANIZATION",
            "other_configuration": "OTHER_CONFIGURATION",
        }
        return Environment(**{field: os.environ[f"SCIMD_{name}"] for field, name in names.items()})

    def scim_status(self, configuration, token):
        """What the SCIM door says to a token: the only way to see from outside whether it is alive."""
        request = urllib.request.Request(
            f"{self.url}/scim/v2/{configuration}/ServiceProviderConfig",
            headers={"Authorization": f"Bearer {token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code


def violated_fields(details):
    """The fields that google.rpc.BadRequest names, from pairs (type, bytes) of Connect error details.

    Read by hand, because neither SDK ships google.rpc: a BadRequest is a repeated message 1, whose string 1 is the field.
    """
    return [
        next(value.decode() for number, value in _fields(violation) if number == 1)
        for kind, message in details
        if kind == "google.rpc.BadRequest"
        for number, violation in _fields(message)
        if number == 1
    ]


def _fields(message):
    """The length-delimited fields of a message, which are all that BadRequest has."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        if tag & 7 != 2:
            raise ValueError(f"wire type {tag & 7} in google.rpc.BadRequest")
        length, position = _varint(message, position)
        yield tag >> 3, message[position : position + length]
        position += length


def _varint(message, position):
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
