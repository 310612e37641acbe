package tollgate.imds_test

test_optional_tokens_break_the_rule if {
	broken(with_options({"HttpTokens": "optional"})) == {"imdsv2-required"}
}

test_an_endpoint_that_is_off_needs_no_tokens if {
	broken(with_options({"HttpTokens": "optional", "HttpEndpoint": "disabled"})) == set()
}

test_stopped_instances_are_judged_too if {
	stopped := object.union(with_options({"HttpTokens": "optional"}), {"State": {"Name": "stopped"}})
	broken(stopped) == {"imdsv2-required"}
}

test_missing_options_are_not_safe if {
	unreported := object.remove(good, ["MetadataOptions"])
	broken(unreported) == {"imdsv2-required"}
	some message in messages(unreported)
	contains(message, "did not report")
}

test_the_message_claims_no_more_than_is_known if {
	some known in messages(with_options({"HttpTokens": "optional"}))
	contains(known, "the metadata endpoint is on")
	options := object.remove(good.MetadataOptions, ["HttpTokens", "HttpEndpoint"])
	half := object.union(object.remove(good, ["MetadataOptions"]), {"MetadataOptions": object.union(
		options,
		{"HttpTokens": "optional"},
	)})
	some unknown in messages(half)
	contains(unknown, "did not report")
}

test_a_value_nobody_knows_is_not_safe if {
	broken(with_options({"HttpTokens": "preferred"})) == {"imdsv2-required"}
}
