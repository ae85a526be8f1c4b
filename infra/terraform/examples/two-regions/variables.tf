variable "home_region" {
  description = "Region of the lock table, and the primary of the DNS record. One of the keys of clusters."
  type        = string
  default     = "eu-west-1"
}

variable "clusters" {
  description = "By Region: host, the public name of Flagship's load balancer; oidc_provider_arn, the IAM OIDC provider of the EKS cluster."
  type = map(object({
    host              = string
    oidc_provider_arn = string
  }))

  validation {
    condition     = length(var.clusters) == 2 && contains(keys(var.clusters), var.home_region)
    error_message = "clusters must name two Regions, home_region among them."
  }
}

variable "zone_id" {
  description = "ID of the hosted zone for the record."
  type        = string
}

variable "record_name" {
  description = "Name by which clients reach the active instance."
  type        = string
}
