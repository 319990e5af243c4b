//! One call of the keyring's client, and its errors sorted by what follows from them. Errors are
//! turned into text here, so that nothing which holds bytes of a secret travels further.

use std::collections::HashMap;

use keyring_core::{Entry, Error};
use protocol::Secret;
use zeroize::Zeroize as _;

use super::SERVICE;
use super::system::Client;
use crate::key_store::check_secret;

/// What to do with an account's entry.
#[derive(Debug)]
pub(super) enum Call {
    Get,
    Set(Secret<String>),
    Remove,
}

/// Why a call did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The keyring is there and did not let us: locked, dismissed, or it cannot write.
    NoAccess(String),
    /// The connection or the session is gone, or the client broke: a new client may work.
    Lost(String),
    /// The keyring takes at most this many bytes.
    TooLong(u32),
    /// Trying again is no use.
    Refused(String),
    /// It did not answer in time.
    Slow,
}

/// Makes the call. Blocks as long as the keyring does.
pub(super) fn perform(
    client: &Client,
    account: &str,
    call: &Call,
) -> Result<Option<Secret<String>>, Failure> {
    let label = format!("Pilotfish: key for {account}");
    let modifiers = client
        .takes_label
        .then(|| HashMap::from([("label", label.as_str())]));
    let entry = client
        .store
        .build(SERVICE, account, modifiers.as_ref())
        .map_err(|error| failure(error, account))?;
    match call {
        Call::Get => get(&entry, account),
        Call::Set(secret) => entry
            .set_password(secret.expose())
            .map(|()| None)
            .map_err(|error| failure(error, account)),
        Call::Remove => remove(&entry, account).map(|()| None),
    }
}

fn get(entry: &Entry, account: &str) -> Result<Option<Secret<String>>, Failure> {
    let bytes = match entry.get_secret() {
        Ok(bytes) => bytes,
        Err(Error::NoEntry) => return Ok(None),
        Err(error) => return Err(failure(error, account)),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        error.into_bytes().zeroize();
        not_a_key(account)
    })?;
    let secret = Secret::new(text);
    // It goes into a header: another program may have changed it.
    check_secret(&secret).map_err(|_| not_a_key(account))?;
    Ok(Some(secret))
}

fn remove(entry: &Entry, account: &str) -> Result<(), Failure> {
    let entries = match entry.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => return Ok(()),
        Err(Error::Ambiguous(entries)) => entries,
        Err(error) => return Err(failure(error, account)),
    };
    for entry in entries {
        match entry.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => {}
            Err(error) => return Err(failure(error, account)),
        }
    }
    Ok(())
}

fn not_a_key(account: &str) -> Failure {
    Failure::Refused(format!(
        "what the keyring holds for {account} is no key: remove it and save the key again"
    ))
}

fn failure(error: Error, account: &str) -> Failure {
    match error {
        Error::NoStorageAccess(reason) => Failure::NoAccess(reason.to_string()),
        // The client has no word for "session forgotten" or "daemon gone": all of it comes as this.
        Error::PlatformFailure(reason) => Failure::Lost(reason.to_string()),
        Error::TooLong(_, limit) => Failure::TooLong(limit),
        Error::BadEncoding(mut bytes) | Error::BadDataFormat(mut bytes, _) => {
            bytes.zeroize();
            not_a_key(account)
        }
        Error::Ambiguous(_) => Failure::Refused(format!(
            "the keyring holds several entries for {account}: remove the key and save it again"
        )),
        other => Failure::Refused(format!("the keyring refused: {other}")),
    }
}
