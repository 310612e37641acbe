package tollgate.imds

owner_tag := "imds:exempt-owner"

until_tag := "imds:exempt-until"

# The last day of the exemption, where the tag holds a day of the calendar. Without it there is no exemption.
exempt_until := tags[until_tag] if {
	regex.match(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`, tags[until_tag])
	time.parse_rfc3339_ns(concat("", [tags[until_tag], "T00:00:00Z"]))
}

# Days written YYYY-MM-DD sort as they follow each other; the exemption covers its last day to the end, in UTC.
exempt if {
	filled(owner_tag)
	substring(input.now, 0, 10) <= exempt_until
}

exemption_problems contains sprintf("The exemption has no owner: the tag %s is missing or blank.", [owner_tag]) if {
	tags[until_tag]
	not filled(owner_tag)
}

exemption_problems contains sprintf("The exemption has no end: the tag %s is missing.", [until_tag]) if {
	tags[owner_tag]
	not tags[until_tag]
}

exemption_problems contains sprintf("The exemption's end is not a day written YYYY-MM-DD: %s is %q.", [until_tag, until]) if {
	until := tags[until_tag]
	not exempt_until
}

exemption_problems contains sprintf("The exemption expired at the end of %s.", [exempt_until]) if {
	substring(input.now, 0, 10) > exempt_until
}

# METADATA
# title: An exemption names its owner and a day in the future
# description: >-
#   The tags imds:exempt-owner and imds:exempt-until (YYYY-MM-DD) suspend the rule that requires IMDSv2 up to and
#   including that day. An exemption that is incomplete, unreadable or over suspends nothing and is reported here.
# custom:
#   rule: exemption
#   severity: medium
violations contains violation if {
	not gone
	some message in exemption_problems
	violation := {
		"rule": "exemption",
		"severity": "medium",
		"message": message,
		"remediation": "Require IMDSv2 and remove both tags, or renew them with an owner and a day in the future.",
	}
}
