package tollgate.promotion_test

import data.tollgate.promotion

node(id, options, tags) := {
	"InstanceId": id,
	"MetadataOptions": options,
	"State": {"Name": "running"},
	"Tags": [{"Key": key, "Value": value} | some key, value in tags],
	"now": "2026-06-15T10:00:00Z",
}

required := node("i-1", {"HttpTokens": "required", "HttpEndpoint": "enabled"}, {})

optional := node("i-2", {"HttpTokens": "optional", "HttpEndpoint": "enabled"}, {})

off := node("i-3", {"HttpTokens": "optional", "HttpEndpoint": "disabled"}, {})

unreported := object.remove(node("i-4", {}, {}), ["MetadataOptions"])

exempted(until) := node("i-5", {"HttpTokens": "optional", "HttpEndpoint": "enabled"}, {
	"imds:exempt-owner": "ana",
	"imds:exempt-until": until,
})

asked(nodes) := {"service": "users", "environment": "prod", "tag": "1.4.2", "cluster": "prod", "known": true, "nodes": nodes}

denied(nodes) := messages if {
	messages := promotion.deny with input as asked(nodes)
}

test_safe_nodes_let_it_pass if {
	denied([required, off, exempted("2026-06-15")]) == set()
	count(promotion.unknown) == 0 with input as asked([required])
}

test_a_node_that_answers_imdsv1_refuses_it if {
	some message in denied([required, optional])
	contains(message, "Node i-2 of prod answers IMDSv1")
}

test_several_are_counted if {
	some message in denied([required, optional, unreported])
	startswith(message, "2 of 3 nodes of prod answer IMDSv1, i-2 among them")
}

test_what_is_not_reported_is_not_safe if count(denied([unreported])) == 1

test_an_expired_exemption_counts_for_nothing if count(denied([exempted("2026-06-14")])) == 1

test_no_node_is_unknown if {
	some message in promotion.unknown with input as asked([])
	startswith(message, "No node of prod is known")
}

test_old_knowledge_is_unknown if {
	some message in promotion.unknown with input as object.union(asked([required]), {"known": false})
	contains(message, "is old")
}
