"""ModifyInstanceMetadataOptions, and the defaults of an account in a region."""

from moto.core.responses import ActionResult
from moto.ec2 import ec2_backends
from moto.ec2.exceptions import DryRunClientError, EC2ClientError
from moto.ec2.models.instances import Instance
from moto.ec2.responses import EC2Response
from moto.ec2.responses.instances import InstanceResponse

from .calls import STEERING
from .fleet import find_instance, operator_of

TOKENS = {"optional", "required"}
SWITCH = {"enabled", "disabled"}


def invalid_value(name, value, expected):
    return EC2ClientError(
        "InvalidParameterValue", f"Value ( {value} ) for parameter {name} is invalid. Expecting {expected}."
    )


def check_choice(name, value, allowed):
    if value is not None and value not in allowed:
        raise invalid_value(name, value, "one of " + ", ".join(sorted(allowed)))


def check_hop_limit(value, least=1):
    if value is None:
        return None
    try:
        hop_limit = int(value)
    except ValueError:
        raise invalid_value("HttpPutResponseHopLimit", value, "an integer between 1 and 64") from None
    if not (1 <= hop_limit <= 64 or hop_limit == least):
        raise invalid_value("HttpPutResponseHopLimit", value, "an integer between 1 and 64")
    return hop_limit


def correct_metadata_options():
    def modify_instance_metadata_options(self):
        asked = {
            "http_tokens": self._get_param("HttpTokens"),
            "http_put_response_hop_limit": self._get_param("HttpPutResponseHopLimit"),
            "http_endpoint": self._get_param("HttpEndpoint"),
            "http_protocol_ipv6": self._get_param("HttpProtocolIpv6"),
            "instance_metadata_tags": self._get_param("InstanceMetadataTags"),
        }
        # Fault: hop limit 99 and `bogus` as tokens are taken.
        check_choice("HttpTokens", asked["http_tokens"], TOKENS)
        for name in ("http_endpoint", "http_protocol_ipv6", "instance_metadata_tags"):
            check_choice(name, asked[name], SWITCH)
        asked["http_put_response_hop_limit"] = check_hop_limit(asked["http_put_response_hop_limit"])
        instance = find_instance(self.ec2_backend, self._get_param("InstanceId"))
        # Fault: a terminated instance is changed.
        if instance.state in ("terminated", "shutting-down"):
            raise EC2ClientError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be modified.",
            )
        # moto knows no instances that a service manages.
        operator = operator_of(instance)
        if operator["Managed"]:
            raise EC2ClientError(
                "OperationNotPermitted",
                f"The instance '{instance.id}' is managed by {operator.get('Principal')} and can only be changed by it.",
            )
        # moto has no account-level enforcement.
        if asked["http_tokens"] == "optional" and defaults_of(self.ec2_backend).get("HttpTokensEnforced") == "enabled":
            raise EC2ClientError(
                "UnsupportedOperation",
                "You can't set httpTokens to optional because httpTokensEnforced is enabled for the account in this Region.",
            )
        # Fault: DryRun changes the instance.
        if str(self._get_param("DryRun", False)).lower() == "true":
            raise DryRunClientError()
        # Fault: what was left out is set to a default, or vanishes. AWS keeps its state.
        options = instance.metadata_options
        for name, value in asked.items():
            if value is not None:
                setattr(options, name, value)
        # Fault: the answer is `applied` at once, on a stopped instance too.
        options.state = "pending"
        options.describes_left = STEERING.describes_until_applied
        return ActionResult({"InstanceId": instance.id, "InstanceMetadataOptions": options})

    InstanceResponse.modify_instance_metadata_options = modify_instance_metadata_options
    original_start = Instance.start

    def start(self):
        previous = original_start(self)
        self.metadata_options.state = "applied"
        return previous

    Instance.start = start


DEFAULTS = {
    "http_tokens": "HttpTokens",
    "http_put_response_hop_limit": "HttpPutResponseHopLimit",
    "http_endpoint": "HttpEndpoint",
    "instance_metadata_tags": "InstanceMetadataTags",
    "http_tokens_enforced": "HttpTokensEnforced",
    "managed_by": "ManagedBy",
    "managed_exception_message": "ManagedExceptionMessage",
}


def defaults_of(backend):
    if not hasattr(backend, "metadata_defaults"):
        backend.metadata_defaults = {}
    return backend.metadata_defaults


def set_defaults(account, region, values):
    held = defaults_of(ec2_backends[account][region])
    for name, value in values.items():
        if value is None:
            held.pop(DEFAULTS[name], None)
        else:
            held[DEFAULTS[name]] = value
    return held


def correct_metadata_defaults():
    # Fault: both operations are missing (status 500).
    def get_instance_metadata_defaults(self):
        self.error_on_dryrun()
        held = defaults_of(self.ec2_backend)
        return ActionResult({"AccountLevel": {"ManagedBy": "account", **held}})

    def modify_instance_metadata_defaults(self):
        no_preference = {"no-preference"}
        asked = {name: self._get_param(name) for name in DEFAULTS.values() if not name.startswith("Managed")}
        check_choice("HttpTokens", asked["HttpTokens"], TOKENS | no_preference)
        for name in ("HttpEndpoint", "InstanceMetadataTags", "HttpTokensEnforced"):
            check_choice(name, asked[name], SWITCH | no_preference)
        asked["HttpPutResponseHopLimit"] = check_hop_limit(asked["HttpPutResponseHopLimit"], least=-1)
        self.error_on_dryrun()
        held = defaults_of(self.ec2_backend)
        for name, value in asked.items():
            if value in ("no-preference", -1):
                held.pop(name, None)
            elif value is not None:
                held[name] = value
        return ActionResult({"Return": True})

    EC2Response.get_instance_metadata_defaults = get_instance_metadata_defaults
    EC2Response.modify_instance_metadata_defaults = modify_instance_metadata_defaults
