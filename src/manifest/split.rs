//! Cuts a YAML stream at its document markers.
//!
//! A line that begins with `---` or `...` at the margin is a marker wherever it stands: YAML forbids it inside
//! every kind of scalar. So lines are all that need to be looked at, and no parser can lose its way.

use std::ops::Range;

/// A document with content: where it begins and which bytes it has.
pub struct Chunk {
    /// From 1.
    pub line: usize,
    /// Without the marker lines.
    pub span: Range<usize>,
}

/// The documents of `text` that have more than comments, directives and blanks.
pub fn chunks(text: &str) -> Vec<Chunk> {
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut chunks = Vec::new();
    let mut open = Chunk { line: 1, span: bom..bom };
    let mut offset = bom;
    for (number, line) in text[bom..].split_inclusive('\n').enumerate() {
        let end = offset + line.len();
        if let Some(rest) = marker(line) {
            keep(text, open, &mut chunks);
            // What follows `--- ` on its line belongs to the document.
            let (line, start) = if rest.trim().is_empty() { (number + 2, end) } else { (number + 1, end - rest.len()) };
            open = Chunk { line, span: start..end };
        } else {
            open.span.end = end;
        }
        offset = end;
    }
    keep(text, open, &mut chunks);
    chunks
}

fn keep(text: &str, chunk: Chunk, chunks: &mut Vec<Chunk>) {
    let has_content = text[chunk.span.clone()].lines().any(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && !line.starts_with('%')
    });
    if has_content {
        chunks.push(chunk);
    }
}

/// What follows the marker on its line, if `line` is one.
fn marker(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."))?;
    rest.is_empty().then_some(rest).or_else(|| rest.starts_with([' ', '\t', '\r', '\n']).then_some(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        chunks(text).into_iter().map(|c| &text[c.span]).collect()
    }

    #[test]
    fn content_on_the_marker_line_belongs_to_the_document() {
        assert_eq!(texts("--- {a: 1}\n---\nb: 2"), [" {a: 1}\n", "b: 2"]);
    }

    #[test]
    fn directives_comments_and_the_byte_order_mark_are_no_documents() {
        assert_eq!(texts("\u{feff}%YAML 1.2\n---\n# a\n\n--- # b\nx: 1\n"), [" # b\nx: 1\n"]);
        assert_eq!(texts("----\n"), ["----\n"]);
        assert!(texts("").is_empty());
    }
}
