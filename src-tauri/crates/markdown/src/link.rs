//! Which addresses a person may open from a message. The text of a model is not to be trusted: an
//! address is checked before it is shown as a link, and again by the window's opener.

use url::Url;

/// The longest address that is taken, in bytes.
const MAX_BYTES: usize = 2_048;

/// The address as something a person may open, or `None` when it is not one: only `https`, `http`
/// and `mailto`, at most 2,048 bytes, without user name or password, and without characters that
/// make it look like another (controls, white space, direction marks, zero-width ones).
#[must_use]
pub fn safe_link(url: &str) -> Option<Url> {
    // The parser would strip or skip such characters; what is shown must be what is opened.
    if url.is_empty() || url.len() > MAX_BYTES || url.chars().any(is_deceptive) {
        return None;
    }
    let parsed = Url::parse(url).ok()?;
    if parsed.as_str().len() > MAX_BYTES {
        return None;
    }
    let sound = match parsed.scheme() {
        "https" | "http" => {
            parsed.host_str().is_some_and(|host| !host.is_empty())
                && parsed.username().is_empty()
                && parsed.password().is_none()
                && !has_userinfo(url)
        }
        "mailto" => is_mail_address(parsed.path()),
        _ => false,
    };
    sound.then_some(parsed)
}

/// Whether the authority holds an `@`, even with an empty name before it, which parses away.
fn has_userinfo(url: &str) -> bool {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    let rest = rest.trim_start_matches(['/', '\\']);
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    rest.get(..end)
        .is_some_and(|authority| authority.contains('@'))
}

/// Whether a `mailto` path names exactly somebody: nothing that a mail program takes for a path.
fn is_mail_address(path: &str) -> bool {
    path.split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !path.starts_with(['/', '-'])
}

/// Characters that have no place in an address and hide or reorder what stands around them.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}')
}
