variable "name" {
  description = "Name of everything the module makes, such as `tollgate-prod`; one per installation in an account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,31}$", var.name))
    error_message = "name has 2 to 32 characters, begins with a letter and holds lower-case letters, digits and hyphens only."
  }
}

variable "bucket_name" {
  description = "Name of the bucket. Bucket names are unique over all accounts, so it often needs more than `name`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name has 3 to 63 lower-case letters, digits and hyphens. Dots would break TLS to the bucket."
  }
}

variable "api_origin" {
  description = "Domain name at which `tollgate serve` is reached over HTTPS, such as its load balancer's; no scheme, port or path."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.api_origin))
    error_message = "api_origin is a domain name alone, such as origin.tollgate.example.com."
  }
}

variable "api_read_timeout" {
  description = "Seconds that the API may stay silent. Over 60 the account's quota must have been raised; the server gives up after 90."
  type        = number
  default     = 60

  validation {
    condition     = 20 <= var.api_read_timeout && var.api_read_timeout <= 180 && floor(var.api_read_timeout) == var.api_read_timeout
    error_message = "api_read_timeout is a whole number from 20 to 180. The event stream sends a sign of life every 15 seconds."
  }
}

variable "domain_names" {
  description = "Names of the console. Without any it is reached at the distribution's own name."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for domain in var.domain_names : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", domain))])
    error_message = "domain_names are domain names such as tollgate.example.com, without wildcards."
  }

  validation {
    condition     = !contains(var.domain_names, var.api_origin)
    error_message = "api_origin is one of domain_names: the distribution would ask itself."
  }
}

variable "certificate_arn" {
  description = "Certificate in us-east-1 for `domain_names`; needed where there are any."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z-]+:acm:us-east-1:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn names a certificate of ACM in us-east-1, the only region that CloudFront takes one from."
  }

  validation {
    condition     = (var.certificate_arn == null) == (length(var.domain_names) == 0)
    error_message = "certificate_arn and domain_names go together: give both or neither."
  }
}

variable "price_class" {
  description = "Edge locations that are used."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class is PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "web_acl_arn" {
  description = "Web ACL (WAFv2, scope CLOUDFRONT) in front of the distribution."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex("^arn:[a-z-]+:wafv2:us-east-1:[0-9]{12}:global/webacl/.+$", var.web_acl_arn))
    error_message = "web_acl_arn names a web ACL of the scope CLOUDFRONT."
  }
}

variable "noncurrent_days" {
  description = "Days for which an overwritten or deleted object can be restored."
  type        = number
  default     = 30

  validation {
    condition     = 1 <= var.noncurrent_days && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days is a whole number of at least 1."
  }
}

variable "force_destroy" {
  description = "Whether destroying the bucket deletes what is in it."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days for which access logs are kept in CloudWatch Logs."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days is one of the periods of CloudWatch Logs: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731."
  }
}

variable "log_bucket_arn" {
  description = "Bucket that gets the access logs as well; its policy lets delivery.logs.amazonaws.com write."
  type        = string
  default     = null

  validation {
    condition     = var.log_bucket_arn == null || can(regex("^arn:[a-z-]+:s3:::[^/]+$", var.log_bucket_arn))
    error_message = "log_bucket_arn is the ARN of a bucket, without a path."
  }
}

variable "alarm_actions" {
  description = "What alarms notify when they go off and when they end: SNS topics in us-east-1."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for action in var.alarm_actions : can(regex("^arn:[a-z-]+:sns:us-east-1:[0-9]{12}:.+$", action))])
    error_message = "alarm_actions are ARNs of SNS topics in us-east-1, where CloudFront's metrics are."
  }
}

variable "alarm_thresholds" {
  description = "When alarms go off: percent of answers that are 5xx, milliseconds of the origins' 95th percentile, missing release files in fifteen minutes."
  type = object({
    server_error_percent  = optional(number, 1)
    origin_latency_ms     = optional(number, 3000)
    missing_release_files = optional(number, 5)
  })
  default = {}

  validation {
    condition     = alltrue([for threshold in values(var.alarm_thresholds) : 0 < threshold])
    error_message = "alarm_thresholds are above 0; at 0 an alarm would never end."
  }
}

variable "tags" {
  description = "Tags of everything that can be tagged."
  type        = map(string)
  default     = {}
}
