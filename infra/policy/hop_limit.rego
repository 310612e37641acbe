package tollgate.imds

# METADATA
# title: A hop limit over 2 needs a reason
# description: >-
#   Containers need two hops. Each further hop lets the answer travel beyond the instance's own network, so it has to be
#   explained in the tag imds:hop-limit-reason.
# custom:
#   rule: hop-limit
#   severity: medium
violations contains violation if {
	not gone
	not endpoint_off
	limit := input.MetadataOptions.HttpPutResponseHopLimit
	limit > 2
	not filled("imds:hop-limit-reason")
	violation := {
		"rule": "hop-limit",
		"severity": "medium",
		"message": sprintf("The hop limit is %d, and no tag imds:hop-limit-reason says why.", [limit]),
		"remediation": "Lower HttpPutResponseHopLimit to 2, or 1 without containers, or tag the instance with the reason.",
	}
}
