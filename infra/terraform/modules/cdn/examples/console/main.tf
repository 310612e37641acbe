# The console at its own name, with a role for the job that publishes it.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "publisher_role" {
  description = "Name of the role that continuous integration assumes to publish."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate in us-east-1 for the console's name."
  type        = string
}

provider "aws" {
  region = "eu-west-1"
}

provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

module "cdn" {
  source = "../.."

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  name            = "tollgate-prod"
  bucket_name     = "acme-tollgate-prod-site"
  api_origin      = "origin.tollgate.example.com"
  domain_names    = ["tollgate.example.com"]
  certificate_arn = var.certificate_arn
  tags            = { service = "tollgate" }
}

resource "aws_iam_role_policy" "publisher" {
  name   = "publish-console"
  role   = var.publisher_role
  policy = module.cdn.publisher_policy
}

output "publish" {
  description = "How continuous integration publishes."
  value       = "tollgate publish push target/site --bucket ${module.cdn.bucket} --distribution ${module.cdn.distribution_id}"
}
