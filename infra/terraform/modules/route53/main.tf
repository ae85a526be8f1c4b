# A name that leads to the active instance. With checkifreadonly=true the active answers
# 200 and a passive 502, so that in the steady state exactly one Region is healthy.
#
# When no Region is healthy Route53 answers as if all were: a client that must not talk to
# a passive instance has to look at the header X-Flagship-State.

locals {
  port = var.port != null ? var.port : (var.protocol == "HTTPS" ? 443 : 80)
}

resource "aws_route53_health_check" "active" {
  for_each = var.endpoints

  type              = var.protocol
  fqdn              = each.value.host
  port              = local.port
  resource_path     = "/health/ready?checkifreadonly=true"
  enable_sni        = var.protocol == "HTTPS"
  request_interval  = var.request_interval
  failure_threshold = var.failure_threshold

  tags = merge({ Name = "flagship-${each.key}" }, var.tags)
}

resource "aws_route53_record" "active" {
  for_each = var.endpoints

  zone_id         = var.zone_id
  name            = var.record_name
  type            = var.routing == "failover" ? "CNAME" : "A"
  ttl             = var.ttl
  records         = [var.routing == "failover" ? each.value.host : each.value.ip_address]
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.active[each.key].id

  multivalue_answer_routing_policy = var.routing == "multivalue" ? true : null

  dynamic "failover_routing_policy" {
    for_each = var.routing == "failover" ? [each.key == var.primary_region ? "PRIMARY" : "SECONDARY"] : []

    content {
      type = failover_routing_policy.value
    }
  }
}
