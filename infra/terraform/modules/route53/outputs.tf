output "name" {
  description = "Name of the record."
  value       = var.record_name
}

output "health_check_ids" {
  description = "IDs of the health checks by Region, for alarms."
  value       = { for region, check in aws_route53_health_check.active : region => check.id }
}
