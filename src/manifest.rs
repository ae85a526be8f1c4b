//! Kubernetes manifests as text: YAML or JSON, any number of documents, `List` kinds taken apart.
//!
//! Invariant: one bad document never hides another, and every document knows the bytes of the text that it
//! came from, so that a caller can replace it and leave the rest of the file as it is.

mod split;

use std::ops::Range;

use serde_json::Value;

use split::Chunk;

/// Most bytes that one manifest may have; a larger one is refused before it is parsed.
pub const MAX_BYTES: usize = 64 << 20;

/// One object of a manifest, or the reason why it could not be read.
#[derive(Debug)]
pub struct Document {
    /// The document's position in the text, from 0; documents without content do not count.
    pub index: usize,
    /// The line, from 1, where its content begins.
    pub line: usize,
    /// The position within `items`, if the document is a `List`; its objects share `index` and `span`.
    pub item: Option<usize>,
    /// The object.
    pub result: Result<Value, ManifestError>,
    /// Its bytes in the text, without the `---` lines around it.
    pub span: Range<usize>,
}

/// Why a document of a manifest is not an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Neither valid YAML nor valid JSON.
    #[error("document {document}, line {line}: {cause}; correct the syntax")]
    Syntax {
        /// Position from 1, as people count.
        document: usize,
        /// Line of the text, from 1, where the parser stopped.
        line: usize,
        /// What the parser says.
        cause: String,
    },
    /// Well-formed, but not what Kubernetes calls an object.
    #[error("document {document}, line {line}: {cause}")]
    NotAnObject {
        /// Position from 1, as people count.
        document: usize,
        /// Line of the text, from 1, where the document begins.
        line: usize,
        /// What is missing, and the remedy.
        cause: String,
    },
    /// More than [`MAX_BYTES`].
    #[error("the manifest has {bytes} bytes, more than the {MAX_BYTES} allowed; split it into several files")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// Reads every document of `text`, in order. Comments and empty documents are skipped; anchors, aliases and
/// merge keys are expanded within bounds, so that nested aliases cannot exhaust memory.
pub fn parse(text: &str) -> Vec<Document> {
    if text.len() > MAX_BYTES {
        let result = Err(ManifestError::TooLarge { bytes: text.len() });
        return vec![Document { index: 0, line: 1, item: None, result, span: 0..text.len() }];
    }
    let mut documents = Vec::new();
    for (index, chunk) in split::chunks(text).into_iter().enumerate() {
        read_chunk(text, index, &chunk, &mut documents);
    }
    documents
}

fn read_chunk(text: &str, index: usize, chunk: &Chunk, documents: &mut Vec<Document>) {
    let (line, span) = (chunk.line, chunk.span.clone());
    let mut push = |item, result| documents.push(Document { index, line, item, result, span: span.clone() });
    match value(&text[chunk.span.clone()], index, line) {
        Err(error) => push(None, Err(error)),
        Ok(list) if is_list(&list) => {
            let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            for (at, object) in items.into_iter().enumerate() {
                push(Some(at), checked(object, index, line));
            }
        }
        Ok(object) => push(None, checked(object, index, line)),
    }
}

fn value(content: &str, index: usize, line: usize) -> Result<Value, ManifestError> {
    // JSON first where it can be JSON: `\/` and friends are JSON but not YAML.
    if content.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(content)
    {
        return Ok(value);
    }
    serde_saphyr::from_str_with_options(content, options()).map_err(|error| {
        // The parser counts from the document's first byte, people from the file's.
        let within = error.location().map_or(0, |at| usize::try_from(at.line()).unwrap_or(0).saturating_sub(1));
        let line = line.saturating_add(within);
        ManifestError::Syntax { document: index + 1, line, cause: one_line(&error.without_snippet().to_string()) }
    })
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 10_000_000, max_nodes: 5_000_000, max_depth: 128 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 200_000 },
        // Kubernetes reads YAML as JSON: two equal keys are a mistake there too.
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        // As YAML 1.2 has it: `n`, `on` and `yes` are words, and a Node may be called n.
        strict_booleans: true,
        with_snippet: false,
    }
}

fn is_list(value: &Value) -> bool {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    kind.ends_with("List") && value.get("items").is_none_or(|items| items.is_array() || items.is_null())
}

fn checked(object: Value, index: usize, line: usize) -> Result<Value, ManifestError> {
    let refuse = |cause: String| Err(ManifestError::NotAnObject { document: index + 1, line, cause });
    let Value::Object(fields) = &object else {
        return refuse(format!(
            "a {} is no Kubernetes object; write a mapping with apiVersion and kind",
            noun(&object)
        ));
    };
    for field in ["apiVersion", "kind"] {
        match fields.get(field) {
            Some(Value::String(text)) if !text.is_empty() => {}
            None | Some(Value::Null) => return refuse(format!("{field} is missing; add it")),
            Some(_) => return refuse(format!("{field} must be a string that is not empty")),
        }
    }
    Ok(object)
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "sequence",
        Value::Object(_) => "mapping",
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(text: &str) -> Vec<Value> {
        parse(text).into_iter().map(|d| d.result.unwrap()).collect()
    }

    #[test]
    fn documents_keep_their_lines_and_bytes() {
        let text = "# intro\n---\napiVersion: v1\nkind: A\n---\n# nothing\n---\r\napiVersion: v1\r\nkind: B\r\n...\n";
        let documents = parse(text);
        assert_eq!(documents.len(), 2);
        assert_eq!((documents[0].index, documents[0].line), (0, 3));
        assert_eq!(&text[documents[0].span.clone()], "apiVersion: v1\nkind: A\n");
        assert_eq!((documents[1].index, documents[1].line), (1, 8));
        assert_eq!(&text[documents[1].span.clone()], "apiVersion: v1\r\nkind: B\r\n");
    }

    #[test]
    fn one_bad_document_does_not_hide_the_others() {
        let text = "apiVersion: v1\nkind: A\n---\na: [1\nb: }\n---\napiVersion: v1\nkind: B\n---\n- 1\n---\nkind: C\n";
        let documents = parse(text);
        assert_eq!(documents.len(), 5);
        assert!(documents[0].result.is_ok() && documents[2].result.is_ok());
        let error = documents[1].result.as_ref().unwrap_err();
        assert!(matches!(error, ManifestError::Syntax { document: 2, line: 4..=6, .. }), "{error}");
        assert!(documents[3].result.as_ref().unwrap_err().to_string().contains("sequence"));
        assert!(documents[4].result.as_ref().unwrap_err().to_string().contains("apiVersion is missing"));
    }

    #[test]
    fn lists_are_taken_apart() {
        let text =
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A}\n- 3\n- {apiVersion: v1, kind: B}\n";
        let documents = parse(text);
        assert_eq!(documents.iter().map(|d| d.item).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
        assert!(documents[0].result.is_ok() && documents[1].result.is_err() && documents[2].result.is_ok());
        assert!(parse("apiVersion: v1\nkind: NodeList\nitems: null\n").is_empty());
    }

    #[test]
    fn json_and_odd_scalars_are_read() {
        assert_eq!(values(r#"{"apiVersion":"v1","kind":"A","x":"a\/b"}"#)[0]["x"], json!("a/b"));
        let text = "{apiVersion: v1, kind: A, metadata: {creationTimestamp: null}, when: 2024-01-01T00:00:00Z, v: '1.0', n: [n, on, true]}";
        let value = &values(text)[0];
        assert_eq!(value["metadata"]["creationTimestamp"], Value::Null);
        assert_eq!(value["when"], json!("2024-01-01T00:00:00Z"));
        assert_eq!(value["v"], json!("1.0"));
        assert_eq!(value["n"], json!(["n", "on", true]));
    }

    #[test]
    fn anchors_and_merge_keys_are_expanded() {
        let text = "apiVersion: v1\nkind: A\nbase: &b {x: 1}\nmore: {<<: *b, y: 2}\n";
        assert_eq!(values(text)[0]["more"], json!({"x": 1, "y": 2}));
    }

    #[test]
    fn nested_aliases_are_bounded() {
        let mut text = String::from("apiVersion: v1\nkind: A\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(","));
        }
        assert!(matches!(parse(&text)[0].result, Err(ManifestError::Syntax { .. })));
    }

    #[test]
    fn duplicate_keys_and_deep_nesting_are_refused() {
        assert!(parse("apiVersion: v1\nkind: A\nkind: B\n")[0].result.is_err());
        let deep = format!("apiVersion: v1\nkind: A\nx: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(parse(&deep)[0].result.is_err());
    }
}
