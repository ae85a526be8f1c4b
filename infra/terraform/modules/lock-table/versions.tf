terraform {
  # 1.9: a variable's validation may look at other variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.22: first version with the global_table_witness block.
      version = ">= 6.22, < 7.0"
    }
  }
}
