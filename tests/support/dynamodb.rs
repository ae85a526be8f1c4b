//! Tables in a real DynamoDB engine, one per test.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use flagship::lease::record::LEASE_NAME;
use flagship::lease::{Attribute, RawItem};
use flagship::store::LeaseStore;
use flagship::store::dynamodb::{DynamoDbOptions, DynamoDbStore};
use futures::future::BoxFuture;

use super::contract::Subject;

/// A client for set-up and for looking behind the store's back.
pub fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-west-2"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// A store on `table`, its calls going to `endpoint`.
pub async fn store(endpoint: &str, table: &str, lease: &str) -> DynamoDbStore {
    DynamoDbStore::with_client(client(endpoint), options(table, lease))
}

/// Options with a generous time-out.
pub fn options(table: &str, lease: &str) -> DynamoDbOptions {
    DynamoDbOptions {
        table: table.to_owned(),
        lease_name: lease.to_owned(),
        region: Some("us-west-2".to_owned()),
        assume_role: None,
        request_timeout: Duration::from_secs(20),
        allow_eventual_table: false,
    }
}

/// A table name that no other test has.
pub fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// The contract's view of a table that exists.
pub struct Table {
    pub client: Client,
    pub store: Arc<DynamoDbStore>,
    pub table: String,
    pub lease: String,
}

impl Subject for Table {
    fn store(&self) -> Arc<dyn LeaseStore> {
        self.store.clone()
    }

    fn name(&self) -> String {
        self.lease.clone()
    }

    fn put(&self, item: Option<RawItem>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let key = AttributeValue::S(self.lease.clone());
            match item {
                None => {
                    let delete = self.client.delete_item().table_name(&self.table).key(LEASE_NAME, key);
                    delete.send().await.expect("delete");
                }
                Some(item) => {
                    let mut attributes: HashMap<String, AttributeValue> =
                        item.into_iter().map(|(name, value)| (name, value_of(value))).collect();
                    attributes.insert(LEASE_NAME.to_owned(), key);
                    let put = self.client.put_item().table_name(&self.table).set_item(Some(attributes));
                    put.send().await.expect("put");
                }
            }
        })
    }
}

fn value_of(attribute: Attribute) -> AttributeValue {
    match attribute {
        Attribute::S(s) => AttributeValue::S(s),
        Attribute::N(n) => AttributeValue::N(n),
        Attribute::Bool(b) => AttributeValue::Bool(b),
        Attribute::Other(_) => AttributeValue::L(vec![AttributeValue::S("x".to_owned())]),
    }
}
