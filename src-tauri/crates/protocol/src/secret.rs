//! A value that must never be seen: no `Display`, no `Serialize`, a `Debug` that says nothing, and
//! memory that is overwritten when it is dropped. It stands in `protocol` because both the vault,
//! which keeps secrets, and the providers, which send them, need it; `vault` exports it again.

use std::fmt;

use zeroize::Zeroize;

/// A secret, such as an API key.
///
/// ```compile_fail
/// let key = protocol::Secret::new(String::from("sk-…"));
/// println!("{key}"); // a secret cannot be displayed
/// ```
///
/// ```compile_fail
/// fn serialise<T: serde::Serialize>(_: &T) {}
/// serialise(&protocol::Secret::new(String::from("sk-…"))); // nor serialised
/// ```
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a secret. The caller drops or overwrites its own copies.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself. Each caller is a place to review: it may go into a request's header and
    /// into the keyring, nowhere else.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_says_nothing() {
        let secret = Secret::new(String::from("canary"));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), "canary");
    }
}
