//! The lease item in a DynamoDB table.
//!
//! Invariant: only GetItem with a consistent read and UpdateItem with a condition (plus DescribeTable at start);
//! nothing on the lease path writes unconditionally, and the SDK never repeats a request by itself, so that every
//! packet that may take effect is one that the protocol knows of (rule 4).

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeyType, MultiRegionConsistency, ReturnValue, ReturnValuesOnConditionCheckFailure, TableDescription,
};
use futures::future::BoxFuture;

use super::{CheckError, LeaseStore};
use crate::lease::record::{Attribute, LEASE_NAME, RawItem};
use crate::lease::{Outcome, RequestKind, Write};

pub(crate) mod client;
pub(crate) mod condition;
mod error;

pub(crate) use error::brief;

/// How to reach the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamoDbOptions {
    /// Table name.
    pub table: String,
    /// The item's key.
    pub lease_name: String,
    /// Region of the table; by default the SDK's own search (AWS_REGION, profile, instance metadata).
    pub region: Option<String>,
    /// Role to assume on top of the SDK's own credentials.
    pub assume_role: Option<String>,
    /// Bound on one call, from connecting to the last byte.
    pub request_timeout: Duration,
    /// Accept a global table with eventual consistency, although it cannot keep the promises.
    pub allow_eventual_table: bool,
}

/// A lease item in DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoDbStore {
    client: Client,
    options: DynamoDbOptions,
}

impl DynamoDbStore {
    /// Prepares a client of its own for the lease path. Makes no request yet.
    pub async fn connect(options: DynamoDbOptions) -> Self {
        let access = client::Access {
            region: options.region.clone(),
            assume_role: options.assume_role.clone(),
            request_timeout: options.request_timeout,
            session: "flagship-lease",
        };
        let client = client::connect(&access).await;
        Self { client, options }
    }

    /// A store that uses a client made elsewhere. Its retries must be off and its calls bounded in time.
    pub fn with_client(client: Client, options: DynamoDbOptions) -> Self {
        Self { client, options }
    }

    /// The client, for the set-up of tables.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The options that it was made with.
    pub(super) fn options(&self) -> &DynamoDbOptions {
        &self.options
    }

    async fn read(&self) -> Outcome {
        let request = self
            .client
            .get_item()
            .table_name(&self.options.table)
            .key(LEASE_NAME, AttributeValue::S(self.options.lease_name.clone()))
            .consistent_read(true);
        match request.send().await {
            Ok(output) => Outcome::Read(output.item.map(raw)),
            Err(error) => Outcome::Unknown(format!("reading {}: {}", self.describe(), brief(&error))),
        }
    }

    async fn write(&self, write: &Write) -> Outcome {
        let expression = condition::Expression::new(write);
        let request = self
            .client
            .update_item()
            .table_name(&self.options.table)
            .key(LEASE_NAME, AttributeValue::S(self.options.lease_name.clone()))
            .update_expression(expression.update)
            .condition_expression(expression.condition)
            .set_expression_attribute_names(Some(expression.names))
            .set_expression_attribute_values(Some(expression.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(output) => Outcome::Applied(raw(output.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Outcome::ConditionFailed(failed.item.clone().map(raw))
                }
                // Also where the service says that it did nothing: taking that for unknown is always safe.
                _ => Outcome::Unknown(format!("writing {}: {}", self.describe(), brief(&error))),
            },
        }
    }

    async fn check_table(&self) -> Result<(), CheckError> {
        let table = &self.options.table;
        if self.client.config().region().is_none() {
            return Err(CheckError::Refused(format!(
                "no AWS Region is known for table `{table}`; set AWS_REGION or --lease-region"
            )));
        }
        let answer = self.client.describe_table().table_name(table).send().await;
        let description = match answer {
            Ok(output) => output.table.unwrap_or_else(|| TableDescription::builder().build()),
            Err(error) => return Err(unchecked(table, &error)),
        };
        judge_table(table, &description, self.options.allow_eventual_table)
    }
}

impl LeaseStore for DynamoDbStore {
    fn describe(&self) -> String {
        format!("DynamoDB table {}, item {}", self.options.table, self.options.lease_name)
    }

    fn execute<'a>(&'a self, request: &'a RequestKind) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match request {
                RequestKind::Read => self.read().await,
                RequestKind::Write(write) => self.write(write).await,
            }
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        Box::pin(self.check_table())
    }
}

/// Rule 6: the right key, and one linearizable copy of the truth.
fn judge_table(table: &str, description: &TableDescription, allow_eventual: bool) -> Result<(), CheckError> {
    let keys: Vec<String> = description
        .key_schema()
        .iter()
        .map(|key| {
            let kind = if key.key_type() == &KeyType::Hash { "partition" } else { "sort" };
            format!("{kind} key `{}`", key.attribute_name())
        })
        .collect();
    if keys != [format!("partition key `{LEASE_NAME}`")] {
        return Err(CheckError::Refused(format!(
            "table `{table}` has {}; the lease needs exactly the partition key `{LEASE_NAME}` (S): choose another \
             --lease-table or create it with infra/terraform/modules/lock-table",
            if keys.is_empty() { "no key".to_owned() } else { keys.join(" and ") }
        )));
    }
    let replicas: Vec<&str> = description.replicas().iter().filter_map(|replica| replica.region_name()).collect();
    let strong = description.multi_region_consistency() == Some(&MultiRegionConsistency::Strong);
    if replicas.is_empty() || strong {
        return Ok(());
    }
    let problem = format!(
        "table `{table}` is a global table with eventual consistency (replicas in {}): two Regions could both see the \
         lease as theirs",
        replicas.join(", ")
    );
    if allow_eventual {
        tracing::error!(
            "{problem}; running on it because of --allow-eventual-table: AT MOST ONE WRITER IS NOT PROMISED"
        );
        return Ok(());
    }
    Err(CheckError::Refused(format!(
        "{problem}; use a table in one Region, or a global table with multi-Region strong consistency \
         (variable `replica_regions` of infra/terraform/modules/lock-table), or accept two writers with \
         --allow-eventual-table"
    )))
}

type DescribeError = aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::describe_table::DescribeTableError>;

fn unchecked(table: &str, error: &DescribeError) -> CheckError {
    use aws_sdk_dynamodb::error::ProvideErrorMetadata;
    let service = error.as_service_error();
    if service.is_some_and(|e| e.is_resource_not_found_exception()) {
        return CheckError::Refused(format!(
            "table `{table}` does not exist in this account and Region; create it with \
             infra/terraform/modules/lock-table, or for a trial with `flagship lease init --create-table`"
        ));
    }
    let code = service.and_then(ProvideErrorMetadata::code);
    if code == Some("ValidationException") {
        return CheckError::Refused(format!("--lease-table `{table}` cannot be a table: {}", brief(error)));
    }
    if code == Some("AccessDeniedException") {
        return CheckError::Refused(format!(
            "no right to describe table `{table}`, so that its key and consistency cannot be checked; grant \
             dynamodb:DescribeTable (infra/terraform/modules/iam does): {}",
            brief(error)
        ));
    }
    CheckError::Unreachable(format!("checking table `{table}`: {}", brief(error)))
}

fn raw(item: HashMap<String, AttributeValue>) -> RawItem {
    item.into_iter().map(|(name, value)| (name, attribute(value))).collect()
}

fn attribute(value: AttributeValue) -> Attribute {
    match value {
        AttributeValue::S(s) => Attribute::S(s),
        AttributeValue::N(n) => Attribute::N(n),
        AttributeValue::Bool(b) => Attribute::Bool(b),
        AttributeValue::B(_) => Attribute::Other("B".to_owned()),
        AttributeValue::Ss(_) => Attribute::Other("SS".to_owned()),
        AttributeValue::Ns(_) => Attribute::Other("NS".to_owned()),
        AttributeValue::Bs(_) => Attribute::Other("BS".to_owned()),
        AttributeValue::L(_) => Attribute::Other("L".to_owned()),
        AttributeValue::M(_) => Attribute::Other("M".to_owned()),
        _ => Attribute::Other("NULL".to_owned()),
    }
}

#[cfg(test)]
mod tests;
