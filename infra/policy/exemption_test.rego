package tollgate.imds_test

# `now` is 2026-06-15 in the instance that is good.
exempted(tags) := with_tags({"HttpTokens": "optional"}, tags)

test_an_exemption_suspends_the_rule if {
	broken(exempted({"imds:exempt-owner": "ana", "imds:exempt-until": "2026-12-31"})) == set()
}

test_an_exemption_covers_its_last_day if {
	broken(exempted({"imds:exempt-owner": "ana", "imds:exempt-until": "2026-06-15"})) == set()
}

test_an_expired_exemption_suspends_nothing if {
	expired := exempted({"imds:exempt-owner": "ana", "imds:exempt-until": "2026-06-14"})
	broken(expired) == {"imdsv2-required", "exemption"}
	"The exemption expired at the end of 2026-06-14." in messages(expired)
}

test_an_exemption_needs_an_owner if {
	every tags in [
		{"imds:exempt-until": "2026-12-31"},
		{"imds:exempt-until": "2026-12-31", "imds:exempt-owner": " "},
	] {
		broken(exempted(tags)) == {"imdsv2-required", "exemption"}
		some message in messages(exempted(tags))
		contains(message, "no owner")
	}
}

test_an_exemption_needs_an_end if {
	endless := exempted({"imds:exempt-owner": "ana"})
	broken(endless) == {"imdsv2-required", "exemption"}
	some message in messages(endless)
	contains(message, "no end")
}

test_an_end_that_is_no_day_suspends_nothing if {
	every until in ["", "soon", "2027", "2027-1-1", "31-12-2027", "2027-13-01", "2027-02-30", "2027-01-01T00:00:00Z", "9999-12-31"] {
		malformed := exempted({"imds:exempt-owner": "ana", "imds:exempt-until": until})
		broken(malformed) == {"imdsv2-required", "exemption"}
		some message in messages(malformed)
		contains(message, "YYYY-MM-DD")
	}
}

test_without_a_clock_nothing_is_exempt if {
	timeless := object.remove(exempted({"imds:exempt-owner": "ana", "imds:exempt-until": "2026-12-31"}), ["now"])
	broken(timeless) == {"imdsv2-required"}
}

test_an_exemption_suspends_no_other_rule if {
	tags := {"imds:exempt-owner": "ana", "imds:exempt-until": "2026-12-31"}
	broken(with_tags({"HttpTokens": "optional", "HttpPutResponseHopLimit": 3}, tags)) == {"hop-limit"}
}

test_a_left_over_exemption_is_reported if {
	broken(with_tags({}, {"imds:exempt-owner": "ana", "imds:exempt-until": "2026-06-14"})) == {"exemption"}
}
