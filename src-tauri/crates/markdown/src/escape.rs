//! Text into HTML: every character that could be markup becomes a reference.

/// Appends text so that it is only ever text, between tags as well as within a quoted attribute.
/// Line ends become `\n`; NUL, which HTML has no place for, becomes U+FFFD.
pub(crate) fn push_text(out: &mut String, text: &str) {
    out.reserve(text.len());
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let replacement = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            b'\0' => "\u{fffd}",
            b'\r' if text.as_bytes().get(at + 1) == Some(&b'\n') => "",
            b'\r' => "\n",
            _ => continue,
        };
        out.push_str(text.get(plain..at).unwrap_or_default());
        out.push_str(replacement);
        plain = at + 1;
    }
    out.push_str(text.get(plain..).unwrap_or_default());
}

/// The largest index that is at most `at` and does not cut a character.
pub(crate) fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Text shown as it was written, as one block.
pub(crate) fn plain_block(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 32);
    html.push_str("<pre class=\"plain\">");
    push_text(&mut html, text);
    html.push_str("</pre>");
    html
}
