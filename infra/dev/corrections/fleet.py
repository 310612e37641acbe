"""The instances as moto holds them, and what no caller of AWS could do to them."""

import re

from moto.ec2 import ec2_backends
from moto.ec2.exceptions import EC2ClientError, InvalidInstanceIdError

from .calls import STEERING


def ec2_accounts():
    for account, regions in sorted(ec2_backends.items()):
        for region, backend in sorted(regions.items()):
            yield account, region, backend


def instances_of(backend):
    return [instance for reservation in list(backend.reservations.values()) for instance in reservation.instances]


def operator_of(instance):
    return getattr(instance, "operator", {"Managed": False})


def change_instance(account, region, instance_id, changes):
    """Sets what no caller could: the state, the options as they are, the managing service."""
    backend = ec2_backends[account][region]
    instance = find_instance(backend, instance_id)
    if "state" in changes:
        steps = {"running": instance.start, "stopped": instance.stop, "terminated": instance.terminate}
        steps[changes["state"]]()
    for name, value in changes.get("metadata_options", {}).items():
        attribute = re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
        if not hasattr(instance.metadata_options, attribute):
            raise KeyError(name)
        setattr(instance.metadata_options, attribute, value)
        if (name, value) == ("State", "pending"):
            instance.metadata_options.describes_left = STEERING.describes_until_applied
    for key, value in changes.get("tags", {}).items():
        if value is None:
            backend.tags[instance.id].pop(key, None)
        else:
            backend.tags[instance.id][key] = value
    if "operator" in changes:
        instance.operator = changes["operator"]
    return options_of(instance)


def check_instance_id(instance_id):
    if not re.fullmatch(r"i-([0-9a-f]{8}|[0-9a-f]{17})", instance_id or ""):
        raise EC2ClientError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')


def find_instance(backend, instance_id):
    # Fault: an id that no instance can have is answered as one that was not found.
    check_instance_id(instance_id)
    for instance in instances_of(backend):
        if instance.id == instance_id:
            return instance
    raise InvalidInstanceIdError(instance_id)


def options_of(instance):
    options = instance.metadata_options
    return {
        "State": options.state,
        "HttpTokens": options.http_tokens,
        "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
        "HttpEndpoint": options.http_endpoint,
        "HttpProtocolIpv6": options.http_protocol_ipv6,
        "InstanceMetadataTags": options.instance_metadata_tags,
    }


def described(instance):
    """Counts a description: a pending change of a running instance is applied after some of them."""
    options = instance.metadata_options
    if options.state == "pending" and instance.state == "running":
        if options.describes_left <= 0:
            options.state = "applied"
        options.describes_left -= 1
