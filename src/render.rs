//! Objects as YAML for people and for `kubectl apply`.
//!
//! Invariant: sorted and plain: equal objects give equal bytes, and strings that some YAML reader could take
//! for something else are quoted.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::mesh::ClusterId;
use crate::plan::Planner;

/// An object could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write an object as YAML: {0}")]
pub struct RenderError(String);

/// One document for each object, in the given order; empty without objects.
///
/// # Errors
/// When an object cannot be written, which no object of Kubernetes does.
pub fn yaml(objects: impl IntoIterator<Item = impl Borrow<Value>>) -> Result<String, RenderError> {
    let mut text = String::new();
    for object in objects {
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let document =
            serde_saphyr::to_string_with_options(object.borrow(), options).map_err(|e| RenderError(e.to_string()))?;
        text.push_str("---\n");
        text.push_str(&document);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

/// What each cluster should hold, sorted by kind, namespace and name.
///
/// # Errors
/// As [`yaml`].
pub fn desired(planner: &Planner) -> Result<BTreeMap<ClusterId, String>, RenderError> {
    let clusters = planner.clusters().into_iter().map(|view| view.id);
    clusters.map(|id| Ok((id.clone(), yaml(planner.desired(&id).map(|(_, object)| object))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use serde_json::json;

    fn odd() -> Value {
        let strings = vec![
            "on",
            "no",
            "y",
            "1.0",
            "null",
            "~",
            "",
            "0x1f",
            "1e3",
            "2024-01-01",
            "12:30:45",
            "- a",
            "a: b",
            "# c",
            "*x",
            "&x",
            "!x",
            "%x",
            "@x",
            "`x",
            "{x}",
            "[x]",
            "'",
            "\"",
            "a\nb",
            " lead",
            "trail ",
            "\t",
            "é",
            "=",
            "<<",
            "0o7",
            "010",
            ".inf",
            "true",
            "-",
            "?",
            "a #b",
            "100_000",
            "+1",
            "---",
            "...",
            "\u{0}",
            "|",
            ">",
        ];
        let long = "word ".repeat(60);
        json!({"apiVersion": "v1", "kind": "ConfigMap", "strings": strings, "long": long, "no": {"on": "off"}, "e": {},
            "l": [], "nested": [[1, -2.5, true, null], {"a": [{"b": "c"}]}], "big": u64::MAX})
    }

    #[test]
    fn what_is_written_reads_as_the_same() {
        let text = yaml([&odd(), &odd()]).unwrap();
        let read: Vec<_> = manifest::parse(&text).into_iter().map(|d| d.result.unwrap()).collect();
        assert_eq!(read, [odd(), odd()]);
        assert_eq!(yaml([&odd(), &odd()]).unwrap(), text);
    }

    #[test]
    fn the_output_is_plain() {
        let object =
            json!({"kind": "A", "apiVersion": "v1", "spec": {"hosts": ["a.global"], "n": 80, "s": "45s", "on": "on"}});
        let expected =
            "---\napiVersion: v1\nkind: A\nspec:\n  hosts:\n  - a.global\n  'n': 80\n  'on': 'on'\n  s: 45s\n";
        assert_eq!(yaml([&object]).unwrap().replace('"', "'"), expected);
        assert_eq!(yaml(Vec::<Value>::new()).unwrap(), "");
        if let Ok(path) = std::env::var("FLAGSHIP_DUMP_ODD_YAML") {
            std::fs::write(path, yaml([&odd()]).unwrap()).unwrap();
        }
    }
}
