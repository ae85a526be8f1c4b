//! Replacing one document of a file. Pure.
//!
//! Invariant: the bytes of every other document stay as they are.

use std::ops::Range;

use serde_json::Value;

/// `object` as the text of one document, without what the folder itself adds to observed objects.
pub(super) fn render(object: &Value, json: bool) -> Result<String, String> {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("uid");
        metadata.remove("resourceVersion");
    }
    if json {
        return serde_json::to_string_pretty(&object).map(|text| text + "\n").map_err(|e| e.to_string());
    }
    let mut text = serde_saphyr::to_string(&object).map_err(|e| e.to_string())?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// `text` with the document at `span` replaced.
pub(super) fn replaced(text: &str, span: &Range<usize>, document: &str) -> String {
    format!("{}{document}{}", &text[..span.start], &text[span.end..])
}

/// `text` without the document at `span`, and without the `---` line that began it.
pub(super) fn removed(text: &str, span: &Range<usize>) -> String {
    let (mut before, after) = (&text[..span.start], &text[span.end..]);
    let separated = before == "---\n" || before.ends_with("\n---\n");
    if separated && (after.is_empty() || after.starts_with("---")) {
        before = &before[..before.len() - "---\n".len()];
    }
    format!("{before}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use serde_json::json;

    const THREE: &str =
        "# top\napiVersion: v1\nkind: A\n---\napiVersion: v1\nkind: B   # odd\n\n---\napiVersion: v1\nkind: C\n";

    #[test]
    fn other_documents_keep_every_byte() {
        let documents = manifest::parse(THREE);
        let span = documents[1].span.clone();
        let new = replaced(THREE, &span, &render(&json!({ "apiVersion": "v1", "kind": "X" }), false).unwrap());
        let after = manifest::parse(&new);
        assert_eq!(after.len(), 3);
        for at in [0, 2] {
            assert_eq!(new[after[at].span.clone()], THREE[documents[at].span.clone()]);
        }
        assert_eq!(after[1].result.as_ref().unwrap()["kind"], "X");
    }

    #[test]
    fn a_removed_document_leaves_the_others_and_no_empty_one() {
        for at in 0..3 {
            let documents = manifest::parse(THREE);
            let new = removed(THREE, &documents[at].span.clone());
            let kept: Vec<_> = manifest::parse(&new).iter().map(|d| new[d.span.clone()].to_owned()).collect();
            let expected: Vec<_> = documents
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != at)
                .map(|(_, d)| THREE[d.span.clone()].to_owned())
                .collect();
            assert_eq!(kept, expected, "{new}");
        }
    }

    #[test]
    fn what_is_rendered_reads_back_the_same() {
        let odd = json!({ "apiVersion": "v1", "kind": "A", "metadata": { "annotations": {
            "a": "yes", "b": "1.0", "c": "a: b # c", "d": "line\nline\n", "e": "", "f": "null", "g": "- x", "h": "2024-01-01",
            "i": " lead", "j": "0x1F", "k": "1e3", "l": "~", "m": "tab\there", "n": "'q' \"d\"", "o": "\u{e9}\u{1F600}", "---": "---",
            "p": "12:30:45", "q": "trail ", "r": "%x", "s": "@x", "t": "a\n\nb", "u": "\n", "v": "0o17", "w": "1_000", "x": ".inf" } },
            "n": 1, "f": 1.5, "z": [], "o": {}, "nul": null, "b": true });
        for json in [false, true] {
            let text = render(&odd, json).unwrap();
            let documents = manifest::parse(&text);
            assert_eq!(documents.len(), 1, "{text}");
            assert_eq!(documents[0].result.as_ref().unwrap(), &odd, "{text}");
        }
    }
}
