package tollgate.imds

# Safe has to be shown: options that EC2 did not report are not safe.
v2_only if input.MetadataOptions.HttpTokens == "required"

v2_only if endpoint_off

# METADATA
# title: IMDSv2 is required, or the metadata endpoint is off
# description: >-
#   With optional tokens, any request forgery or open proxy on the instance can read the credentials of its role.
#   A valid exemption (see the exemption rule) suspends this rule until its date.
# custom:
#   rule: imdsv2-required
#   severity: high
violations contains violation if {
	not gone
	not v2_only
	not exempt
	violation := {
		"rule": "imdsv2-required",
		"severity": "high",
		"message": v1_message,
		"remediation": "Set HttpTokens to required once nothing on the instance uses IMDSv1, or turn the endpoint off.",
	}
}

default v1_message := "EC2 did not report both HttpTokens and HttpEndpoint, so IMDSv1 cannot be ruled out."

v1_message := "Tokens are optional and the metadata endpoint is on: IMDSv1 requests are answered." if {
	input.MetadataOptions.HttpTokens == "optional"
	input.MetadataOptions.HttpEndpoint == "enabled"
}
