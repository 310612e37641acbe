# METADATA
# title: What the rules ask of an instance
# description: Shared by the rules of this package; nothing in this file is a violation by itself.
package tollgate.imds

# An instance that is gone, or going for good, has no metadata left to protect.
gone if input.State.Name in {"shutting-down", "terminated"}

endpoint_off if input.MetadataOptions.HttpEndpoint == "disabled"

tags := {tag.Key: tag.Value | some tag in input.Tags}

# A tag that is there but blank says nothing.
filled(key) if trim_space(tags[key]) != ""
