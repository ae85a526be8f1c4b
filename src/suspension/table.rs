//! The DynamoDB table. It is scanned, as Admiral does, so that a table with any key works.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::scan::ScanError;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::BoxFuture;

use super::{Reading, Source, item};
use crate::store::dynamodb::brief;
use crate::store::dynamodb::client::{self, Access};

/// The attribute by which the item is found.
const ENVIRONMENT: &str = "clusterEnvironment";

/// Pages of at most 1 MB each; a table that needs more is another one.
const MOST_PAGES: usize = 16;

/// One page.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach the table, and which item is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// Table name.
    pub table: String,
    /// The value of `clusterEnvironment`.
    pub environment: String,
    /// Region of the table; by default the SDK's own search.
    pub region: Option<String>,
    /// Role to assume on top of the SDK's own credentials.
    pub assume_role: Option<String>,
}

/// An item of Admiral's table.
#[derive(Clone, Debug)]
pub struct SuspensionTable {
    client: Client,
    options: TableOptions,
}

impl SuspensionTable {
    /// Prepares a client of its own, so that nothing here bears on the lease. Makes no request yet.
    pub async fn connect(options: TableOptions) -> Self {
        let access = Access {
            region: options.region.clone(),
            assume_role: options.assume_role.clone(),
            request_timeout: REQUEST_TIMEOUT,
            session: "flagship-suspension",
        };
        Self { client: client::connect(&access).await, options }
    }

    /// A table that is read with a client made elsewhere.
    pub fn with_client(client: Client, options: TableOptions) -> Self {
        Self { client, options }
    }

    async fn scan(&self) -> Result<Vec<HashMap<String, AttributeValue>>, String> {
        let mut found = Vec::new();
        let mut start = None;
        for _ in 0..MOST_PAGES {
            let request = self
                .client
                .scan()
                .table_name(&self.options.table)
                .consistent_read(true)
                .filter_expression("#environment = :environment")
                .expression_attribute_names("#environment", ENVIRONMENT)
                .expression_attribute_values(":environment", AttributeValue::S(self.options.environment.clone()))
                .set_exclusive_start_key(start);
            let page = request.send().await.map_err(|error| self.failed(&error))?;
            found.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
        Err(format!(
            "table `{}` has more than {MOST_PAGES} MB, which no list of suspensions has; correct --suspension-table",
            self.options.table
        ))
    }

    fn failed(&self, error: &SdkError<ScanError>) -> String {
        let table = &self.options.table;
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        let remedy = match code {
            Some("ResourceNotFoundException") => {
                "; there is no such table in this account and Region: correct --suspension-table or --suspension-region"
            }
            Some("AccessDeniedException") => {
                "; grant dynamodb:Scan (`suspension_table_arns` of infra/terraform/modules/iam)"
            }
            Some("ValidationException") => "; correct --suspension-table",
            _ => "; it is tried again",
        };
        format!("scanning table `{table}`: {}{remedy}", brief(error))
    }
}

impl Source for SuspensionTable {
    fn describe(&self) -> String {
        format!("suspension table {}, item {}", self.options.table, self.options.environment)
    }

    fn read(&self) -> BoxFuture<'_, Result<Reading, String>> {
        Box::pin(async move { Ok(item::read(&self.describe(), &self.scan().await?)) })
    }
}
