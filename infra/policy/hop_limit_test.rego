package tollgate.imds_test

test_two_hops_need_no_reason if {
	every limit in [1, 2] {
		broken(with_options({"HttpPutResponseHopLimit": limit})) == set()
	}
}

test_more_hops_need_a_reason if {
	every limit in [3, 64] {
		broken(with_options({"HttpPutResponseHopLimit": limit})) == {"hop-limit"}
	}
	messages(with_options({"HttpPutResponseHopLimit": 3})) == {"The hop limit is 3, and no tag imds:hop-limit-reason says why."}
}

test_a_reason_is_enough if {
	broken(with_tags({"HttpPutResponseHopLimit": 3}, {"imds:hop-limit-reason": "nested VPN"})) == set()
}

test_a_blank_reason_is_none if {
	broken(with_tags({"HttpPutResponseHopLimit": 3}, {"imds:hop-limit-reason": "  "})) == {"hop-limit"}
}

test_hops_do_not_matter_when_the_endpoint_is_off if {
	broken(with_options({"HttpPutResponseHopLimit": 64, "HttpEndpoint": "disabled"})) == set()
}
