# Access logs, and alarms on what a broken release or a broken API looks like from outside.

locals {
  # Without the query and the cookies: sign-in codes and sessions are in them.
  log_fields = [
    "date", "time", "x-edge-location", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "cs(User-Agent)",
    "x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol", "cs-protocol-version", "cs-bytes", "sc-bytes",
    "time-taken", "time-to-first-byte", "ssl-protocol", "ssl-cipher", "x-edge-response-result-type",
    "x-edge-detailed-result-type", "sc-content-type", "sc-content-len",
  ]

  distribution_dimensions = { DistributionId = aws_cloudfront_distribution.site.id, Region = "Global" }
}

resource "aws_cloudwatch_log_group" "access" {
  provider = aws.us_east_1
  # With this prefix CloudWatch needs no entry for each group in the region's resource policy, which is limited in size.
  name              = "/aws/vendedlogs/tollgate/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_cloudwatch_log_delivery_source" "access" {
  provider     = aws.us_east_1
  name         = var.name
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.site.arn
  tags         = var.tags
}

resource "aws_cloudwatch_log_delivery_destination" "group" {
  provider      = aws.us_east_1
  name          = "${var.name}-group"
  output_format = "json"
  tags          = var.tags

  delivery_destination_configuration {
    destination_resource_arn = aws_cloudwatch_log_group.access.arn
  }
}

resource "aws_cloudwatch_log_delivery" "group" {
  provider                 = aws.us_east_1
  delivery_source_name     = aws_cloudwatch_log_delivery_source.access.name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.group.arn
  record_fields            = local.log_fields
  tags                     = var.tags
}

resource "aws_cloudwatch_log_delivery_destination" "bucket" {
  count = var.log_bucket_arn == null ? 0 : 1

  provider      = aws.us_east_1
  name          = "${var.name}-bucket"
  output_format = "json"
  tags          = var.tags

  delivery_destination_configuration {
    destination_resource_arn = var.log_bucket_arn
  }
}

resource "aws_cloudwatch_log_delivery" "bucket" {
  count = var.log_bucket_arn == null ? 0 : 1

  provider                 = aws.us_east_1
  delivery_source_name     = aws_cloudwatch_log_delivery_source.access.name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.bucket[0].arn
  record_fields            = local.log_fields
  tags                     = var.tags

  # CloudWatch refuses two changes of one source at a time.
  depends_on = [aws_cloudwatch_log_delivery.group]
}

# CloudFront counts errors over all paths. A release with a file missing shows under pkg/ only, where nothing else is ever missing.
resource "aws_cloudwatch_log_metric_filter" "missing_release_files" {
  provider       = aws.us_east_1
  name           = "${var.name}-missing-release-files"
  log_group_name = aws_cloudwatch_log_group.access.name
  # Logs hold the status as text or as a number.
  pattern = join("", [
    "{ ($.cs-uri-stem = \"/pkg/*\") && ",
    "(($.sc-status = \"403\") || ($.sc-status = \"404\") || ($.sc-status = 403) || ($.sc-status = 404)) }",
  ])

  metric_transformation {
    namespace     = "Tollgate/CDN"
    name          = "${var.name}-missing-release-files"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "missing_release_files" {
  provider          = aws.us_east_1
  alarm_name        = "${var.name}-missing-release-files"
  alarm_description = "Pages ask for files under /pkg/ that are not there: a release that was not published whole, or pruned too early."
  namespace         = aws_cloudwatch_log_metric_filter.missing_release_files.metric_transformation[0].namespace
  metric_name       = aws_cloudwatch_log_metric_filter.missing_release_files.metric_transformation[0].name
  statistic         = "Sum"
  # Logs come minutes late, and a period that was looked at before they came would count nothing.
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm_thresholds.missing_release_files
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "server_errors" {
  provider            = aws.us_east_1
  alarm_name          = "${var.name}-server-errors"
  alarm_description   = "The API or the bucket fails, or cannot be reached from the edge."
  namespace           = "AWS/CloudFront"
  metric_name         = "5xxErrorRate"
  dimensions          = local.distribution_dimensions
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarm_thresholds.server_error_percent
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

# OriginLatency is one of the metrics that are counted on request only.
resource "aws_cloudfront_monitoring_subscription" "site" {
  distribution_id = aws_cloudfront_distribution.site.id

  monitoring_subscription {
    realtime_metrics_subscription_config {
      realtime_metrics_subscription_status = "Enabled"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "origin_latency" {
  provider            = aws.us_east_1
  alarm_name          = "${var.name}-origin-latency"
  alarm_description   = "The API or the bucket answers slowly."
  namespace           = "AWS/CloudFront"
  metric_name         = "OriginLatency"
  dimensions          = local.distribution_dimensions
  extended_statistic  = "p95"
  period              = 60
  evaluation_periods  = 10
  datapoints_to_alarm = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarm_thresholds.origin_latency_ms
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags

  depends_on = [aws_cloudfront_monitoring_subscription.site]
}
