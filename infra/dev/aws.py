"""A local AWS for development and tests: moto's server with its EC2 corrected, and a seeded fleet.

    python aws.py --port 0 --seed dev

binds 127.0.0.1 only, prints one JSON line (`{"url": …, "instances": …}`) once it answers, and leaves when its standard input
closes, so that it can never outlive the command that started it.

Signatures are not checked. The account of a call is that of the assumed role (`arn:aws:iam::ACCOUNT:role/NAME`), or the
twelve digits after `AKIA` in the access key (`AKIA111111111111TOLL`), or 111111111111.

Tests steer it through `POST /tollgate-dev/ACTION` with a JSON body; each answers JSON:

    reset       {"seed": "dev" | "large" | "none", "instances": N}    forget everything, seed again
    applied     {"describes": N}           a change stays `pending` for the next N descriptions of the instance (default 1)
    fail        {"account": …, "region": …, "service": "ec2", "action": "DescribeInstances", "code": "UnauthorizedOperation",
                 "message": …, "times": N}                    answer with an error; what is left out matches all; no code clears
    defaults    {"account", "region", "http_tokens": …, "managed_by": …, …}    account-level metadata defaults; null clears
    instance    {"account", "region", "instance_id", "state": …, "metadata_options": {…}, "tags": {…}, "operator": {…}}
    calls       {}                         how often each `account region service action` was called since the last reset

`GET /tollgate-dev/fleet` lists the instances as they are held, which needs no credentials.
"""

import argparse
import json
import os
import sys
import threading
import warnings

from werkzeug.serving import make_server

import corrections
from corrections.cbor import CborCalls
import seed
from corrections import fleet as held
from corrections.calls import STEERING
from corrections.metadata import set_defaults

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app


class Quiet(MotoRequestHandler):
    """One connection serves many calls, as AWS's do, and a line per call on the terminal hides what matters."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code="-", size="-"):
        pass


class Control:
    """What answers under /tollgate-dev/, in front of moto."""

    def __init__(self, application):
        self.application = application
        self.actions = {
            "reset": self.reset,
            "applied": self.applied,
            "fail": self.fail,
            "defaults": self.defaults,
            "instance": self.instance,
            "calls": lambda body: dict(STEERING.calls),
        }

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/tollgate-dev/"):
            return self.application(environ, start_response)
        name = path.removeprefix("/tollgate-dev/")
        status, answer = "200 OK", None
        try:
            if environ["REQUEST_METHOD"] == "GET" and name == "fleet":
                answer = fleet()
            elif environ["REQUEST_METHOD"] == "POST" and name in self.actions:
                length = int(environ.get("CONTENT_LENGTH") or 0)
                answer = self.actions[name](json.loads(environ["wsgi.input"].read(length) or b"{}"))
            else:
                status, answer = "404 Not Found", {"error": f"no such action: {name}"}
        except (KeyError, TypeError, ValueError) as error:
            status, answer = "400 Bad Request", {"error": f"{type(error).__name__}: {error}"}
        payload = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
        return [payload]

    def reset(self, body):
        corrections.forget_everything()
        return {"instances": seed.plant(body.get("seed", "dev"), body.get("instances"))}

    def applied(self, body):
        STEERING.describes_until_applied = int(body["describes"])
        return {}

    def fail(self, body):
        STEERING.set_fault(body)
        return {}

    def defaults(self, body):
        account, region = body.pop("account"), body.pop("region")
        return set_defaults(account, region, body)

    def instance(self, body):
        return held.change_instance(body.pop("account"), body.pop("region"), body.pop("instance_id"), body)


def fleet():
    """Every instance that is held, in the order in which it was made."""
    return [
        {
            "account": account,
            "region": region,
            "instance_id": instance.id,
            "state": instance.state,
            "name": backend.tags.get(instance.id, {}).get("Name"),
            "metadata_options": held.options_of(instance),
        }
        for account, region, backend in held.ec2_accounts()
        for instance in held.instances_of(backend)
    ]


def leave_with_parent():
    """A closed standard input means that the parent is gone, however it went."""
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description="A local AWS with a seeded fleet.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", choices=["dev", "large", "none"], default="dev")
    parser.add_argument("--instances", type=int, help="how many instances instead of the seed's own number")
    parser.add_argument("--exit-with-stdin", action="store_true", help="leave when standard input closes")
    arguments = parser.parse_args()

    # Codes that a test asked for need not be in moto's model of the service.
    warnings.filterwarnings("ignore", message=".*does not match an error shape.*")
    corrections.apply()
    instances = seed.plant(arguments.seed, arguments.instances)
    application = Control(CborCalls(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", arguments.port, application, threaded=True, request_handler=Quiet)
    if arguments.exit_with_stdin:
        threading.Thread(target=leave_with_parent, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.port}", "instances": instances}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
