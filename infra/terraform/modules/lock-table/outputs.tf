output "table_name" {
  description = "Name of the table, the same in every Region."
  value       = aws_dynamodb_table.lock.name
}

output "table_arn" {
  description = "ARN of the table in the provider's Region."
  value       = aws_dynamodb_table.lock.arn
}

output "table_arns" {
  description = "ARNs by Region, replicas included: what the iam module needs."
  value = merge(
    { (local.home_region) = aws_dynamodb_table.lock.arn },
    { for replica in aws_dynamodb_table.lock.replica : replica.region_name => replica.arn },
  )
}

output "regions" {
  description = "Regions where the table can be read and written; the provider's own first. A witness is none of them."
  value       = concat([local.home_region], var.replica_regions)
}

output "lease_names" {
  description = "Names of the leases that have an item."
  value       = [for name, item in aws_dynamodb_table_item.lease : name]
}
