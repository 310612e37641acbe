"""How instances start, and where they may."""

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import instances as instance_models
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.responses.availability_zones_and_regions import AvailabilityZonesAndRegions

from .metadata import DEFAULTS, defaults_of


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
