# METADATA
# title: What keeps a promotion from nodes that answer IMDSv1
# description: >-
#   Asked before a tag comes to an environment. The input names the service, the environment, the tag and the cluster,
#   and holds the cluster's nodes as the other rules see instances; `known` says whether all of them were read lately.
#   Whatever is in `deny` or `unknown` refuses the promotion. A node with a valid exemption (see the exemption rule)
#   counts as safe until its date.
package tollgate.promotion

import data.tollgate.imds

# Safe has to be shown: options that EC2 did not report are not safe.
safe(node) if node.MetadataOptions.HttpTokens == "required"

safe(node) if node.MetadataOptions.HttpEndpoint == "disabled"

safe(node) if imds.exempt with input as node

unsafe := sort([node.InstanceId | some node in input.nodes; not safe(node)])

deny contains message if {
	count(unsafe) == 1
	message := sprintf("Node %s of %s answers IMDSv1: every pod on it may read the credentials of its role.", [unsafe[0], input.cluster])
}

deny contains message if {
	count(unsafe) > 1
	message := sprintf(
		"%d of %d nodes of %s answer IMDSv1, %s among them: every pod on them may read the credentials of their role.",
		[count(unsafe), count(input.nodes), input.cluster, unsafe[0]],
	)
}

unknown contains sprintf("No node of %s is known: see whether its account and region are read.", [input.cluster]) if {
	count(input.nodes) == 0
}

unknown contains sprintf("What is known of the nodes of %s is old: see why its account is not read.", [input.cluster]) if {
	not input.known
}
