# One distribution for the page and its API, so that they are of one origin.

locals {
  headers = jsondecode(file("${path.module}/headers.json"))
  # CloudFront takes these in fields of their own and refuses them as custom headers.
  security_headers = [
    "content-security-policy", "referrer-policy", "strict-transport-security", "x-content-type-options", "x-frame-options",
  ]
  transport_security = local.headers["strict-transport-security"]
  transport_age      = tonumber(regex("max-age=([0-9]+)", local.transport_security)[0])

  # Policies of AWS have the same ids in every account.
  managed_caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  managed_all_viewer       = "216adef6-5c7f-47e4-b989-5492eafa07d3"
}

resource "aws_cloudfront_origin_access_control" "site" {
  name                              = var.name
  description                       = "The console's files, for its distribution alone."
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_function" "viewer_request" {
  name    = "${var.name}-viewer-request"
  comment = "Decides which file a path asks for."
  runtime = "cloudfront-js-2.0"
  code    = file("${path.module}/viewer-request.js")
  publish = true
}

# The publisher says with each file how long it may be kept. What comes without that is not kept at all.
resource "aws_cloudfront_cache_policy" "site" {
  name        = "${var.name}-site"
  comment     = "As long as each file says."
  min_ttl     = 0
  default_ttl = 0
  max_ttl     = 31536000

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true

    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "site" {
  name    = var.name
  comment = "What the server sends with every answer."

  security_headers_config {
    content_security_policy {
      content_security_policy = local.headers["content-security-policy"]
      override                = true
    }
    content_type_options {
      override = true
    }
    frame_options {
      frame_option = local.headers["x-frame-options"]
      override     = true
    }
    referrer_policy {
      referrer_policy = local.headers["referrer-policy"]
      override        = true
    }
    strict_transport_security {
      access_control_max_age_sec = local.transport_age
      include_subdomains         = true
      override                   = true
    }
  }

  custom_headers_config {
    dynamic "items" {
      for_each = { for name, value in local.headers : name => value if !contains(local.security_headers, name) }

      content {
        header   = items.key
        value    = items.value
        override = true
      }
    }

    # Every file and every answer of the API says how long it may be kept; a missing file says nothing, and nor do CloudFront's own
    # errors.
    items {
      header   = "cache-control"
      value    = "no-store"
      override = false
    }
  }

  lifecycle {
    # CloudFront has fields for these two in place of their text, and writes it itself.
    precondition {
      condition     = local.headers["x-content-type-options"] == "nosniff"
      error_message = "headers.json asks for an x-content-type-options other than nosniff, which CloudFront cannot send."
    }
    precondition {
      condition     = local.transport_security == "max-age=${local.transport_age}; includeSubDomains"
      error_message = "headers.json asks for a strict-transport-security other than max-age=N; includeSubDomains; set its other fields in distribution.tf."
    }
  }
}

resource "aws_cloudfront_distribution" "site" {
  comment         = "${var.name}: the console and its API"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class
  aliases         = var.domain_names
  web_acl_id      = var.web_acl_arn
  # The function names the shell for `/` too. Without it the bucket would answer `/` with the list of its keys.
  default_root_object = "index.html"
  tags                = var.tags

  origin {
    origin_id                = "site"
    domain_name              = aws_s3_bucket.site.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.site.id
  }

  origin {
    origin_id   = "api"
    domain_name = var.api_origin

    custom_origin_config {
      http_port                = 80
      https_port               = 443
      origin_protocol_policy   = "https-only"
      origin_ssl_protocols     = ["TLSv1.2"]
      origin_read_timeout      = var.api_read_timeout
      origin_keepalive_timeout = 60
    }
  }

  default_cache_behavior {
    target_origin_id           = "site"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = aws_cloudfront_cache_policy.site.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.site.id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.viewer_request.arn
    }
  }

  ordered_cache_behavior {
    path_pattern     = "/api/*"
    target_origin_id = "api"
    # A redirect would hide that something sent its token in the clear.
    viewer_protocol_policy = "https-only"
    allowed_methods        = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods         = ["GET", "HEAD"]
    # The server compresses, and says `no-transform`.
    compress        = false
    cache_policy_id = local.managed_caching_disabled
    # With the viewer's Host: the server answers to the console's name alone, and compares it with the page's origin. With the
    # origin's name that name would have to be allowed, and whoever knows it could go around the distribution.
    origin_request_policy_id   = local.managed_all_viewer
    response_headers_policy_id = aws_cloudfront_response_headers_policy.site.id
  }

  # No page is put in the place of an error, and none is remembered: a missing file would stay missing after it was published.
  dynamic "custom_error_response" {
    for_each = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504]

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = 0
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn            = var.certificate_arn
    cloudfront_default_certificate = var.certificate_arn == null
    ssl_support_method             = var.certificate_arn == null ? null : "sni-only"
    # With its own certificate CloudFront chooses, and sets TLSv1.
    minimum_protocol_version = var.certificate_arn == null ? "TLSv1" : "TLSv1.2_2021"
  }
}
