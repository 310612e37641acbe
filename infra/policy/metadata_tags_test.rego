package tollgate.imds_test

import data.tollgate.imds

test_tags_may_be_exposed_elsewhere if {
	broken(with_options({"InstanceMetadataTags": "enabled"})) == set()
}

test_a_regulated_account_exposes_no_tags if {
	exposed := with_options({"InstanceMetadataTags": "enabled"})
	found := imds.violations with input as exposed
		with data.tollgate.config as {"regulated_accounts": ["111111111111"]}
	{violation.rule | some violation in found} == {"metadata-tags"}
}

test_another_account_is_not_regulated if {
	exposed := with_options({"InstanceMetadataTags": "enabled"})
	found := imds.violations with input as exposed
		with data.tollgate.config as {"regulated_accounts": ["222222222222"]}
	found == set()
}

test_a_tag_makes_an_instance_regulated if {
	broken(with_tags({"InstanceMetadataTags": "enabled"}, {"compliance": "regulated"})) == {"metadata-tags"}
	broken(with_tags({"InstanceMetadataTags": "disabled"}, {"compliance": "regulated"})) == set()
}

test_an_unreported_setting_is_not_disabled if {
	options := object.remove(good.MetadataOptions, ["InstanceMetadataTags"])
	unreported := object.union(object.remove(good, ["MetadataOptions"]), {
		"MetadataOptions": options,
		"Tags": [{"Key": "compliance", "Value": "regulated"}],
	})
	broken(unreported) == {"metadata-tags"}
}

test_nothing_is_exposed_when_the_endpoint_is_off if {
	options := {"InstanceMetadataTags": "enabled", "HttpEndpoint": "disabled"}
	broken(with_tags(options, {"compliance": "regulated"})) == set()
}
