# The lock table: one item per mesh, whose holder is the active instance.
#
# The lease is only as exclusive as the table is consistent: one Region, or a global
# table with multi-Region STRONG consistency. With eventual consistency two Regions can
# each win the same conditional write, so this module cannot create such a table.

data "aws_region" "current" {}

locals {
  home_region = data.aws_region.current.region
  global      = length(var.replica_regions) > 0
}

resource "aws_dynamodb_table" "lock" {
  name         = var.table_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "leaseName"

  deletion_protection_enabled = var.deletion_protection

  # As in the provider's own examples of such tables; nothing reads the stream.
  stream_enabled   = local.global
  stream_view_type = local.global ? "NEW_AND_OLD_IMAGES" : null

  attribute {
    name = "leaseName"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  dynamic "replica" {
    for_each = toset(var.replica_regions)

    content {
      region_name                 = replica.value
      consistency_mode            = "STRONG"
      deletion_protection_enabled = var.deletion_protection
      kms_key_arn                 = lookup(var.replica_kms_key_arns, replica.value, null)
      point_in_time_recovery      = true
      propagate_tags              = true
    }
  }

  dynamic "global_table_witness" {
    for_each = var.witness_region == null ? [] : [var.witness_region]

    content {
      region_name = global_table_witness.value
    }
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition     = !contains(concat(var.replica_regions, compact([var.witness_region])), local.home_region)
      error_message = "replica_regions and witness_region must not name ${local.home_region}: the table's own Region is the first of the three."
    }
  }
}

# Made once, released (no owner) and at epoch 0. From then on the item belongs to the
# instances. It carries no TTL attribute: the lease is its own time limit.
resource "aws_dynamodb_table_item" "lease" {
  for_each = var.lease_names

  table_name = aws_dynamodb_table.lock.name
  hash_key   = aws_dynamodb_table.lock.hash_key

  item = jsonencode({
    leaseName       = { S = each.value }
    leaseOwner      = { S = "" }
    epoch           = { N = "0" }
    version         = { S = "initial" }
    instanceId      = { S = "" }
    leaseDurationMs = { N = "0" }
    updatedTime     = { N = "0" }
  })

  lifecycle {
    # Without this every apply would put the lease back to "released, epoch 0".
    ignore_changes = [item]

    # A replaced item reads as released while its holder may still be writing.
    prevent_destroy = true
  }
}
