//! Every lease store passes one suite: memory, DynamoDB Local, and the embedded engine.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/contract.rs"]
mod contract;
#[path = "support/dynamodb.rs"]
mod dynamodb;
#[path = "support/servers.rs"]
mod servers;

use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use flagship::lease::{Item, Outcome, RawItem, RequestKind};
use flagship::store::init::{Created, lease_item, lease_table};
use flagship::store::memory::MemoryStore;
use flagship::store::{CheckError, LeaseStore};
use futures::future::BoxFuture;

struct Memory(MemoryStore);

impl contract::Subject for Memory {
    fn store(&self) -> Arc<dyn LeaseStore> {
        Arc::new(self.0.clone())
    }

    fn name(&self) -> String {
        "flagship".to_owned()
    }

    fn put(&self, item: Option<RawItem>) -> BoxFuture<'_, ()> {
        self.0.put(item);
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn memory_passes() {
    contract::holds_for(&Memory(MemoryStore::new("flagship"))).await;
}

#[tokio::test]
async fn dynamodb_local_passes() {
    passes_on(&servers::dynamodb_endpoint()).await;
}

#[cfg(feature = "embedded")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engine_passes() {
    let engine = flagship::embedded::EmbeddedDynamoDb::start().expect("start the embedded engine");
    passes_on(engine.endpoint()).await;
}

async fn passes_on(endpoint: &str) {
    let table = dynamodb::unique("contract");
    let store = dynamodb::store(endpoint, &table, "flagship").await;
    assert_eq!(lease_table(&store).await.unwrap(), Created::Yes);
    assert_eq!(lease_table(&store).await.unwrap(), Created::Existed);
    let subject = dynamodb::Table {
        client: dynamodb::client(endpoint),
        store: Arc::new(store),
        table,
        lease: "flagship".to_owned(),
    };
    contract::holds_for(&subject).await;
}

#[tokio::test]
async fn lease_init_makes_a_released_item_once() {
    let endpoint = servers::dynamodb_endpoint();
    let table = dynamodb::unique("init");
    let store = dynamodb::store(&endpoint, &table, "qal").await;
    lease_table(&store).await.unwrap();
    assert_eq!(lease_item(&store).await.unwrap(), Created::Yes);
    assert_eq!(lease_item(&store).await.unwrap(), Created::Existed);
    let Outcome::Read(Some(item)) = store.execute(&RequestKind::Read).await else { panic!("no item") };
    let Item::Native(record) = Item::parse(&item) else { panic!("{item:?}") };
    assert!(record.is_released());
    assert_eq!(record.epoch, 0);
}

#[tokio::test]
async fn a_table_with_another_key_is_refused() {
    let endpoint = servers::dynamodb_endpoint();
    let table = dynamodb::unique("other-key");
    let attribute = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    dynamodb::client(&endpoint)
        .create_table()
        .table_name(&table)
        .key_schema(KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap())
        .attribute_definitions(attribute.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
    let error = dynamodb::store(&endpoint, &table, "flagship").await.check().await.unwrap_err();
    let CheckError::Refused(message) = error else { panic!("{error:?}") };
    assert!(message.contains("partition key `id`") && message.contains("leaseName"), "{message}");
}

#[tokio::test]
async fn a_missing_table_is_refused_with_the_remedy() {
    let endpoint = servers::dynamodb_endpoint();
    let store = dynamodb::store(&endpoint, &dynamodb::unique("none"), "flagship").await;
    let Err(CheckError::Refused(message)) = store.check().await else { panic!("accepted") };
    assert!(message.contains("does not exist") && message.contains("lease init"), "{message}");
}

#[tokio::test]
async fn a_store_that_refuses_connections_is_unreachable_and_its_answers_unknown() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = dynamodb::store(&format!("http://{closed}"), "t", "flagship").await;
    assert!(matches!(store.check().await, Err(CheckError::Unreachable(_))));
    assert!(matches!(store.execute(&RequestKind::Read).await, Outcome::Unknown(_)));
}
