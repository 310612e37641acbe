output "bucket" {
  description = "The bucket that `tollgate publish push --bucket` writes to."
  value       = aws_s3_bucket.site.bucket
}

output "distribution_id" {
  description = "The distribution whose shell `tollgate publish push --distribution` invalidates."
  value       = aws_cloudfront_distribution.site.id
}

output "distribution_arn" {
  description = "ARN of the distribution."
  value       = aws_cloudfront_distribution.site.arn
}

output "domain_name" {
  description = "The distribution's own name: what an alias record of `domain_names` points at."
  value       = aws_cloudfront_distribution.site.domain_name
}

output "hosted_zone_id" {
  description = "Zone of `domain_name`, for alias records of Route 53."
  value       = aws_cloudfront_distribution.site.hosted_zone_id
}

output "log_group" {
  description = "Log group in us-east-1 that holds the access logs."
  value       = aws_cloudwatch_log_group.access.name
}

output "publisher_policy" {
  description = "Policy document (JSON) with all that the role of `tollgate publish` needs."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Files"
        Effect = "Allow"
        # A multipart upload that fails is given up, not left to be paid for.
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = "${aws_s3_bucket.site.arn}/*"
      },
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = aws_s3_bucket.site.arn
      },
      {
        Sid      = "Invalidate"
        Effect   = "Allow"
        Action   = ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"]
        Resource = aws_cloudfront_distribution.site.arn
      },
    ]
  })
}
