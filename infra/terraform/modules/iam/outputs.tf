output "policy_json" {
  description = "The policy document, for a role or user of your own."
  value       = data.aws_iam_policy_document.lease.json
}

output "role_arn" {
  description = "ARN of the role, for the service account's annotation eks.amazonaws.com/role-arn; null without oidc_provider_arn."
  value       = one(aws_iam_role.flagship[*].arn)
}
