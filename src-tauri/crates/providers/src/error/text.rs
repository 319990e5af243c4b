//! Text from elsewhere, made fit to be shown: one short line without markup, without control
//! characters, and without those that hide or turn what stands around them.

/// Whether a character shows nothing, or turns the writing of what stands around it: with these a
/// text can look as if it said something else.
pub(super) const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The text on one line, without control and unseen characters, at most `limit` characters and a
/// sign that there was more.
pub(super) fn short(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let text: String = text.chars().filter(|c| !is_unseen(*c)).collect();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    match line.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A body that is no JSON, as one line without markup: of a web page its title alone.
pub(super) fn plain(body: &str) -> Option<String> {
    let body = body.trim();
    let lower = body.to_ascii_lowercase();
    if lower.starts_with('<') || lower.contains("<html") {
        let title = lower.find("<title").and_then(|start| {
            let start = start + lower[start..].find('>')? + 1;
            let end = start + lower[start..].find('<')?;
            Some(short(&body[start..end], 100))
        });
        return Some(match title.filter(|title| !title.is_empty()) {
            Some(title) => format!("a web page: {title}"),
            None => "a web page".to_owned(),
        });
    }
    Some(short(body, 300)).filter(|text| !text.is_empty())
}

/// The beginning of a text, at most `limit` bytes.
pub(super) fn beginning(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
