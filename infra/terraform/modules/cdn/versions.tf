terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
      # CloudFront writes its logs and its metrics there, wherever the bucket is.
      configuration_aliases = [aws.us_east_1]
    }
  }
}
