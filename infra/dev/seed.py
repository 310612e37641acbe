"""The fleet of the local AWS: the same instances, names and options at every start, with times counted back from now.

Two accounts, 111111111111 (prod) and 222222222222 (sandbox), in three regions each. What the product must tell apart occurs:
instances that use IMDSv1, that only allow it (quiet, with or without data), that enforce IMDSv2, whose change is pending, whose
endpoint is off, that are stopped or terminated, exempt (in time and expired), and managed by a service.
"""

import contextlib
import datetime
import hashlib
import random

from corrections.metrics import put_series

from moto.core.utils import utcnow
from moto.ec2 import ec2_backends
from moto.ec2.models.instances import Instance
from moto.moto_api._internal import mock_random

ACCOUNTS = {"111111111111": "prod", "222222222222": "sandbox"}
REGIONS = ["eu-west-1", "us-east-1", "ap-south-1"]
SIZES = {"none": 0, "dev": 300, "large": 1500}
DAYS = 14

# name, team, instance types, how it is run, share of the fleet
SERVICES = [
    ("checkout-web", "payments", ["m7g.large", "m7g.xlarge"], "group", 12),
    ("checkout-worker", "payments", ["c7g.large"], "group", 8),
    ("ledger-db", "payments", ["r7g.xlarge", "r7g.2xlarge"], "single", 5),
    ("search-api", "discovery", ["c7g.2xlarge"], "group", 9),
    ("search-index", "discovery", ["i4i.xlarge"], "single", 6),
    ("catalog-api", "discovery", ["m6i.large"], "group", 7),
    ("eks-node", "platform", ["c7g.2xlarge", "m7g.2xlarge"], "cluster", 22),
    ("edge-proxy", "network", ["t4g.small", "t4g.medium"], "group", 8),
    ("build-agent", "tools", ["c7i.large", "c7i.2xlarge"], "single", 9),
    ("batch-legacy", "data", ["c5.xlarge", "m5.large"], "single", 7),
    ("stream-ingest", "data", ["m6i.xlarge"], "group", 7),
    ("bastion", "network", ["t3.micro"], "single", 2),
]
SHARES = {"prod": (["prod"] * 8 + ["staging"]), "sandbox": (["dev"] * 3 + ["staging"])}


def plant(size, instances=None):
    """Fills the backends and says how many instances there are now."""
    count = SIZES[size] if instances is None else instances
    if count == 0:
        return 0
    mock_random.seed(20)
    dice = random.Random(20)
    now = utcnow().replace(minute=0, second=0, microsecond=0)
    places = [(account, region) for account in ACCOUNTS for region in REGIONS]
    weights = [6, 4, 3, 3, 2, 1] if size == "dev" else [1] * len(places)
    shares = [count * weight // sum(weights) for weight in weights]
    shares[0] += count - sum(shares)
    with without_disks(), images_looked_up_once():
        for (account, region), share in zip(places, shares):
            for index in range(share):
                plant_one(dice, now, account, region, index)
    return count


def plant_one(dice, now, account, region, index):
    alias = ACCOUNTS[account]
    if index < len(SHOWN):
        name, team, types, kind, _ = next(service for service in SERVICES if service[0] == SHOWN[index][0])
        facts = SHOWN[index][1]
    else:
        name, team, types, kind, _ = dice.choices(SERVICES, weights=[service[4] for service in SERVICES])[0]
        facts = draw(dice)
    environment = dice.choice(SHARES[alias])
    suffix = hashlib.sha256(f"{account}{region}{index}".encode()).hexdigest()[:4] if kind == "cluster" else index + 1
    tags = {"Name": f"{name}-{suffix}", "team": team, "env": environment, "service": name}
    if kind == "group":
        tags["aws:autoscaling:groupName"] = f"{name}-{environment}"
        tags["aws:ec2launchtemplate:id"] = "lt-" + hashlib.sha256(name.encode()).hexdigest()[:17]
        tags["aws:ec2launchtemplate:version"] = str(dice.randint(1, 12))
    if kind == "cluster":
        cluster = f"{environment}-{region}"
        tags["eks:cluster-name"] = cluster
        tags[f"kubernetes.io/cluster/{cluster}"] = "owned"
        tags["aws:autoscaling:groupName"] = f"eks-{cluster}-workers"
    if account == "111111111111" and team == "payments":
        tags["data-class"] = "regulated"
    if exemption := facts.get("exempt"):
        tags["imds:exempt-owner"] = f"{team}@example.com"
        tags["imds:exempt-until"] = (now + datetime.timedelta(days=exemption)).strftime("%Y-%m-%d")

    hop_limit = facts.get("hop_limit") or dice.choices([1, 2, 3], weights=[1, 8, 1] if kind == "cluster" else [9, 2, 0.4])[0]
    if hop_limit > 2 and dice.random() < 0.5:
        tags["imds:hop-limit-reason"] = "nested containers"
    backend = ec2_backends[account][region]
    reservation = backend.run_instances(
        "ami-" + hashlib.sha256(name.encode()).hexdigest()[:17],
        1,
        None,
        [],
        instance_type=dice.choice(types),
        is_instance_type_default=True,
        region_name=region,
        placement=region + dice.choice("ab"),
        tags={"instance": tags},
        client_token="",
        metadata_options={
            "HttpTokens": facts["tokens"],
            "HttpEndpoint": facts.get("endpoint", "enabled"),
            "HttpPutResponseHopLimit": hop_limit,
            "HttpProtocolIpv6": "disabled",
            "InstanceMetadataTags": "enabled" if tags.get("data-class") or dice.random() < 0.1 else "disabled",
        },
    )
    instance = reservation.instances[0]
    instance.architecture = "arm64" if instance.instance_type.split(".")[0].endswith("g") else "x86_64"
    instance.iam_instance_profile = {
        "Arn": f"arn:aws:iam::{account}:instance-profile/{name}",
        "Id": "AIPA" + hashlib.sha256(name.encode()).hexdigest()[:17].upper(),
    }
    age = datetime.timedelta(hours=dice.randint(2, 24 * 400))
    instance.launch_time = now - age
    state = facts.get("state", "running")
    if state != "running":
        instance.stop() if state == "stopped" else instance.terminate()
    if facts.get("pending"):
        instance.metadata_options.state = "pending"
        # A change that AWS has not applied yet stays in sight while the page is looked at.
        instance.metadata_options.describes_left = 40 if state == "running" else 0
    if facts.get("managed"):
        instance.operator = {"Managed": True, "Principal": "eks.amazonaws.com"}
    plant_usage(dice, now, account, region, instance, age, facts["usage"])


def plant_usage(dice, now, account, region, instance, age, usage):
    if usage == "none" or instance.state == "terminated":
        return
    days = min(DAYS, age.days + 1)
    if instance.state == "stopped":
        days = min(days, 4)
    silent = hours_of(now, days)
    if usage == "quiet":
        points = silent
    elif usage == "gaps":
        points = [point for point in silent if point[0].timetuple().tm_yday % 3]
    else:
        calls = {"used": 0.25, "busy": 0.9, "weekly": 0.01}[usage]
        points = [(at, float(dice.randint(1, 40)) if dice.random() < calls else 0.0) for at, _ in silent]
        last = len(points) - dice.randint(1, 12)
        points[max(last, 0)] = (points[max(last, 0)][0], float(dice.randint(1, 12)))
    put_series(account, region, "MetadataNoToken", instance.id, points)
    if instance.metadata_options.http_tokens == "required":
        put_series(account, region, "MetadataNoTokenRejected", instance.id, silent)


HOURS = {}


def hours_of(now, days):
    """One zero an hour; the list is shared by all quiet instances."""
    if (now, days) not in HOURS:
        HOURS[now, days] = [(now - datetime.timedelta(hours=hours), 0.0) for hours in range(days * 24, -1, -1)]
    return HOURS[now, days]


def draw(dice):
    """What an instance is like: roughly a fifth allow IMDSv1."""
    chance = dice.random()
    if chance < 0.20:
        facts = {"tokens": "optional", "usage": dice.choices(["used", "busy", "weekly", "quiet", "gaps", "none"], [4, 2, 2, 8, 2, 2])[0]}
        if dice.random() < 0.12:
            facts["exempt"] = dice.choice([-20, -3, 30, 120])
    elif chance < 0.25:
        facts = {"tokens": dice.choice(["optional", "required"]), "endpoint": "disabled", "usage": "none"}
    else:
        facts = {"tokens": "required", "usage": dice.choices(["quiet", "none"], [9, 1])[0]}
    if dice.random() < 0.02:
        facts["pending"] = True
    facts["state"] = dice.choices(["running", "stopped", "terminated"], [88, 9, 3])[0]
    return facts


# The first instances of each account and region, so that every case is there, however small the fleet.
SHOWN = [
    ("checkout-web", {"tokens": "required", "usage": "quiet"}),
    ("checkout-web", {"tokens": "optional", "usage": "busy"}),
    ("checkout-web", {"tokens": "optional", "usage": "quiet"}),
    ("eks-node", {"tokens": "optional", "usage": "quiet", "hop_limit": 2}),
    ("batch-legacy", {"tokens": "optional", "usage": "none"}),
    ("ledger-db", {"tokens": "required", "usage": "quiet", "pending": True}),
    ("build-agent", {"tokens": "optional", "usage": "gaps", "state": "stopped"}),
    ("edge-proxy", {"tokens": "optional", "usage": "none", "endpoint": "disabled"}),
    ("eks-node", {"tokens": "optional", "usage": "quiet", "hop_limit": 2, "managed": True}),
    ("build-agent", {"tokens": "optional", "usage": "used", "exempt": 10}),
    ("batch-legacy", {"tokens": "optional", "usage": "weekly", "exempt": -5}),
    ("stream-ingest", {"tokens": "required", "usage": "quiet", "hop_limit": 3}),
    ("search-index", {"tokens": "required", "usage": "none", "state": "terminated"}),
    ("build-agent", {"tokens": "required", "usage": "none", "state": "stopped", "pending": True}),
]


@contextlib.contextmanager
def without_disks():
    """A volume per instance costs more than the instance, and nothing reads it."""
    original = Instance.setup_defaults
    Instance.setup_defaults = lambda self: None
    try:
        yield
    finally:
        Instance.setup_defaults = original


@contextlib.contextmanager
def images_looked_up_once():
    """moto walks through all its images for each instance; none of ours is among them."""
    backend_class = type(ec2_backends["111111111111"]["eu-west-1"])
    original = backend_class.describe_images
    backend_class.describe_images = lambda self, *args, **kwargs: []
    try:
        yield
    finally:
        backend_class.describe_images = original
