//! The Terraform module's table and item, made in DynamoDB Local from the very HCL, carry the lease.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/contract.rs"]
mod contract;
#[path = "support/dynamodb.rs"]
mod dynamodb;
#[path = "support/servers.rs"]
mod servers;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use flagship::lease::record::{LEASE_NAME, LEASE_OWNER};
use flagship::lease::{Item, Outcome, RequestKind};
use flagship::store::LeaseStore;
use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
use hcl::{Block, Body, Value};

fn module(name: &str, file: &str) -> Body {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/terraform/modules").join(name).join(file);
    hcl::parse(&std::fs::read_to_string(&path).unwrap()).unwrap()
}

/// The resource or data block of this type and label.
fn block<'a>(body: &'a Body, labels: &[&str]) -> &'a Block {
    body.blocks()
        .find(|block| block.labels.iter().map(hcl::BlockLabel::as_str).eq(labels.iter().copied()))
        .unwrap_or_else(|| panic!("no block {labels:?}"))
}

fn attribute(block: &Block, name: &str, context: &Context<'_>) -> Value {
    let attribute = block.body.attributes().find(|a| a.key.as_str() == name);
    attribute.unwrap_or_else(|| panic!("no attribute {name}")).expr.evaluate(context).unwrap()
}

fn json_encode(args: FuncArgs) -> Result<Value, String> {
    serde_json::to_string(&args[0]).map(Value::String).map_err(|e| e.to_string())
}

/// The context in which the lock-table module's expressions are evaluated with its variables' defaults.
fn context() -> Context<'static> {
    let mut defaults = hcl::Map::new();
    for variable in module("lock-table", "variables.tf").blocks() {
        let name = variable.labels[0].as_str().to_owned();
        if variable.body.attributes().any(|a| a.key.as_str() == "default") {
            defaults.insert(name, attribute(variable, "default", &Context::new()));
        }
    }
    let mut context = Context::new();
    context.declare_var("var", Value::Object(defaults));
    context.declare_func("jsonencode", FuncDef::builder().param(ParamType::Any).build(json_encode));
    context
}

/// Creates the table that the module describes, under a name of this test's own.
async fn table_from_hcl(client: &aws_sdk_dynamodb::Client, name: &str) {
    let (body, context) = (module("lock-table", "main.tf"), context());
    let table = block(&body, &["aws_dynamodb_table", "lock"]);
    assert_eq!(attribute(table, "name", &context), Value::from("admiral-lease"), "the default is Admiral's table");
    assert_eq!(attribute(table, "billing_mode", &context), Value::from("PAY_PER_REQUEST"));
    let key = attribute(table, "hash_key", &context).as_str().unwrap().to_owned();
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(KeySchemaElement::builder().attribute_name(&key).key_type(KeyType::Hash).build().unwrap());
    assert!(table.body.attributes().all(|a| a.key.as_str() != "range_key"), "the lease has no sort key");
    for definition in table.body.blocks().filter(|b| b.identifier.as_str() == "attribute") {
        let kind = attribute(definition, "type", &context);
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute(definition, "name", &context).as_str().unwrap())
            .attribute_type(ScalarAttributeType::from(kind.as_str().unwrap()));
        request = request.attribute_definitions(definition.build().unwrap());
    }
    request.send().await.unwrap();
}

/// The item that the module describes for the lease called `name`.
fn item_from_hcl(name: &str) -> HashMap<String, AttributeValue> {
    let body = module("lock-table", "main.tf");
    let mut context = context();
    context.declare_var("each", Value::Object(hcl::Map::from_iter([("value".to_owned(), Value::from(name))])));
    let resource = block(&body, &["aws_dynamodb_table_item", "lease"]);
    let text = attribute(resource, "item", &context);
    let item: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text.as_str().unwrap()).unwrap();
    item.into_iter()
        .map(|(attribute, typed)| {
            let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
            let text = value.as_str().unwrap().to_owned();
            let value = match kind.as_str() {
                "S" => AttributeValue::S(text),
                "N" => AttributeValue::N(text),
                other => panic!("{attribute} has type {other}"),
            };
            (attribute, value)
        })
        .collect()
}

#[tokio::test]
async fn the_table_and_item_of_the_module_carry_the_lease() {
    let endpoint = servers::dynamodb_endpoint();
    let (client, table) = (dynamodb::client(&endpoint), dynamodb::unique("terraform"));
    table_from_hcl(&client, &table).await;
    client.put_item().table_name(&table).set_item(Some(item_from_hcl("flagship"))).send().await.unwrap();
    let store = dynamodb::store(&endpoint, &table, "flagship").await;
    store.check().await.expect("the module's table is fit");
    let Outcome::Read(Some(raw)) = store.execute(&RequestKind::Read).await else { panic!("no item") };
    let Item::Native(record) = Item::parse(&raw) else { panic!("not readable: {raw:?}") };
    assert!(record.is_released());
    assert_eq!((record.epoch, record.paused), (0, false));
    assert!(raw.contains_key(LEASE_OWNER));
    let subject = dynamodb::Table { client, store: Arc::new(store), table, lease: "flagship".to_owned() };
    contract::holds_for(&subject).await;
}

#[test]
fn the_item_belongs_to_the_instances_once_it_is_made() {
    let body = module("lock-table", "main.tf");
    let item = block(&body, &["aws_dynamodb_table_item", "lease"]);
    let lifecycle = item.body.blocks().find(|b| b.identifier.as_str() == "lifecycle").expect("a lifecycle block");
    let ignored = lifecycle.body.attributes().find(|a| a.key.as_str() == "ignore_changes").unwrap();
    let listed: String = ignored.expr.to_string().split_whitespace().collect();
    assert_eq!(listed.replace(',', ""), "[item]");
}

#[test]
fn the_table_is_protected_and_has_no_ttl() {
    let body = module("lock-table", "main.tf");
    let table = block(&body, &["aws_dynamodb_table", "lock"]);
    assert_eq!(attribute(table, "deletion_protection_enabled", &context()), Value::Bool(true));
    for name in ["point_in_time_recovery", "server_side_encryption"] {
        let inner = table.body.blocks().find(|b| b.identifier.as_str() == name).unwrap();
        assert_eq!(attribute(inner, "enabled", &context()), Value::Bool(true), "{name}");
    }
    assert!(table.body.blocks().all(|b| b.identifier.as_str() != "ttl"), "the lease is its own time limit");
}

#[test]
fn a_global_table_is_strongly_consistent_or_not_at_all() {
    let body = module("lock-table", "main.tf");
    let table = block(&body, &["aws_dynamodb_table", "lock"]);
    let replica = table.body.blocks().find(|b| b.labels.iter().any(|l| l.as_str() == "replica")).expect("replica");
    let content = replica.body.blocks().find(|b| b.identifier.as_str() == "content").unwrap();
    assert_eq!(attribute(content, "consistency_mode", &Context::new()), Value::from("STRONG"));
}

#[test]
fn the_policy_allows_what_the_lease_needs_and_nothing_else() {
    let text = hcl::to_string(&module("iam", "main.tf")).unwrap();
    let actions: BTreeSet<&str> =
        text.split('"').filter(|part| part.starts_with("dynamodb:") && *part != "dynamodb:LeadingKeys").collect();
    let expected =
        ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan", "dynamodb:UpdateItem"];
    assert_eq!(actions, BTreeSet::from(expected));
    let (lease, rest) = text.split_once("dynamic \"statement\"").unwrap();
    let suspensions = rest.split("\ndata ").next().unwrap();
    assert!(!lease.contains("dynamodb:Scan"), "the lease table is not scanned");
    assert!(suspensions.contains("dynamodb:Scan") && !suspensions.contains("var.table_arns"), "{suspensions}");
    assert!(text.contains("dynamodb:LeadingKeys"), "the item rights are bound to the lease names");
    assert!(!text.contains("\"*\""), "no wildcard resource or action");
    assert_eq!(LEASE_NAME, "leaseName");
}
