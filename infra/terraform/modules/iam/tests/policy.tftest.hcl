# Run with: terraform init && terraform test. The provider is mocked: no AWS account is used.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }
}

variables {
  table_arns = [
    "arn:aws:dynamodb:eu-west-1:111122223333:table/admiral-lease",
    "arn:aws:dynamodb:eu-central-1:111122223333:table/admiral-lease",
  ]
}

run "policy_only" {
  command = plan

  assert {
    condition = toset(flatten(data.aws_iam_policy_document.lease.statement[*].actions)) == toset([
      "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DescribeTable",
    ])
    error_message = "The policy allows four actions."
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.lease.statement : toset(s.resources) == toset(var.table_arns)])
    error_message = "The policy is about the table in every Region and nothing else."
  }

  assert {
    condition     = length(aws_iam_role.flagship) == 0
    error_message = "Without an OIDC provider there is no role."
  }
}

run "suspensions_are_scanned_only" {
  command = plan

  variables {
    suspension_table_arns = ["arn:aws:dynamodb:eu-west-1:111122223333:table/admiral-ignore-identity-state"]
  }

  assert {
    condition = alltrue([
      for s in data.aws_iam_policy_document.lease.statement : toset(s.actions) == toset(["dynamodb:Scan"])
      if toset(s.resources) == toset(var.suspension_table_arns)
    ]) && contains(flatten(data.aws_iam_policy_document.lease.statement[*].actions), "dynamodb:Scan")
    error_message = "The table of suspended identities may be scanned, and nothing else."
  }
}

run "role_for_a_service_account" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
  }

  assert {
    condition = toset([for c in data.aws_iam_policy_document.trust[0].statement[0].condition : c.variable]) == toset([
      "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE:sub",
      "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE:aud",
    ])
    error_message = "The role trusts one subject and one audience of the cluster's issuer."
  }
}

run "wildcard_table_is_refused" {
  command = plan

  variables {
    table_arns = ["arn:aws:dynamodb:eu-west-1:111122223333:table/*"]
  }

  expect_failures = [var.table_arns]
}

run "wildcard_namespace_is_refused" {
  command = plan

  variables {
    namespace = "*"
  }

  expect_failures = [var.namespace]
}
