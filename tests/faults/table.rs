//! What happens to the lease item and its table behind everybody's back.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use flagship::lease::record::{LEASE_NAME, LEASE_OWNER, NOTES, UPDATED_TIME};

use crate::dynamodb;
use crate::process::world::World;

pub type Item = HashMap<String, AttributeValue>;

/// The lease's name, the key of the item.
const LEASE: &str = "flagship";

pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    pub fn of(world: &World) -> Self {
        Self::named(&world.dynamodb, &world.table)
    }

    pub fn named(endpoint: &str, name: &str) -> Self {
        Self { client: dynamodb::client(endpoint), name: name.to_owned() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub async fn item(&self) -> Option<Item> {
        let key = AttributeValue::S(LEASE.to_owned());
        let get = self.client.get_item().table_name(&self.name).key(LEASE_NAME, key).consistent_read(true);
        get.send().await.unwrap().item
    }

    /// Unconditionally.
    pub async fn put(&self, item: Item) {
        self.client.put_item().table_name(&self.name).set_item(Some(item)).send().await.unwrap();
    }

    pub async fn delete_item(&self) {
        let key = AttributeValue::S(LEASE.to_owned());
        self.client.delete_item().table_name(&self.name).key(LEASE_NAME, key).send().await.unwrap();
    }

    pub async fn delete(&self) {
        self.client.delete_table().table_name(&self.name).send().await.unwrap();
    }

    /// An empty table under the old name.
    pub async fn make(&self) {
        let key = KeySchemaElement::builder().attribute_name(LEASE_NAME).key_type(KeyType::Hash);
        let attribute =
            AttributeDefinition::builder().attribute_name(LEASE_NAME).attribute_type(ScalarAttributeType::S);
        let create = self.client.create_table().table_name(&self.name).billing_mode(BillingMode::PayPerRequest);
        let create = create.key_schema(key.build().unwrap()).attribute_definitions(attribute.build().unwrap());
        create.send().await.unwrap();
    }

    /// What a Go Admiral's PutItem leaves behind.
    pub fn admirals(unix_s: u64) -> Item {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        HashMap::from([
            (LEASE_NAME.to_owned(), text(LEASE)),
            (LEASE_OWNER.to_owned(), text("admiral-7d9f")),
            (UPDATED_TIME.to_owned(), AttributeValue::N(unix_s.to_string())),
            (NOTES.to_owned(), text("")),
        ])
    }
}
