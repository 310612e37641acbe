# What the module would make, with the provider's own schema and no AWS behind it.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn                         = "arn:aws:s3:::acme-site"
      bucket_regional_domain_name = "acme-site.s3.eu-west-1.amazonaws.com"
    }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { arn = "arn:aws:cloudfront::111111111111:distribution/E1EXAMPLE", id = "E1EXAMPLE" }
  }
  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws:cloudfront::111111111111:function/tollgate-viewer-request" }
  }
  mock_resource "aws_cloudfront_origin_access_control" {
    defaults = { id = "E2EXAMPLE" }
  }
  mock_resource "aws_cloudfront_response_headers_policy" {
    defaults = { id = "11111111-1111-1111-1111-111111111111" }
  }
  mock_resource "aws_cloudfront_cache_policy" {
    defaults = { id = "22222222-2222-2222-2222-222222222222" }
  }
}

mock_provider "aws" {
  alias = "us_east_1"

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:111111111111:log-group:tollgate" }
  }
  mock_resource "aws_cloudwatch_log_delivery_destination" {
    defaults = { arn = "arn:aws:logs:us-east-1:111111111111:delivery-destination:tollgate" }
  }
}

variables {
  name        = "tollgate"
  bucket_name = "acme-site"
  api_origin  = "origin.tollgate.example.com"
}

run "bucket_is_private" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.site.block_public_acls,
      aws_s3_bucket_public_access_block.site.block_public_policy,
      aws_s3_bucket_public_access_block.site.ignore_public_acls,
      aws_s3_bucket_public_access_block.site.restrict_public_buckets,
    ])
    error_message = "The bucket could be made public."
  }
  assert {
    condition     = aws_s3_bucket_ownership_controls.site.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Access lists are in force."
  }
  assert {
    condition     = aws_s3_bucket_versioning.site.versioning_configuration[0].status == "Enabled"
    error_message = "What is overwritten is lost."
  }
  assert {
    condition     = aws_cloudfront_origin_access_control.site.signing_behavior == "always"
    error_message = "The distribution asks the bucket unsigned."
  }
}

run "distribution_reads_releases_and_nothing_else" {
  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_s3_bucket_policy.site.policy).Statement : statement.Resource
      if statement.Effect == "Allow" && statement.Action == "s3:GetObject"
      ])) == toset(concat(["arn:aws:s3:::acme-site/index.html", "arn:aws:s3:::acme-site/pkg/*"],
    [for name in jsondecode(file("paths.json")).root_files : "arn:aws:s3:::acme-site/${name}"]))
    error_message = "The distribution may read something other than the shell, the root files and pkg/."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.site.policy).Statement :
      statement.Principal.Service == "cloudfront.amazonaws.com" &&
      statement.Condition.StringEquals["AWS:SourceArn"] == "arn:aws:cloudfront::111111111111:distribution/E1EXAMPLE"
      if statement.Effect == "Allow"
    ])
    error_message = "Somebody other than this distribution may read the bucket."
  }
  assert {
    condition = length([
      for statement in jsondecode(aws_s3_bucket_policy.site.policy).Statement : statement
      if statement.Effect == "Allow" && statement.Action == "s3:ListBucket" && statement.Resource == "arn:aws:s3:::acme-site"
    ]) == 1
    error_message = "A missing file would be 403 in place of 404."
  }
  assert {
    condition     = aws_cloudfront_distribution.site.default_root_object == "index.html"
    error_message = "The root could be answered with the list of the bucket's keys."
  }
}

run "files_go_through_the_function" {
  assert {
    condition     = one(aws_cloudfront_distribution.site.default_cache_behavior[0].function_association).event_type == "viewer-request"
    error_message = "Paths are not decided before the cache is asked."
  }
  assert {
    condition     = aws_cloudfront_function.viewer_request.code == file("viewer-request.js") && aws_cloudfront_function.viewer_request.publish
    error_message = "What is published is not what the tests ran."
  }
  assert {
    condition     = aws_cloudfront_function.viewer_request.runtime == "cloudfront-js-2.0"
    error_message = "The function is written for cloudfront-js-2.0."
  }
  assert {
    condition     = aws_cloudfront_cache_policy.site.min_ttl == 0 && aws_cloudfront_cache_policy.site.default_ttl == 0
    error_message = "The shell would be kept although it says no-cache."
  }
}

run "errors_stay_errors" {
  assert {
    condition = alltrue([
      for error in aws_cloudfront_distribution.site.custom_error_response :
      coalesce(error.response_page_path, "none") == "none" && error.error_caching_min_ttl == 0
    ])
    error_message = "An error is answered with a page, or remembered."
  }
  assert {
    condition     = contains([for error in aws_cloudfront_distribution.site.custom_error_response : error.error_code], 404)
    error_message = "A missing file would be remembered for ten seconds."
  }
  assert {
    condition = [
      for item in aws_cloudfront_response_headers_policy.site.custom_headers_config[0].items : [item.value, item.override]
      if item.header == "cache-control"
    ] == [["no-store", false]]
    error_message = "A missing file is not no-store, or files lose their own cache-control."
  }
}

run "headers_are_the_servers" {
  assert {
    condition = {
      for name, value in jsondecode(file("headers.json")) : name => value
      } == merge(
      {
        for item in aws_cloudfront_response_headers_policy.site.custom_headers_config[0].items : item.header => item.value
        if item.override
      },
      {
        for security in aws_cloudfront_response_headers_policy.site.security_headers_config : "content-security-policy" =>
        security.content_security_policy[0].content_security_policy if security.content_security_policy[0].override
      },
      {
        for security in aws_cloudfront_response_headers_policy.site.security_headers_config : "x-frame-options" =>
        security.frame_options[0].frame_option if security.frame_options[0].override
      },
      {
        for security in aws_cloudfront_response_headers_policy.site.security_headers_config : "referrer-policy" =>
        security.referrer_policy[0].referrer_policy if security.referrer_policy[0].override
      },
      {
        for security in aws_cloudfront_response_headers_policy.site.security_headers_config : "x-content-type-options" =>
        "nosniff" if security.content_type_options[0].override
      },
      {
        for security in aws_cloudfront_response_headers_policy.site.security_headers_config : "strict-transport-security" => join("", [
          "max-age=${security.strict_transport_security[0].access_control_max_age_sec}",
          security.strict_transport_security[0].include_subdomains ? "; includeSubDomains" : "",
        ]) if security.strict_transport_security[0].override
      },
    )
    error_message = "The distribution sends other headers than headers.json, which the server is held to."
  }
  assert {
    condition = alltrue([
      for behavior in concat(aws_cloudfront_distribution.site.default_cache_behavior, aws_cloudfront_distribution.site.ordered_cache_behavior) :
      behavior.response_headers_policy_id == aws_cloudfront_response_headers_policy.site.id
    ])
    error_message = "A behaviour sends none of the headers."
  }
}

run "api_is_passed_through" {
  assert {
    condition = [
      for behavior in aws_cloudfront_distribution.site.ordered_cache_behavior :
      [behavior.path_pattern, behavior.target_origin_id, behavior.viewer_protocol_policy, length(behavior.allowed_methods)]
    ] == [["/api/*", "api", "https-only", 7]]
    error_message = "The API has no behaviour of its own with all methods over HTTPS."
  }
  assert {
    # Managed-CachingDisabled and Managed-AllViewer.
    condition = [
      for behavior in aws_cloudfront_distribution.site.ordered_cache_behavior :
      [behavior.cache_policy_id, behavior.origin_request_policy_id]
    ] == [["4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "216adef6-5c7f-47e4-b989-5492eafa07d3"]]
    error_message = "Answers of the API are kept, or the server does not get the viewer's Host."
  }
  assert {
    condition = [
      for origin in aws_cloudfront_distribution.site.origin :
      [origin.domain_name, origin.custom_origin_config[0].origin_protocol_policy, origin.custom_origin_config[0].origin_ssl_protocols]
      if origin.origin_id == "api"
    ] == [["origin.tollgate.example.com", "https-only", toset(["TLSv1.2"])]]
    error_message = "The API is asked in the clear, or somewhere else."
  }
}

run "logs_hold_no_secrets" {
  assert {
    condition = length(setintersection(
      toset(aws_cloudwatch_log_delivery.group.record_fields),
      toset(["cs-uri-query", "cs(Cookie)", "cs(Referer)"]),
    )) == 0
    error_message = "Sign-in codes or sessions are logged."
  }
  assert {
    condition     = length(aws_cloudwatch_log_delivery.bucket) == 0
    error_message = "Logs go to a bucket that was not given."
  }
}

run "publisher_may_publish_and_nothing_else" {
  assert {
    condition = toset([
      for pair in flatten([
        for statement in jsondecode(output.publisher_policy).Statement : [
          for action in flatten([statement.Action]) : "${statement.Effect} ${action} ${statement.Resource}"
        ]
      ]) : pair
      ]) == toset([
      "Allow s3:AbortMultipartUpload arn:aws:s3:::acme-site/*",
      "Allow s3:DeleteObject arn:aws:s3:::acme-site/*",
      "Allow s3:GetObject arn:aws:s3:::acme-site/*",
      "Allow s3:PutObject arn:aws:s3:::acme-site/*",
      "Allow s3:ListBucket arn:aws:s3:::acme-site",
      "Allow cloudfront:CreateInvalidation arn:aws:cloudfront::111111111111:distribution/E1EXAMPLE",
      "Allow cloudfront:GetInvalidation arn:aws:cloudfront::111111111111:distribution/E1EXAMPLE",
    ])
    error_message = "The publisher's role may do more or less than publishing needs."
  }
}

run "own_names_and_a_log_bucket" {
  variables {
    domain_names    = ["tollgate.example.com"]
    certificate_arn = "arn:aws:acm:us-east-1:111111111111:certificate/11111111-1111-1111-1111-111111111111"
    log_bucket_arn  = "arn:aws:s3:::acme-logs"
  }

  assert {
    condition     = aws_cloudfront_distribution.site.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = "TLS older than 1.2 is spoken."
  }
  assert {
    condition     = length(aws_cloudwatch_log_delivery.bucket) == 1
    error_message = "The log bucket gets no logs."
  }
}

run "names_need_their_certificate" {
  command = plan

  variables {
    domain_names = ["tollgate.example.com"]
  }

  expect_failures = [var.certificate_arn]
}

run "a_certificate_of_another_region_is_refused" {
  command = plan

  variables {
    domain_names    = ["tollgate.example.com"]
    certificate_arn = "arn:aws:acm:eu-west-1:111111111111:certificate/11111111-1111-1111-1111-111111111111"
  }

  expect_failures = [var.certificate_arn]
}

run "an_origin_is_a_name_alone" {
  command = plan

  variables {
    api_origin = "https://origin.tollgate.example.com/api"
  }

  expect_failures = [var.api_origin]
}

run "the_distribution_does_not_ask_itself" {
  command = plan

  variables {
    domain_names    = ["tollgate.example.com"]
    certificate_arn = "arn:aws:acm:us-east-1:111111111111:certificate/11111111-1111-1111-1111-111111111111"
    api_origin      = "tollgate.example.com"
  }

  expect_failures = [var.domain_names]
}
