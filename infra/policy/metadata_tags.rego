package tollgate.imds

# Accounts are listed in the configuration (policy.regulated_accounts), or an instance is tagged on its own.
regulated if input.OwnerId in data.tollgate.config.regulated_accounts

regulated if tags.compliance == "regulated"

# METADATA
# title: Regulated instances do not expose their tags
# description: >-
#   With InstanceMetadataTags on, every process on the instance can read all of its tags, which in regulated accounts name
#   customers, owners and data classes.
# custom:
#   rule: metadata-tags
#   severity: low
violations contains violation if {
	not gone
	regulated
	not endpoint_off
	not input.MetadataOptions.InstanceMetadataTags == "disabled"
	violation := {
		"rule": "metadata-tags",
		"severity": "low",
		"message": "Instance tags are readable through the metadata service, or EC2 did not report whether they are.",
		"remediation": "Set InstanceMetadataTags to disabled.",
	}
}
