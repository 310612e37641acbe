package tollgate.imds_test

import data.tollgate.imds

# An instance that breaks no rule; the tests of each rule change what that rule looks at.
good := {
	"InstanceId": "i-0123456789abcdef0",
	"OwnerId": "111111111111",
	"Region": "eu-west-1",
	"now": "2026-06-15T10:00:00Z",
	"State": {"Code": 16, "Name": "running"},
	"MetadataOptions": {
		"State": "applied",
		"HttpTokens": "required",
		"HttpPutResponseHopLimit": 2,
		"HttpEndpoint": "enabled",
		"HttpProtocolIpv6": "disabled",
		"InstanceMetadataTags": "disabled",
	},
}

with_options(options) := object.union(good, {"MetadataOptions": options})

with_tags(options, tags) := object.union(with_options(options), {"Tags": [{"Key": key, "Value": value} |
	some key, value in tags
]})

broken(instance) := {violation.rule | some violation in imds.violations with input as instance}

messages(instance) := {violation.message | some violation in imds.violations with input as instance}

test_good_instance_breaks_nothing if {
	imds.violations == set() with input as good
}

test_violations_are_defined_without_any_input if {
	broken({}) == {"imdsv2-required"}
}

test_gone_instances_break_nothing if {
	every state in ["shutting-down", "terminated"] {
		gone := object.union(
			with_tags(
				{"HttpTokens": "optional", "HttpPutResponseHopLimit": 5, "InstanceMetadataTags": "enabled"},
				{"compliance": "regulated", "imds:exempt-owner": "ana"},
			),
			{"State": {"Name": state}},
		)
		broken(gone) == set()
	}
}

test_every_violation_has_the_documented_shape if {
	bad := with_tags(
		{"HttpTokens": "optional", "HttpPutResponseHopLimit": 5, "InstanceMetadataTags": "enabled"},
		{"compliance": "regulated", "imds:exempt-owner": "ana"},
	)
	found := imds.violations with input as bad
	{violation.rule | some violation in found} == {"imdsv2-required", "hop-limit", "exemption", "metadata-tags"}
	every violation in found {
		object.keys(violation) == {"rule", "severity", "message", "remediation"}
		violation.severity in {"critical", "high", "medium", "low", "info"}
		violation.message != ""
		violation.remediation != ""
	}
}
