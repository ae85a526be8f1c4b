variable "name" {
  description = "Name of the role and of its policy; IAM is global, so it must be unique in the account."
  type        = string
  default     = "flagship-lease"

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 characters that IAM accepts in a role name."
  }
}

variable "table_arns" {
  description = "ARNs of the lock table in all its Regions (lock-table's table_arns, the values)."
  type        = list(string)

  validation {
    condition     = length(var.table_arns) > 0
    error_message = "table_arns must hold at least the ARN of one table."
  }

  validation {
    condition     = alltrue([for arn in var.table_arns : can(regex("^arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[A-Za-z0-9_.-]+$", arn))])
    error_message = "Each of table_arns must be the ARN of one table: no wildcard, index or stream."
  }
}

variable "lease_names" {
  description = "Leases that the instances may read and write."
  type        = set(string)
  default     = ["flagship"]

  validation {
    condition     = length(var.lease_names) > 0
    error_message = "lease_names must hold at least one name."
  }

  validation {
    condition     = alltrue([for name in var.lease_names : can(regex("^[A-Za-z0-9_.-]{1,255}$", name))])
    error_message = "Each of lease_names must be 1 to 255 characters of letters, digits, '_', '-' and '.'."
  }
}

variable "suspension_table_arns" {
  description = "ARNs of the table of suspended identities (--suspension-table), which instances scan; none by default."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.suspension_table_arns : can(regex("^arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[A-Za-z0-9_.-]+$", arn))])
    error_message = "Each of suspension_table_arns must be the ARN of one table: no wildcard, index or stream."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the IAM OIDC provider of the EKS cluster where Flagship runs. Null: no role, only the policy document."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must be the ARN of an IAM OIDC provider."
  }
}

variable "namespace" {
  description = "Kubernetes namespace of the service account."
  type        = string
  default     = "flagship"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be the name of one namespace, without wildcards."
  }
}

variable "service_account" {
  description = "Kubernetes service account that may take the role."
  type        = string
  default     = "flagship"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.service_account))
    error_message = "service_account must be the name of one service account, without wildcards."
  }
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
}
