variable "table_name" {
  description = "Name of the table. Admiral's default, so that both can use the same one."
  type        = string
  default     = "admiral-lease"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "table_name must be 3 to 255 characters of letters, digits, '_', '-' and '.'."
  }
}

variable "lease_names" {
  description = "Leases to create, one item each: one per mesh. Leave out those that have an item already. A name cannot be removed again by Terraform (see the README)."
  type        = set(string)
  default     = ["flagship"]

  validation {
    condition     = alltrue([for name in var.lease_names : can(regex("^[A-Za-z0-9_.-]{1,255}$", name))])
    error_message = "Each of lease_names must be 1 to 255 characters of letters, digits, '_', '-' and '.'."
  }
}

variable "replica_regions" {
  description = "Further Regions of a global table with multi-Region strong consistency. Empty: a table in the provider's Region only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for region in var.replica_regions : can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]+$", region))])
    error_message = "Each of replica_regions must be the name of a Region, such as eu-central-1."
  }

  validation {
    condition     = length(distinct(var.replica_regions)) == length(var.replica_regions)
    error_message = "replica_regions names a Region twice."
  }

  validation {
    condition     = !contains(var.replica_regions, coalesce(var.witness_region, "none"))
    error_message = "witness_region must not be one of replica_regions."
  }

  validation {
    condition = (
      length(var.replica_regions) == 0 && var.witness_region == null ||
      length(var.replica_regions) == 1 && var.witness_region != null ||
      length(var.replica_regions) == 2 && var.witness_region == null
    )
    error_message = "Strong consistency needs exactly three Regions: give two replica_regions, or one and a witness_region. For a table in one Region give neither."
  }
}

variable "witness_region" {
  description = "Region that votes but holds no table that can be read or written; takes the place of the second replica."
  type        = string
  default     = null

  validation {
    condition     = var.witness_region == null || can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]+$", var.witness_region))
    error_message = "witness_region must be the name of a Region, such as eu-west-3."
  }
}

variable "kms_key_arn" {
  description = "ARN of a KMS key of your own in the provider's Region. Null: the AWS managed key aws/dynamodb."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias)."
  }
}

variable "replica_kms_key_arns" {
  description = "Key ARN per replica Region; needed for each of replica_regions when kms_key_arn is set, since a key serves one Region only."
  type        = map(string)
  default     = {}

  validation {
    condition = (
      toset(keys(var.replica_kms_key_arns)) ==
      toset(var.kms_key_arn == null ? [] : var.replica_regions)
    )
    error_message = "replica_kms_key_arns must name exactly the Regions of replica_regions when kms_key_arn is set, and be empty otherwise."
  }
}

variable "deletion_protection" {
  description = "Refuse the deletion of the table and its replicas. Leave it on: a deleted table stops every instance."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of the table; replicas get the same."
  type        = map(string)
  default     = {}
}
