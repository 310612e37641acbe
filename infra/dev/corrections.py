"""Where moto 5.2.5 answers otherwise than AWS documents, and what to answer instead.

Each correction names the fault beside it. The product is written against AWS; what only the emulator does is put right here.
"""

import base64
import collections
import datetime
import re
import threading
from xml.sax.saxutils import escape

from moto.cloudwatch import models as cloudwatch_models
from moto.cloudwatch.models import CloudWatchBackend, MetricDatum, cloudwatch_backends
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import utcnow
from moto.ec2 import ec2_backends
from moto.ec2 import utils as ec2_utils
from moto.ec2.exceptions import DryRunClientError, EC2ClientError, InvalidInstanceIdError
from moto.ec2.models import instances as instance_models
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses import EC2Response
from moto.ec2.responses.availability_zones_and_regions import AvailabilityZonesAndRegions
from moto.ec2.responses.instances import InstanceResponse
from moto.iam import models as iam_models
from moto.moto_server.werkzeug_app import MotoRequestHandler

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

TOKENS = {"optional", "required"}
SWITCH = {"enabled", "disabled"}


class Quiet(MotoRequestHandler):
    """One connection serves many calls, as AWS's do, and a line per call on the terminal hides what matters."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code="-", size="-"):
        pass


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


def apply():
    """Puts every correction in place. Called once, before the first request."""
    correct_calls()
    correct_accounts()
    correct_metadata_options()
    correct_metadata_defaults()
    correct_regions()
    correct_launch()
    correct_describe_instances()
    correct_metrics()


# Calls -----------------------------------------------------------------------------------------------------------------


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


# Metadata options ------------------------------------------------------------------------------------------------------


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


def described(instance):
    """Counts a description: a pending change of a running instance is applied after some of them."""
    options = instance.metadata_options
    if options.state == "pending" and instance.state == "running":
        if options.describes_left <= 0:
            options.state = "applied"
        options.describes_left -= 1


# Account-level defaults ------------------------------------------------------------------------------------------------

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


def correct_regions():
    # Fault: regions that the account has not opted into are listed though AllRegions was not asked for.
    def describe_regions(self):
        self.error_on_dryrun()
        everything = str(self._get_param("AllRegions", False)).lower() == "true"
        regions = self.ec2_backend.describe_regions(self._get_param("RegionNames", []))
        return ActionResult(
            {"Regions": [region for region in regions if everything or region.opt_in_status != "not-opted-in"]}
        )

    AvailabilityZonesAndRegions.describe_regions = describe_regions


def correct_launch():
    # Fault: an instance from a launch template starts with `optional`, whatever the template and the account say.
    original = InstanceBackend.run_instances

    def run_instances(self, image_id, count, user_data, security_group_names, **kwargs):
        asked = dict(kwargs.get("metadata_options") or {})
        template = {}
        if kwargs.get("launch_template"):
            template = self._get_template_from_args(kwargs["launch_template"]).data.get("MetadataOptions") or {}
        held = {name: value for name, value in defaults_of(self).items() if name in set(DEFAULTS.values())}
        options = {**held, **template, **asked}
        if options.get("HttpTokens") == "optional" and held.get("HttpTokensEnforced") == "enabled":
            raise EC2ClientError(
                "UnsupportedOperation", "httpTokensEnforced is enabled for the account in this Region: use IMDSv2."
            )
        kwargs["metadata_options"] = {**options, "State": "applied"}
        return original(self, image_id, count, user_data, security_group_names, **kwargs)

    instance_models.InstanceBackend.run_instances = run_instances


# DescribeInstances -----------------------------------------------------------------------------------------------------


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


# CloudWatch ------------------------------------------------------------------------------------------------------------


def series_of(backend):
    """Datapoints by (namespace, metric, dimensions): what was seeded, and what was put since it was last asked."""
    if not hasattr(backend, "series"):
        backend.series = {}
        backend.indexed = 0
    for datum in backend.metric_data[backend.indexed :]:
        key = series_key(datum.namespace, datum.name, {d.name: d.value for d in datum.dimensions})
        points = backend.series.setdefault(key, [])
        backend.series[key] = [*points, (datum.timestamp, getattr(datum, "value", None) or getattr(datum, "sum", 0.0))]
    backend.indexed = len(backend.metric_data)
    return backend.series


def series_key(namespace, metric, dimensions):
    return namespace, metric, frozenset(dimensions.items())


STATISTICS = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Average": lambda values: sum(values) / len(values),
}


def buckets(points, start, end, period):
    """Period start → values, oldest first."""
    found = {}
    for at, value in points:
        if start <= at < end:
            found.setdefault(int((at - start).total_seconds()) // period, []).append(value)
    return [(start + datetime.timedelta(seconds=index * period), found[index]) for index in sorted(found)]


def correct_metrics():
    # Fault: each query walks through every datapoint of the region once per period; 500 queries over two weeks take minutes.
    original_data = CloudWatchBackend.get_metric_data

    def get_metric_data(self, queries, start_time, end_time, scan_by="TimestampAscending"):
        if start_time >= end_time or not all("MetricStat" in query for query in queries):
            return original_data(self, queries, start_time, end_time, scan_by)
        series = series_of(self)
        results = []
        for query in queries:
            asked = query["MetricStat"]
            metric = asked["Metric"]
            dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])}
            points = series.get(series_key(metric["Namespace"], metric["MetricName"], dimensions), [])
            found = buckets(points, start_time.replace(microsecond=0), end_time, int(asked["Period"]))
            if scan_by == "TimestampDescending":
                found.reverse()
            if query.get("ReturnData", True):
                results.append(
                    {
                        "id": query["Id"],
                        "label": query.get("Label") or f"{metric['MetricName']} {asked['Stat']}",
                        "values": [STATISTICS[asked["Stat"]](values) for _, values in found],
                        "timestamps": [at for at, _ in found],
                        "status_code": "Complete",
                    }
                )
        return results

    def get_metric_statistics(
        self, namespace, metric_name, start_time, end_time, period, stats, dimensions, unit=None
    ):
        key = series_key(namespace, metric_name, {d["Name"]: d["Value"] for d in dimensions or []})
        answer = []
        for at, values in buckets(series_of(self).get(key, []), start_time.replace(microsecond=0), end_time, period):
            statistics = cloudwatch_models.Statistics(stats, at)
            statistics.metric_data = [MetricDatum(namespace, metric_name, value, [], at, "None") for value in values]
            statistics.unit = "None"
            answer.append(statistics)
        return answer

    original_filtered = CloudWatchBackend.get_filtered_metrics

    def get_filtered_metrics(self, metric_name, namespace, dimensions):
        found = original_filtered(self, metric_name, namespace, dimensions)
        known = {series_key(m.namespace, m.name, {d.name: d.value for d in m.dimensions}) for m in found}
        for key in series_of(self):
            datum = MetricDatum(
                key[0], key[1], 0.0, [{"Name": name, "Value": value} for name, value in sorted(key[2])], utcnow()
            )
            if key not in known and datum.filter(namespace, metric_name, dimensions, []):
                found.append(datum)
        return found

    CloudWatchBackend.get_metric_data = get_metric_data
    CloudWatchBackend.get_metric_statistics = get_metric_statistics
    CloudWatchBackend.get_filtered_metrics = get_filtered_metrics


def put_series(account, region, metric, instance_id, points):
    """Adds a whole series at once; points are shared between instances, never changed in place."""
    key = series_key("AWS/EC2", metric, {"InstanceId": instance_id})
    series_of(cloudwatch_backends[account][region])[key] = points


def forget_everything():
    STEERING.clear()
    for backends in (ec2_backends, cloudwatch_backends):
        for account in list(backends.values()):
            for backend in list(account.values()):
                backend.reset()
