# Run with: terraform init && terraform test. The provider is mocked: no AWS account is used.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = {
      region = "eu-west-1"
    }
  }
}

run "one_region" {
  command = plan

  assert {
    condition     = length(aws_dynamodb_table.lock.replica) == 0 && !aws_dynamodb_table.lock.stream_enabled
    error_message = "Without replica_regions the table has neither replicas nor a stream."
  }

  assert {
    condition     = aws_dynamodb_table.lock.deletion_protection_enabled && aws_dynamodb_table.lock.hash_key == "leaseName"
    error_message = "The table is protected and keyed by leaseName."
  }

  assert {
    condition     = jsondecode(aws_dynamodb_table_item.lease["flagship"].item).leaseOwner.S == ""
    error_message = "The item starts as released."
  }

  assert {
    condition     = jsondecode(aws_dynamodb_table_item.lease["flagship"].item).epoch.N == "0"
    error_message = "The item starts at epoch 0."
  }
}

run "two_replicas" {
  command = plan

  variables {
    replica_regions = ["eu-central-1", "eu-west-2"]
  }

  assert {
    condition     = alltrue([for replica in aws_dynamodb_table.lock.replica : replica.consistency_mode == "STRONG"])
    error_message = "Every replica is strongly consistent."
  }

  assert {
    condition     = output.regions == ["eu-west-1", "eu-central-1", "eu-west-2"]
    error_message = "All three Regions can be used."
  }
}

run "replica_and_witness" {
  command = plan

  variables {
    replica_regions = ["eu-central-1"]
    witness_region  = "eu-west-2"
  }

  assert {
    condition     = aws_dynamodb_table.lock.global_table_witness[0].region_name == "eu-west-2"
    error_message = "The witness is the third Region."
  }

  assert {
    condition     = output.regions == ["eu-west-1", "eu-central-1"]
    error_message = "A witness cannot be read or written."
  }
}

run "two_regions_are_refused" {
  command = plan

  variables {
    replica_regions = ["eu-central-1"]
  }

  expect_failures = [var.replica_regions]
}

run "four_regions_are_refused" {
  command = plan

  variables {
    replica_regions = ["eu-central-1", "eu-west-2"]
    witness_region  = "eu-west-3"
  }

  expect_failures = [var.replica_regions]
}

run "own_region_as_replica_is_refused" {
  command = plan

  variables {
    replica_regions = ["eu-west-1", "eu-west-2"]
  }

  expect_failures = [aws_dynamodb_table.lock]
}

run "replica_as_witness_is_refused" {
  command = plan

  variables {
    replica_regions = ["eu-west-2"]
    witness_region  = "eu-west-2"
  }

  expect_failures = [var.replica_regions]
}

run "replica_without_key_is_refused" {
  command = plan

  variables {
    replica_regions = ["eu-central-1", "eu-west-2"]
    kms_key_arn     = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000001"
    replica_kms_key_arns = {
      eu-central-1 = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000002"
    }
  }

  expect_failures = [var.replica_kms_key_arns]
}
