# Two Regions, one EKS cluster with Flagship in each, the lock table in the first.
#
# If the table's Region fails, nobody can renew and the mesh stays as it is, unchanged,
# until the Region is back. To survive that too, make the table global: see below.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.22, < 7.0"
    }
  }
}

provider "aws" {
  region = var.home_region
}

module "lock_table" {
  source = "../../modules/lock-table"

  lease_names = ["flagship"]

  # Strongly consistent across Regions. It needs a third Region of the same set (US, Europe,
  # Asia Pacific), as a witness or as a second replica, and must be chosen before the table
  # is made: a table that holds items cannot be converted.
  #
  # replica_regions = ["eu-central-1"]
  # witness_region  = "eu-west-2"
}

# One role per cluster, because each cluster has an OIDC provider of its own.
module "iam" {
  source   = "../../modules/iam"
  for_each = var.clusters

  name              = "flagship-lease-${each.key}"
  table_arns        = values(module.lock_table.table_arns)
  lease_names       = module.lock_table.lease_names
  oidc_provider_arn = each.value.oidc_provider_arn
}

module "route53" {
  source = "../../modules/route53"

  zone_id        = var.zone_id
  record_name    = var.record_name
  primary_region = var.home_region
  endpoints      = { for region, cluster in var.clusters : region => { host = cluster.host } }
}
