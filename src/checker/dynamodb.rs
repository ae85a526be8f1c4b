//! `dynamodb`: active while it holds the lease in a DynamoDB table.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::driver::LeaseDriver;
use super::{CheckerContext, CheckerError, CheckerKind, CheckerOptions, StateChecker};
use crate::store::dynamodb::DynamoDbStore;

/// The registry row; the second name is Admiral's.
pub const KIND: CheckerKind =
    CheckerKind { names: &["dynamodb", "dynamodbbasedstatechecker"], make: |options| Box::new(DynamoDb { options }) };

struct DynamoDb {
    options: CheckerOptions,
}

impl StateChecker for DynamoDb {
    fn name(&self) -> &'static str {
        KIND.names[0]
    }

    fn runs_on_own_task(&self) -> bool {
        true
    }

    fn run(self: Box<Self>, context: CheckerContext) -> BoxFuture<'static, Result<(), CheckerError>> {
        Box::pin(async move {
            let CheckerOptions { config, identity, dynamodb } = self.options;
            let table = dynamodb.table.clone();
            let name = dynamodb.lease_name.clone();
            let store = DynamoDbStore::connect(dynamodb).await;
            LeaseDriver::new(config, identity, Arc::new(store)).titled(&table, &name).run(context).await
        })
    }
}
