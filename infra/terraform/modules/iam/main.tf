# What an instance may do with the lock table: read and write the items of its leases,
# and ask what kind of table it is. No Scan, no Query, no delete. A table of suspended identities may be scanned.

data "aws_iam_policy_document" "lease" {
  statement {
    sid       = "ReadAndWriteTheLease"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = var.table_arns

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = var.lease_names
    }
  }

  # At start an instance refuses a table whose key or consistency is wrong.
  # The request names no item, so that it cannot carry the condition above.
  statement {
    sid       = "CheckTheTable"
    actions   = ["dynamodb:DescribeTable"]
    resources = var.table_arns
  }

  # Admiral's table of suspended identities, whose key may be any: it is scanned, and never written.
  dynamic "statement" {
    for_each = length(var.suspension_table_arns) > 0 ? [var.suspension_table_arns] : []

    content {
      sid       = "ReadTheSuspensions"
      actions   = ["dynamodb:Scan"]
      resources = statement.value
    }
  }
}

# IRSA: the service account's token is exchanged for the role.
locals {
  with_role = var.oidc_provider_arn != null
  issuer    = local.with_role ? split(":oidc-provider/", var.oidc_provider_arn)[1] : ""
}

data "aws_iam_policy_document" "trust" {
  count = local.with_role ? 1 : 0

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:${var.namespace}:${var.service_account}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "flagship" {
  count = local.with_role ? 1 : 0

  name               = var.name
  description        = "Flagship: the lease on ${join(", ", var.lease_names)}"
  assume_role_policy = data.aws_iam_policy_document.trust[0].json
  tags               = var.tags
}

resource "aws_iam_role_policy" "lease" {
  count = local.with_role ? 1 : 0

  name   = var.name
  role   = aws_iam_role.flagship[0].id
  policy = data.aws_iam_policy_document.lease.json
}
