//! Looking at what lies in the folder before anything is opened for writing. Whatever is not
//! plainly a healthy database of ours, or plainly a new installation, is shown to the person and
//! never replaced.

use std::fs::{self, File};
use std::io::{self, Read};

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::connection;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::marker::Marker;
use crate::migrate::{self, APPLICATION_ID, NEWEST};
use crate::snapshots;

/// What lies in the folder.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing, and there never was anything.
    Nothing,
    /// A creation that was cut off, or a database of an older version.
    Older,
    /// A database of this version that can be used.
    Current(Contents),
    /// Anything else.
    Unusable(Trouble),
}

/// Why a database cannot be used.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It is damaged or gone.
    Damaged(String),
    /// The disk or the folder's permissions refused; the database may well be whole.
    Unreadable(String),
    /// There is no room on the disk, not even to open a healthy database.
    Full,
}

impl Trouble {
    /// Which trouble an error is; the error itself when it is none of the database's.
    pub(crate) fn of(error: StoreError) -> Result<Self, StoreError> {
        match error {
            StoreError::Full => Ok(Self::Full),
            StoreError::Io { reason } => Ok(Self::Unreadable(reason)),
            StoreError::Damaged { reason } | StoreError::Sql { reason } => {
                Ok(Self::Damaged(reason))
            }
            StoreError::IndexDamaged => Ok(Self::Damaged(error.to_string())),
            error => Err(error),
        }
    }
}

/// What a database says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents {
    pub(crate) store: Uuid,
    pub(crate) messages: u64,
    /// How many messages were ever deleted for good.
    pub(crate) deleted: u64,
    /// Whether the index of the search is damaged and has to be made anew.
    pub(crate) index_is_damaged: bool,
}

impl Contents {
    /// What to remember of it beside the database.
    pub(crate) const fn marker(&self) -> Marker {
        Marker {
            store: self.store,
            messages: self.messages,
            deleted: self.deleted,
        }
    }
}

/// What the file system alone tells.
enum Shape {
    Nothing,
    CutOffCreation,
    Database,
    Damage(&'static str),
}

/// Looks; closely, when somebody died or met damage here. It writes nothing to the database file.
///
/// # Errors
/// [`StoreError::NewerVersion`] for a file of a newer version; [`StoreError::Busy`], which passes;
/// [`StoreError::Io`] when the folder cannot be looked at.
pub(crate) async fn inspect(folder: &Folder, closely: bool) -> Result<Found, StoreError> {
    let marker = Marker::read(folder)?;
    let had_data = match marker {
        Some(marker) => marker.messages > 0,
        None => snapshots::list(folder)?
            .iter()
            .any(|snapshot| snapshot.messages > 0),
    };
    let gone = |reason: &str| Ok(Found::Unusable(Trouble::Damaged(reason.to_owned())));
    match shape(folder)? {
        Shape::Nothing if had_data => {
            gone("the database is gone or empty, though it held messages")
        }
        Shape::Nothing => Ok(Found::Nothing),
        Shape::CutOffCreation => Ok(Found::Older),
        Shape::Damage(reason) => gone(reason),
        Shape::Database => match read(folder, marker, had_data, closely).await {
            Err(error) => Trouble::of(error).map(Found::Unusable),
            Ok(found) => Ok(found),
        },
    }
}

/// The file itself is never opened here: closing it would release the locks that SQLite holds on it
/// for this process (POSIX).
fn shape(folder: &Folder) -> Result<Shape, StoreError> {
    let path = folder.database();
    let entry = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Shape::Nothing),
        entry => entry?,
    };
    let target = match fs::metadata(&path) {
        Err(_) if entry.is_symlink() => {
            return Ok(Shape::Damage(
                "the database is a link to a file that is not there",
            ));
        }
        target => target?,
    };
    if target.is_dir() {
        return Ok(Shape::Damage(
            "there is a folder where the database should be",
        ));
    }
    if !target.is_file() {
        return Ok(Shape::Damage(
            "what is where the database should be is no file",
        ));
    }
    // A journal, which a WAL database has only while it is made, undoes what was cut off.
    if has_hot_journal(folder) {
        return Ok(Shape::CutOffCreation);
    }
    if target.len() == 0 {
        // SQLite would throw away the log of an empty file.
        return Ok(if has_log(folder) {
            Shape::Damage("the database was emptied")
        } else {
            Shape::Nothing
        });
    }
    Ok(Shape::Database)
}

/// Whether there is a journal that SQLite would play back: by its rule, one that does not begin
/// with a zero.
fn has_hot_journal(folder: &Folder) -> bool {
    let mut first = [0];
    File::open(folder.beside("journal"))
        .and_then(|mut journal| journal.read(&mut first))
        .is_ok_and(|read| read == 1 && first != [0])
}

/// Whether there is a log with something in it.
pub(crate) fn has_log(folder: &Folder) -> bool {
    fs::metadata(folder.beside("wal")).is_ok_and(|file| file.is_file() && file.len() > 0)
}

async fn read(
    folder: &Folder,
    marker: Option<Marker>,
    had_data: bool,
    closely: bool,
) -> Result<Found, StoreError> {
    let mut reader = connection::single(&connection::reading(&folder.database())).await?;
    let found = examine(&mut reader, marker, had_data, closely).await;
    reader.close().await?;
    found
}

async fn examine(
    reader: &mut SqliteConnection,
    marker: Option<Marker>,
    had_data: bool,
    closely: bool,
) -> Result<Found, StoreError> {
    let damaged = |reason: &str| Ok(Found::Unusable(Trouble::Damaged(reason.to_owned())));
    connection::assert_sqlite(reader).await?;
    let version = migrate::version(reader).await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *reader)
        .await?;
    if version == 0 && tables == 0 {
        return if had_data {
            damaged("the database is empty, though it held messages")
        } else {
            Ok(Found::Older)
        };
    }
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *reader)
        .await?;
    if application != APPLICATION_ID || version < 1 {
        return damaged("the file is another program's database");
    }
    if version > NEWEST {
        return Err(StoreError::NewerVersion {
            found: version,
            known: NEWEST,
        });
    }
    let health = if closely {
        health(reader).await?
    } else {
        Health::Whole
    };
    if let Health::Damaged(problem) = health {
        return damaged(&problem);
    }
    let mut contents = contents(reader).await?;
    contents.index_is_damaged = health == Health::IndexDamaged;
    if contents.messages == 0
        && marker.is_some_and(|marker| has_vanished(had_data, &marker, &contents))
    {
        return damaged("an empty database took the place of one with messages");
    }
    Ok(if version < NEWEST {
        Found::Older
    } else {
        Found::Current(contents)
    })
}

/// Whether a store that is empty lost what the marker remembers. Of the same store, it did unless
/// that many were deleted since; a marker of 1 is written before the first message is.
const fn has_vanished(had_data: bool, marker: &Marker, contents: &Contents) -> bool {
    let another = marker.store.as_u128() != contents.store.as_u128();
    let deleted_since = contents.deleted.saturating_sub(marker.deleted);
    (another && had_data) || (marker.messages > 1 && marker.messages > deleted_since)
}

/// How whole a database is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// SQLite finds nothing wrong.
    Whole,
    /// Only the index of the search is wrong, which can be made anew from the messages.
    IndexDamaged,
    /// The first thing that is wrong.
    Damaged(String),
}

/// Has SQLite look through the whole file.
pub(crate) async fn health(reader: &mut SqliteConnection) -> Result<Health, StoreError> {
    let found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(100)")
        .fetch_all(&mut *reader)
        .await?;
    let roots: Vec<i64> = sqlx::query_scalar(
        "SELECT rootpage FROM sqlite_schema WHERE name LIKE 'search\\_%' ESCAPE '\\'",
    )
    .fetch_all(reader)
    .await?;
    Ok(verdict(&found, &roots))
}

/// What SQLite's lines mean, when the index of the search has its trees at those roots.
fn verdict(found: &[String], roots: &[i64]) -> Health {
    let is_of_the_index = |line: &&str| {
        let tree = line
            .strip_prefix("Tree ")
            .and_then(|rest| rest.split_whitespace().next());
        tree.and_then(|root| root.parse().ok())
            .is_some_and(|root| roots.contains(&root))
            || line.to_ascii_lowercase().contains("fts5")
    };
    let lines: Vec<&str> = found
        .iter()
        .flat_map(|row| row.lines())
        .filter(|line| *line != "ok" && !line.starts_with("***"))
        .collect();
    let (of_the_index, others): (Vec<&str>, Vec<&str>) =
        lines.into_iter().partition(is_of_the_index);
    // Pages that a damaged tree no longer leads to are named as well.
    let lost_by_it = |line: &&str| line.starts_with("Page ") && line.ends_with("never used");
    match others.first() {
        None if of_the_index.is_empty() => Health::Whole,
        Some(first) if of_the_index.is_empty() || !others.iter().all(lost_by_it) => {
            Health::Damaged((*first).to_owned())
        }
        _ => Health::IndexDamaged,
    }
}

/// Who the database is and how much it holds.
pub(crate) async fn contents(reader: &mut SqliteConnection) -> Result<Contents, StoreError> {
    let (store, deleted): (Vec<u8>, i64) =
        sqlx::query_as("SELECT id, deleted_messages FROM identity")
            .fetch_one(&mut *reader)
            .await?;
    let messages: i64 = sqlx::query_scalar("SELECT count(*) FROM messages")
        .fetch_one(&mut *reader)
        .await?;
    Ok(Contents {
        store: Uuid::from_slice(&store).unwrap_or_default(),
        messages: u64::try_from(messages).unwrap_or(0),
        deleted: u64::try_from(deleted).unwrap_or(0),
        index_is_damaged: false,
    })
}

#[cfg(test)]
mod tests {
    use super::{Health, verdict};

    #[test]
    fn damage_of_the_index_alone_is_told_from_any_other() {
        let index = "malformed inverted index for FTS5 table main.search";
        let damaged = |line: &str| Health::Damaged(line.to_owned());
        for (lines, wanted) in [
            (vec!["ok"], Health::Whole),
            (vec![index], Health::IndexDamaged),
            (
                vec![
                    "*** in database main ***\nTree 17 page 40: btreeInitPage() returns error code 11\nPage 41: never used",
                    index,
                ],
                Health::IndexDamaged,
            ),
            (vec!["Page 41: never used"], damaged("Page 41: never used")),
            (
                vec![index, "Tree 5 page 9 cell 0: invalid page number 7"],
                damaged("Tree 5 page 9 cell 0: invalid page number 7"),
            ),
            (
                vec!["row 3 missing from index x"],
                damaged("row 3 missing from index x"),
            ),
        ] {
            let found: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(verdict(&found, &[17, 18]), wanted, "{lines:?}");
        }
    }
}
