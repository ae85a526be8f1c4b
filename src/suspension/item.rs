//! Admiral's item: `{clusterEnvironment: S, enabled: BOOL, all: BOOL, environmentsByIdentities: M identity -> L of env}`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::mesh::{Envs, Suspension};

const ENABLED: &str = "enabled";
const ALL: &str = "all";
const IDENTITIES: &str = "environmentsByIdentities";

/// What one look at the table came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Who is suspended.
    pub answer: Answer,
    /// What is wrong, by subject: field, value and remedy.
    pub problems: BTreeMap<String, String>,
}

/// What the table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An item says who is suspended.
    Item(Suspension),
    /// There is no such item: the last answer stays in force, as in Admiral.
    Absent,
    /// There is one that cannot be read: the last answer stays in force.
    Unusable,
}

/// Reads the first of the items of one `clusterEnvironment`, as Admiral does. `source` names table and item.
pub fn read(source: &str, items: &[HashMap<String, AttributeValue>]) -> Reading {
    let mut problems = BTreeMap::new();
    let Some(item) = items.first() else {
        let message = "there is no such item, so what it said last stays in force (at first: nobody is suspended); put \
                       one with clusterEnvironment, enabled, all and environmentsByIdentities, or correct \
                       --suspension-environment";
        problems.insert(source.to_owned(), message.to_owned());
        return Reading { answer: Answer::Absent, problems };
    };
    if items.len() > 1 {
        let message =
            format!("{} items have this clusterEnvironment, the first is used; delete the others", items.len());
        problems.insert(format!("{source}, its doubles"), message);
    }
    let answer = match suspension(source, item, &mut problems) {
        Some(suspension) => Answer::Item(suspension),
        None => Answer::Unusable,
    };
    Reading { answer, problems }
}

/// `None` if a field on which all depends cannot be read.
fn suspension(
    source: &str,
    item: &HashMap<String, AttributeValue>,
    problems: &mut BTreeMap<String, String>,
) -> Option<Suspension> {
    let mut refuse = |field: &str, value: &AttributeValue, remedy: &str| {
        problems.insert(format!("{source}, {field}"), format!("{field} is {}; {remedy}", shown(value)));
    };
    let mut switch = |field: &str| match item.get(field) {
        None | Some(AttributeValue::Null(_)) => Some(false),
        Some(AttributeValue::Bool(value)) => Some(*value),
        Some(other) => {
            refuse(
                field,
                other,
                "make it a BOOL (until then what the item said last stays in force, and an instance that never read it writes nothing)",
            );
            None
        }
    };
    let (enabled, all) = (switch(ENABLED), switch(ALL));
    let mut identities = BTreeMap::new();
    match item.get(IDENTITIES) {
        None | Some(AttributeValue::Null(_)) => {}
        Some(AttributeValue::M(rows)) => {
            for (identity, value) in rows {
                let Some(envs) = envs(value) else {
                    let remedy = "make it an L of S with its envs, empty for all of them (until then the identity is \
                                  suspended in every env)";
                    refuse(&format!("{IDENTITIES}.{identity}"), value, remedy);
                    identities.insert(identity.clone(), Envs::Every);
                    continue;
                };
                identities.extend(envs.map(|envs| (identity.clone(), envs)));
            }
        }
        Some(other) => {
            let remedy = "make it an M of identities, each with an L of its envs (until then what the item said last \
                          stays in force, and an instance that never read it writes nothing)";
            refuse(IDENTITIES, other, remedy);
            return None;
        }
    }
    Some(match (enabled?, all?) {
        (false, _) => Suspension::new(source, false, BTreeMap::new()),
        (true, all) => Suspension::new(source, all, identities),
    })
}

/// The envs of an identity: `Some(None)` where Admiral takes it for not listed, `None` where they cannot be read.
fn envs(value: &AttributeValue) -> Option<Option<Envs>> {
    let envs: Vec<&String> = match value {
        AttributeValue::Null(_) => return Some(None),
        AttributeValue::Ss(envs) => envs.iter().collect(),
        AttributeValue::L(envs) => envs.iter().map(|env| env.as_s().ok()).collect::<Option<_>>()?,
        _ => return None,
    };
    Some(Some(match envs.as_slice() {
        [] => Envs::Every,
        [env] if env.is_empty() => Envs::Every,
        some => Envs::Only(some.iter().map(|env| (*env).clone()).collect::<BTreeSet<_>>()),
    }))
}

/// A value with its type, short enough for a line.
fn shown(value: &AttributeValue) -> String {
    const MOST: usize = 80;
    let text = match value {
        AttributeValue::S(text) => format!("S {text:?}"),
        AttributeValue::N(number) => format!("N {number}"),
        AttributeValue::Bool(value) => format!("BOOL {value}"),
        AttributeValue::M(rows) => format!("an M of {} entries", rows.len()),
        AttributeValue::L(items) => {
            let items: Vec<_> = items.iter().map(shown).collect();
            format!("L [{}]", items.join(", "))
        }
        AttributeValue::Ss(items) => format!("SS {items:?}"),
        AttributeValue::Ns(items) => format!("NS {items:?}"),
        _ => "of a binary or unknown type".to_owned(),
    };
    if text.chars().count() <= MOST { text } else { text.chars().take(MOST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttributeValue::{Bool, L, M, N, Null, S, Ss};

    fn text(text: &str) -> AttributeValue {
        S(text.to_owned())
    }

    fn item(fields: &[(&str, AttributeValue)]) -> HashMap<String, AttributeValue> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn rows(rows: &[(&str, AttributeValue)]) -> AttributeValue {
        M(item(rows))
    }

    fn table(reading: &Reading) -> &Suspension {
        let Answer::Item(suspension) = &reading.answer else { panic!("{reading:?}") };
        suspension
    }

    #[test]
    fn admirals_item_is_read_as_admiral_reads_it() {
        let listed = rows(&[
            ("every", L(vec![])),
            ("blank", L(vec![text("")])),
            ("some", L(vec![text("qal"), text("e2e")])),
            ("set", Ss(vec!["qal".to_owned()])),
            ("null", Null(true)),
        ]);
        let reading =
            read("t", &[item(&[("enabled", Bool(true)), ("all", Bool(false)), (IDENTITIES, listed.clone())])]);
        assert!(reading.problems.is_empty(), "{reading:?}");
        let found = table(&reading);
        assert!(found.covers("every", "x") && found.covers("blank", "x") && found.covers("some", "e2e"));
        assert!(found.covers("set", "qal") && !found.covers("set", "x") && !found.covers("some", "x"));
        assert!(!found.covers("null", "x") && !found.covers("other", "x"));
        let off = read("t", &[item(&[("all", Bool(true)), (IDENTITIES, listed)])]);
        assert!(!table(&off).covers("every", "x"), "enabled is missing, so it is false");
        let all = read("t", &[item(&[("enabled", Bool(true)), ("all", Bool(true))])]);
        assert!(table(&all).covers("anybody", "x"));
    }

    #[test]
    fn what_cannot_be_read_suspends_its_identity_and_blocks_no_other() {
        let listed = rows(&[("bad", N("5".into())), ("odd", L(vec![text("qal"), N("7".into())])), ("good", L(vec![]))]);
        let reading = read("t", &[item(&[("enabled", Bool(true)), (IDENTITIES, listed)])]);
        let found = table(&reading);
        assert!(found.covers("bad", "x") && found.covers("odd", "x") && found.covers("good", "x"));
        assert_eq!(reading.problems.len(), 2);
        let message = &reading.problems["t, environmentsByIdentities.odd"];
        for words in ["environmentsByIdentities.odd", "L [S \"qal\", N 7]", "make it an L of S"] {
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn a_switch_of_another_type_leaves_the_last_answer_in_force() {
        for (field, value) in [("enabled", text("true")), ("all", N("1".into())), (IDENTITIES, text("a"))] {
            let mut fields = item(&[("enabled", Bool(true))]);
            fields.insert(field.to_owned(), value);
            let reading = read("t", &[fields]);
            assert_eq!(reading.answer, Answer::Unusable, "{field}");
            let message = &reading.problems[&format!("t, {field}")];
            assert!(message.contains(field) && message.contains("make it a") && message.contains("stays in force"));
        }
    }

    #[test]
    fn no_item_and_several_are_told() {
        assert_eq!(read("t", &[]).answer, Answer::Absent);
        assert!(read("t", &[]).problems["t"].contains("--suspension-environment"));
        let two = read("t", &[item(&[("enabled", Bool(true)), ("all", Bool(true))]), item(&[])]);
        assert!(table(&two).is_all(), "the first one");
        assert!(two.problems["t, its doubles"].contains("2 items"));
    }
}
