variable "zone_id" {
  description = "ID of the hosted zone that holds the record."
  type        = string
}

variable "record_name" {
  description = "Name by which clients reach the active instance, such as flagship.example.com."
  type        = string
}

variable "routing" {
  description = "failover: exactly two Regions, one primary, by CNAME. multivalue: two to eight Regions, by address."
  type        = string
  default     = "failover"

  validation {
    condition     = contains(["failover", "multivalue"], var.routing)
    error_message = "routing must be failover or multivalue."
  }
}

variable "endpoints" {
  description = "By Region: host, the public name of the load balancer in front of Flagship; ip_address, its fixed public IPv4 address, for multivalue only."
  type = map(object({
    host       = string
    ip_address = optional(string)
  }))

  validation {
    condition     = var.routing != "failover" || length(var.endpoints) == 2
    error_message = "With routing = \"failover\" endpoints must name exactly two Regions; for more use \"multivalue\"."
  }

  validation {
    condition     = var.routing != "multivalue" || length(var.endpoints) >= 2 && length(var.endpoints) <= 8
    error_message = "With routing = \"multivalue\" endpoints must name two to eight Regions: Route53 answers with at most eight records."
  }

  validation {
    condition     = var.routing != "multivalue" || alltrue([for endpoint in values(var.endpoints) : can(cidrhost("${endpoint.ip_address}/32", 0))])
    error_message = "With routing = \"multivalue\" each endpoint needs an ip_address (IPv4): Route53 allows no CNAME there."
  }
}

variable "primary_region" {
  description = "Key of endpoints that is the PRIMARY of a failover record. The lease decides who is active; the primary counts only when both or none are healthy."
  type        = string
  default     = null

  validation {
    condition     = var.routing == "failover" ? contains(keys(var.endpoints), coalesce(var.primary_region, "none")) : var.primary_region == null
    error_message = "primary_region must be one of the Regions of endpoints with routing = \"failover\", and unset with \"multivalue\"."
  }
}

variable "protocol" {
  description = "Protocol of the health check: HTTPS or HTTP. Route53 does not verify certificates."
  type        = string
  default     = "HTTPS"

  validation {
    condition     = contains(["HTTP", "HTTPS"], var.protocol)
    error_message = "protocol must be HTTP or HTTPS."
  }
}

variable "port" {
  description = "Port of the health check. Null: 443 for HTTPS, 80 for HTTP."
  type        = number
  default     = null

  validation {
    condition     = var.port == null || coalesce(var.port, 1) >= 1 && coalesce(var.port, 1) <= 65535
    error_message = "port must be between 1 and 65535."
  }
}

variable "request_interval" {
  description = "Seconds between two requests of one health checker: 10 (fast, costs extra) or 30."
  type        = number
  default     = 10

  validation {
    condition     = contains([10, 30], var.request_interval)
    error_message = "request_interval must be 10 or 30: Route53 knows no others."
  }
}

variable "failure_threshold" {
  description = "Answers in a row that change a Region's state, in either direction."
  type        = number
  default     = 2

  validation {
    condition     = var.failure_threshold >= 1 && var.failure_threshold <= 10 && floor(var.failure_threshold) == var.failure_threshold
    error_message = "failure_threshold must be a whole number from 1 to 10."
  }
}

variable "ttl" {
  description = "Seconds for which resolvers may keep an answer; adds to the time that clients need to follow a takeover."
  type        = number
  default     = 10

  validation {
    condition     = var.ttl >= 1 && var.ttl <= 300
    error_message = "ttl must be from 1 to 300 seconds."
  }
}

variable "tags" {
  description = "Tags of the health checks."
  type        = map(string)
  default     = {}
}
