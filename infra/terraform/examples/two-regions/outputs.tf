output "table_name" {
  description = "Table name, for Flagship's configuration."
  value       = module.lock_table.table_name
}

output "table_regions" {
  description = "Regions where an instance can reach the table; an instance takes the nearest."
  value       = module.lock_table.regions
}

output "role_arns" {
  description = "By Region: role for the annotation eks.amazonaws.com/role-arn of the service account."
  value       = { for region, iam in module.iam : region => iam.role_arn }
}

output "health_check_ids" {
  description = "By Region: ID of the Route53 health check."
  value       = module.route53.health_check_ids
}
