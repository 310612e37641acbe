"""Every call, whatever its service: whose it is, which error it meets, and with which status errors are answered."""

import collections
import re
import threading

from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.exceptions import EC2ClientError
from moto.iam import models as iam_models

HOME_ACCOUNT = "111111111111"

# The codes that AWS does not answer with 400. moto answers all of them with 400.
STATUS_OF_CODE = {
    "DryRunOperation": 412,
    "UnauthorizedOperation": 403,
    "AuthFailure": 401,
    "RequestLimitExceeded": 503,
    "InternalError": 500,
    "Unavailable": 503,
    "ServiceUnavailable": 503,
}


class Steering:
    """What a test has asked for."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        self.describes_until_applied = 1
        self.faults = []
        self.calls = collections.Counter()

    def set_fault(self, fault):
        matched = {key: fault.get(key) for key in ("account", "region", "service", "action")}
        with self.lock:
            self.faults = [other for other in self.faults if other["matched"] != matched]
            if fault.get("code"):
                message = fault.get("message", "asked for by a test")
                self.faults.append(
                    {"matched": matched, "code": fault["code"], "message": message, "times": fault.get("times")}
                )
            elif not any(matched.values()):
                self.faults = []

    def called(self, account, region, service, action):
        """Counts the call and says which fault it meets, if any."""
        call = {"account": account, "region": region, "service": service, "action": action}
        with self.lock:
            self.calls[f"{account} {region} {service} {action}"] += 1
            for fault in self.faults:
                if any(value not in (None, call[key]) for key, value in fault["matched"].items()):
                    continue
                if fault["times"] == 0:
                    continue
                if fault["times"] is not None:
                    fault["times"] -= 1
                return fault
        return None


STEERING = Steering()


def correct_calls():
    original = BaseResponse.call_action

    def call_action(self):
        # Fault: an operation or a filter that moto lacks is an HTML page with status 500, which no SDK can read.
        # Fault: each error has status 400, so that a client which looks at the status never retries.
        # moto never throttles nor refuses: what a test asked for is answered here, for every service alike.
        action = self._get_action() or ""
        fault = STEERING.called(self.current_account, self.region, self.service_name, action)
        error = None
        if fault:
            error = EC2ClientError(fault["code"], fault["message"])
        else:
            try:
                answer = original(self)
            except NotImplementedError as missing:
                error = EC2ClientError("InvalidAction", f"The action {action} is not valid for this web service: {missing}")
        if error:
            status, headers, body = self.serialized(ActionResult(error))
            headers["status"] = status
            answer = self._transform_response(self.response_headers, (body, headers))
            headers, body = self._enrich_response(answer[1], answer[2])
            answer = answer[0], headers, body
        status, headers, body = answer
        if status == 400 and isinstance(body, str) and (code := re.search(r"<Code>([^<]+)</Code>", body)):
            status = STATUS_OF_CODE.get(code.group(1), status)
            headers["status"] = str(status)
        return status, headers, body

    BaseResponse.call_action = call_action


def correct_accounts():
    # Fault: every access key that was not made by moto belongs to one fixed account.
    original = iam_models.get_account_id_from

    def get_account_id_from(access_key):
        if digits := re.fullmatch(r"AKIA(\d{12})[A-Z0-9]{4}", access_key):
            return digits.group(1)
        found = original(access_key)
        return HOME_ACCOUNT if found == iam_models.DEFAULT_ACCOUNT_ID else found

    iam_models.get_account_id_from = get_account_id_from
