"""DescribeInstances: filters, pages of instances, and the answer as XML."""

import base64
from xml.sax.saxutils import escape

from moto.ec2 import utils as ec2_utils
from moto.ec2.exceptions import EC2ClientError, InvalidInstanceIdError
from moto.ec2.responses.instances import InstanceResponse

from .fleet import check_instance_id, described, operator_of
from .metadata import invalid_value

METADATA_FILTERS = {
    "metadata-options.http-tokens": lambda instance: instance.metadata_options.http_tokens,
    "metadata-options.http-endpoint": lambda instance: instance.metadata_options.http_endpoint,
    "metadata-options.http-put-response-hop-limit": lambda instance: str(
        instance.metadata_options.http_put_response_hop_limit
    ),
    "metadata-options.http-protocol-ipv6": lambda instance: instance.metadata_options.http_protocol_ipv6,
    "metadata-options.instance-metadata-tags": lambda instance: instance.metadata_options.instance_metadata_tags,
    "metadata-options.state": lambda instance: instance.metadata_options.state,
    "operator.managed": lambda instance: str(operator_of(instance)["Managed"]).lower(),
    "operator.principal": lambda instance: operator_of(instance).get("Principal"),
}


def matches(instance, filters):
    # Fault: the metadata-options filters, and filters that do not exist, are an HTML page with status 500.
    for name, values in filters.items():
        if name in METADATA_FILTERS:
            if METADATA_FILTERS[name](instance) not in values:
                return False
        else:
            try:
                if not ec2_utils.passes_filter_dict(instance, {name: values}):
                    return False
            except NotImplementedError:
                raise EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid") from None
    return True


def position_after(token, held):
    if not token:
        return 0
    try:
        last = base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        last = None
    for position, (_, instance) in enumerate(held):
        if instance.id == last:
            return position + 1
    # Fault: an unknown token is status 500.
    raise EC2ClientError("InvalidPaginationToken", "The specified pagination token is not valid or is expired.")


def correct_describe_instances():
    def describe_instances(self):
        self.error_on_dryrun()
        backend = self.ec2_backend
        ids = self._get_param("InstanceIds", [])
        most = self._get_param("MaxResults")
        if ids and most is not None:
            raise EC2ClientError(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        # Fault: 2 is taken; so is 100,000.
        if most is not None and not 5 <= int(most) <= 1000:
            raise invalid_value("maxResults", most, "a value between 5 and 1000")
        for instance_id in ids:
            check_instance_id(instance_id)
        held = [
            (reservation, instance)
            for reservation in list(backend.reservations.values())
            for instance in reservation.instances
        ]
        if unknown := sorted(set(ids) - {instance.id for _, instance in held}):
            raise InvalidInstanceIdError(unknown)
        filters = self._filters_from_querystring()
        start = position_after(self._get_param("NextToken"), held)
        # Fault: MaxResults counts reservations, so that a page holds any number of instances. It counts instances.
        most = int(most) if most is not None else len(held) + 1
        page, more = [], False
        for reservation, instance in held[start:]:
            if (ids and instance.id not in ids) or not matches(instance, filters):
                continue
            if len(page) == most:
                more = True
                break
            page.append((reservation, instance))
        token = base64.urlsafe_b64encode(page[-1][1].id.encode()).decode() if more else None
        return 200, {"Content-Type": "text/xml;charset=UTF-8"}, describe_instances_xml(backend, page, token)

    InstanceResponse.describe_instances = describe_instances


def element(name, value):
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        value = "true" if value else "false"
    return f"<{name}>{escape(str(value))}</{name}>"


def timestamp(value):
    return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def describe_instances_xml(backend, page, token):
    # Fault: moto's serializer takes over two milliseconds an instance, and longer the more there are.
    reservations = []
    previous = None
    for reservation, instance in page:
        described(instance)
        if reservation is not previous:
            reservations.append((reservation, []))
            previous = reservation
        reservations[-1][1].append(instance_xml(backend, instance))
    items = "".join(
        f"<item>{element('reservationId', reservation.id)}{element('ownerId', backend.account_id)}<groupSet/>"
        f"<instancesSet>{''.join(instances)}</instancesSet></item>"
        for reservation, instances in reservations
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<RequestId></RequestId><reservationSet>{items}</reservationSet>{element('nextToken', token)}"
        "</DescribeInstancesResponse>"
    )


def instance_xml(backend, instance):
    options, operator = instance.metadata_options, operator_of(instance)
    terminated = instance.state == "terminated"
    nic = instance.nics.get(0)
    subnet = nic.subnet if nic else None
    reason = instance.state_reason
    tags = "".join(
        f"<item>{element('key', key)}<value>{escape(value)}</value></item>"
        for key, value in backend.tags.get(instance.id, {}).items()
    )
    groups = "".join(
        f"<item>{element('groupId', group.id)}{element('groupName', group.name)}</item>"
        for group in instance.security_groups
    )
    profile = instance.iam_instance_profile
    profile_xml = (
        f"<iamInstanceProfile>{element('arn', profile['Arn'])}{element('id', profile['Id'])}</iamInstanceProfile>"
        if isinstance(profile, dict)
        else ""
    )
    network = (
        ""
        if terminated or nic is None
        else element("privateDnsName", instance.private_dns_name)
        + element("dnsName", instance.public_dns_name)
        + element("subnetId", subnet.id)
        + element("vpcId", subnet.vpc_id)
        + element("privateIpAddress", nic.private_ip_address)
        + element("ipAddress", nic.public_ip)
    )
    state_reason = (
        f"<stateReason>{element('code', reason.code)}{element('message', reason.message)}</stateReason>"
        if reason.code
        else ""
    )
    return "".join(
        (
            "<item>",
            element("instanceId", instance.id),
            element("imageId", instance.image_id),
            f"<instanceState><code>{instance.state_code}</code><name>{instance.state}</name></instanceState>",
            network,
            element("reason", instance.state_transition_reason),
            element("keyName", instance.key_name),
            element("amiLaunchIndex", instance.ami_launch_index),
            element("instanceType", instance.instance_type),
            element("launchTime", timestamp(instance.launch_time)),
            f"<placement>{element('availabilityZone', instance.availability_zone)}<tenancy>default</tenancy></placement>",
            f"<monitoring><state>{instance.monitoring_state}</state></monitoring>",
            state_reason,
            element("architecture", instance.architecture),
            element("rootDeviceType", instance.root_device_type),
            element("rootDeviceName", instance.root_device_name),
            element("virtualizationType", "hvm"),
            element("clientToken", instance.client_token),
            element("instanceLifecycle", instance.lifecycle),
            f"<tagSet>{tags}</tagSet>" if tags else "",
            f"<groupSet>{groups}</groupSet>",
            profile_xml,
            element("ebsOptimized", bool(instance.ebs_optimized)),
            "<metadataOptions>",
            element("state", options.state),
            element("httpTokens", options.http_tokens),
            element("httpPutResponseHopLimit", options.http_put_response_hop_limit),
            element("httpEndpoint", options.http_endpoint),
            element("httpProtocolIpv6", options.http_protocol_ipv6),
            element("instanceMetadataTags", options.instance_metadata_tags),
            "</metadataOptions>",
            f"<operator>{element('managed', operator['Managed'])}{element('principal', operator.get('Principal'))}</operator>",
            "</item>",
        )
    )
