//! Making the lease item, once: released, epoch 0 (rule 3).

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};

use super::dynamodb::{DynamoDbStore, brief};
use super::{CheckError, LeaseStore};
use crate::lease::record::{
    EPOCH, INSTANCE_ID, LEASE_DURATION_MS, LEASE_NAME, LEASE_OWNER, NOTES, UPDATED_TIME, VERSION,
};

/// What [`lease_item`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The item was made.
    Yes,
    /// There was one already; it was left alone.
    Existed,
}

/// Why the item or table could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The table is not fit for a lease.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A request failed.
    #[error("{what}: {message}")]
    Request {
        /// What was tried.
        what: String,
        /// What DynamoDB or the network said.
        message: String,
    },
}

/// Makes the item, unless there is one.
///
/// # Errors
/// When the table is missing or unfit, or the request fails.
pub async fn lease_item(store: &DynamoDbStore) -> Result<Created, InitError> {
    store.check().await?;
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let zero = || AttributeValue::N("0".to_owned());
    let options = store.options();
    let request = store
        .client()
        .put_item()
        .table_name(&options.table)
        .item(LEASE_NAME, text(&options.lease_name))
        .item(LEASE_OWNER, text(""))
        .item(INSTANCE_ID, text(""))
        .item(VERSION, text(&uuid::Uuid::new_v4().to_string()))
        .item(EPOCH, zero())
        .item(LEASE_DURATION_MS, zero())
        .item(UPDATED_TIME, zero())
        .item(NOTES, text("created by flagship lease init"))
        .condition_expression("attribute_not_exists(#key)")
        .expression_attribute_names("#key", LEASE_NAME);
    match request.send().await {
        Ok(_) => Ok(Created::Yes),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Created::Existed),
            _ => Err(InitError::Request {
                what: format!("creating the lease item in {}", store.describe()),
                message: brief(&error),
            }),
        },
    }
}

/// Makes the table, unless there is one: for trials and tests. Production tables come from Terraform.
///
/// # Errors
/// When the request fails.
pub async fn lease_table(store: &DynamoDbStore) -> Result<Created, InitError> {
    let table = &store.options().table;
    let failed = |message: String| InitError::Request { what: format!("creating table `{table}`"), message };
    let key = KeySchemaElement::builder().attribute_name(LEASE_NAME).key_type(KeyType::Hash).build();
    let attribute =
        AttributeDefinition::builder().attribute_name(LEASE_NAME).attribute_type(ScalarAttributeType::S).build();
    let request = store
        .client()
        .create_table()
        .table_name(table)
        .key_schema(key.map_err(|e| failed(e.to_string()))?)
        .attribute_definitions(attribute.map_err(|e| failed(e.to_string()))?)
        .billing_mode(BillingMode::PayPerRequest);
    match request.send().await {
        Ok(_) => wait_until_active(store).await.map(|()| Created::Yes),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) => {
            Ok(Created::Existed)
        }
        Err(error) => Err(failed(brief(&error))),
    }
}

/// A new table answers "not found" for a while.
async fn wait_until_active(store: &DynamoDbStore) -> Result<(), InitError> {
    let mut last = Ok(());
    for _ in 0..60 {
        last = store.check().await;
        if last.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    Ok(last?)
}
