//! A write of the protocol as DynamoDB expressions.
//!
//! Every attribute goes by a `#name`: some of ours (`region`, `version` ...) are reserved words.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::lease::Write;
use crate::lease::record::{Attribute, Expect, INSTANCE_ID, LEASE_NAME, VERSION};

/// The strings and maps of one UpdateItem.
#[derive(Debug, Default)]
pub(crate) struct Expression {
    /// UpdateExpression.
    pub update: String,
    /// ConditionExpression.
    pub condition: String,
    /// ExpressionAttributeNames.
    pub names: HashMap<String, String>,
    /// ExpressionAttributeValues.
    pub values: HashMap<String, AttributeValue>,
}

impl Expression {
    pub fn new(write: &Write) -> Self {
        let mut expression = Self::default();
        let set: Vec<String> = write
            .set
            .iter()
            .map(|(name, value)| format!("{} = {}", expression.name(name), expression.value("set", name, value)))
            .collect();
        let remove: Vec<String> = write.remove.iter().map(|name| expression.name(name)).collect();
        expression.update = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression.update.push_str(" REMOVE ");
            expression.update.push_str(&remove.join(", "));
        }
        expression.condition = expression.condition(&write.expect);
        expression
    }

    fn condition(&mut self, expect: &Expect) -> String {
        match expect {
            Expect::Absent => format!("attribute_not_exists({})", self.name(LEASE_NAME)),
            Expect::Version { version, instance_id } => {
                let mut parts = vec![self.equals(VERSION, &Attribute::S(version.clone()))];
                if let Some(id) = instance_id {
                    parts.push(self.equals(INSTANCE_ID, &Attribute::S(id.clone())));
                }
                parts.join(" AND ")
            }
            Expect::Exactly(attributes) => {
                let mut parts = vec![format!("attribute_exists({})", self.name(LEASE_NAME))];
                for (name, value) in attributes {
                    parts.push(match value {
                        None => format!("attribute_not_exists({})", self.name(name)),
                        Some(Attribute::Other(kind)) => {
                            let kind = self.value("is", name, &Attribute::S(kind.clone()));
                            format!("attribute_type({}, {kind})", self.name(name))
                        }
                        Some(value) => self.equals(name, value),
                    });
                }
                parts.join(" AND ")
            }
        }
    }

    fn equals(&mut self, name: &str, value: &Attribute) -> String {
        format!("{} = {}", self.name(name), self.value("is", name, value))
    }

    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, prefix: &str, name: &str, value: &Attribute) -> String {
        let placeholder = format!(":{prefix}_{name}");
        let value = match value {
            Attribute::S(s) | Attribute::Other(s) => AttributeValue::S(s.clone()),
            Attribute::N(n) => AttributeValue::N(n.clone()),
            Attribute::Bool(b) => AttributeValue::Bool(*b),
        };
        self.values.insert(placeholder.clone(), value);
        placeholder
    }
}
