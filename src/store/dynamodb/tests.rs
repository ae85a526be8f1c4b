//! Table checks on descriptions as AWS gives them: DynamoDB Local knows nothing of global tables.

use aws_sdk_dynamodb::types::{KeySchemaElement, ReplicaDescription};

use super::*;

fn table(keys: &[(&str, KeyType)], replicas: &[&str], strong: Option<MultiRegionConsistency>) -> TableDescription {
    let mut builder = TableDescription::builder().set_multi_region_consistency(strong);
    for (name, kind) in keys {
        builder = builder
            .key_schema(KeySchemaElement::builder().attribute_name(*name).key_type(kind.clone()).build().unwrap());
    }
    for region in replicas {
        builder = builder.replicas(ReplicaDescription::builder().region_name(*region).build());
    }
    builder.build()
}

const KEY: (&str, KeyType) = (LEASE_NAME, KeyType::Hash);

#[test]
fn one_region_and_strong_global_tables_are_accepted() {
    assert_eq!(judge_table("t", &table(&[KEY], &[], None), false), Ok(()));
    let strong = Some(MultiRegionConsistency::Strong);
    assert_eq!(judge_table("t", &table(&[KEY], &["us-east-2"], strong), false), Ok(()));
}

#[test]
fn an_eventual_global_table_is_refused_unless_forced() {
    for consistency in [None, Some(MultiRegionConsistency::Eventual)] {
        let eventual = table(&[KEY], &["us-east-2"], consistency);
        let Err(CheckError::Refused(message)) = judge_table("t", &eventual, false) else { panic!("accepted") };
        assert!(message.contains("us-east-2") && message.contains("--allow-eventual-table"), "{message}");
        assert_eq!(judge_table("t", &eventual, true), Ok(()));
    }
}

#[test]
fn another_key_is_refused_with_its_name() {
    let cases: [&[(&str, KeyType)]; 3] = [&[("id", KeyType::Hash)], &[KEY, ("sort", KeyType::Range)], &[]];
    for keys in cases {
        let Err(CheckError::Refused(message)) = judge_table("t", &table(keys, &[], None), false) else {
            panic!("accepted {keys:?}")
        };
        assert!(message.contains("leaseName"), "{message}");
    }
}
