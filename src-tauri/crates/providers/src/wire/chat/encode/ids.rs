//! The ids of calls as a server takes them. What another provider made may be too long for this one,
//! or hold what it refuses; it then gets an id that follows from the old one, so that a call and its
//! result stay together and a conversation is the same text each time.

use std::borrow::Cow;

use super::super::accent::CallIds;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The id in the server's spelling; as it is where that is one.
pub(super) fn spelled(id: &str, ids: CallIds) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let fits = match ids {
        CallIds::Any => true,
        CallIds::Short => {
            (1..=40).contains(&id.len()) && id.chars().all(|c| plain(c) || matches!(c, '_' | '-'))
        }
        CallIds::Nine => id.len() == 9 && id.chars().all(plain),
    };
    match ids {
        _ if fits => Cow::Borrowed(id),
        CallIds::Any | CallIds::Short => Cow::Owned(format!("call_{:016x}", hash(id))),
        CallIds::Nine => {
            let mut rest = hash(id);
            let nine = std::iter::repeat_with(|| {
                let digit = rest % 36;
                rest /= 36;
                char::from(DIGITS[usize::try_from(digit).unwrap_or(0)])
            });
            Cow::Owned(nine.take(9).collect())
        }
    }
}

/// FNV-1a: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{CallIds, spelled};

    #[test]
    fn ids_are_kept_where_they_fit() {
        let long = "x".repeat(41);
        for (id, ids, kept) in [
            (long.as_str(), CallIds::Any, true),
            (long.as_str(), CallIds::Short, false),
            ("toolu_01-a", CallIds::Short, true),
            ("a.b", CallIds::Short, false),
            ("", CallIds::Short, false),
            ("toolu_01", CallIds::Nine, false),
            ("D681PevKs", CallIds::Nine, true),
        ] {
            let new = spelled(id, ids);
            assert_eq!(new == id, kept, "{id}");
            assert_eq!(new, spelled(id, ids), "the same each time");
            assert_eq!(spelled(&new, ids), new, "and sound: {new}");
        }
        assert_ne!(
            spelled("call_1", CallIds::Nine),
            spelled("call_2", CallIds::Nine)
        );
    }
}
