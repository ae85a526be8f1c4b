# Run with: terraform init && terraform test. The provider is mocked: no AWS account is used.

mock_provider "aws" {}

variables {
  zone_id        = "Z0EXAMPLE"
  record_name    = "flagship.example.com"
  primary_region = "eu-west-1"
  endpoints = {
    eu-west-1    = { host = "flagship.eu-west-1.example.com" }
    eu-central-1 = { host = "flagship.eu-central-1.example.com" }
  }
}

run "failover" {
  command = plan

  assert {
    condition     = aws_route53_record.active["eu-west-1"].failover_routing_policy[0].type == "PRIMARY"
    error_message = "primary_region is PRIMARY."
  }

  assert {
    condition     = aws_route53_record.active["eu-central-1"].failover_routing_policy[0].type == "SECONDARY"
    error_message = "The other Region is SECONDARY."
  }

  assert {
    condition     = alltrue([for check in aws_route53_health_check.active : check.resource_path == "/health/ready?checkifreadonly=true" && check.port == 443])
    error_message = "The health check asks for the active instance."
  }
}

run "multivalue" {
  command = plan

  variables {
    routing        = "multivalue"
    primary_region = null
    endpoints = {
      eu-west-1    = { host = "a.example.com", ip_address = "192.0.2.1" }
      eu-central-1 = { host = "b.example.com", ip_address = "192.0.2.2" }
      eu-west-2    = { host = "c.example.com", ip_address = "192.0.2.3" }
    }
  }

  assert {
    condition     = alltrue([for record in aws_route53_record.active : record.type == "A" && record.multivalue_answer_routing_policy])
    error_message = "Multivalue records are A records."
  }
}

run "failover_with_three_regions_is_refused" {
  command = plan

  variables {
    endpoints = {
      eu-west-1    = { host = "a.example.com" }
      eu-central-1 = { host = "b.example.com" }
      eu-west-2    = { host = "c.example.com" }
    }
  }

  expect_failures = [var.endpoints]
}

run "failover_without_primary_is_refused" {
  command = plan

  variables {
    primary_region = null
  }

  expect_failures = [var.primary_region]
}

run "multivalue_without_address_is_refused" {
  command = plan

  variables {
    routing        = "multivalue"
    primary_region = null
  }

  expect_failures = [var.endpoints]
}

run "odd_interval_is_refused" {
  command = plan

  variables {
    request_interval = 15
  }

  expect_failures = [var.request_interval]
}
