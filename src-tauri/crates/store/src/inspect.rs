//! Looking at what lies in the folder before anything is opened for writing. Whatever is not
//! plainly a healthy database of ours, or plainly a new installation, is damage: it is shown to
//! the person and never replaced.

use std::fs;
use std::io;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::connection;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::lock;
use crate::marker::Marker;
use crate::migrate::{self, APPLICATION_ID, NEWEST};

/// What lies in the folder.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing, and there never was anything.
    Nothing,
    /// A creation that was cut off, or a database of an older version.
    Older,
    /// A healthy database of this version.
    Current(Contents),
    /// Anything else.
    Damage(String),
}

/// What a healthy database says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents {
    pub(crate) store: Uuid,
    pub(crate) messages: u64,
}

/// What the file system alone tells.
enum Shape {
    Nothing,
    CutOffCreation,
    Database,
    Damage(&'static str),
}

/// Looks. It writes nothing to the database file.
///
/// # Errors
/// [`StoreError::NewerVersion`] for a file of a newer version; [`StoreError::Full`] and
/// [`StoreError::Busy`], which pass; everything else that goes wrong is damage.
pub(crate) async fn inspect(folder: &Folder) -> Result<Found, StoreError> {
    let marker = Marker::read(folder)?;
    let had_data = marker.is_some_and(|marker| marker.messages > 0);
    match shape(folder)? {
        Shape::Nothing if had_data => Ok(Found::Damage(
            "the database is gone or empty, though it held messages".to_owned(),
        )),
        Shape::Nothing => Ok(Found::Nothing),
        Shape::CutOffCreation => Ok(Found::Older),
        Shape::Damage(reason) => Ok(Found::Damage(reason.to_owned())),
        Shape::Database => match read(folder, marker).await {
            Err(
                error @ (StoreError::NewerVersion { .. }
                | StoreError::Full
                | StoreError::Busy
                | StoreError::OldSqlite { .. }),
            ) => Err(error),
            Err(
                StoreError::Damaged { reason }
                | StoreError::Io { reason }
                | StoreError::Sql { reason },
            ) => Ok(Found::Damage(reason)),
            Err(error) => Ok(Found::Damage(error.to_string())),
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
    if size(folder, "journal") > 0 {
        return Ok(Shape::CutOffCreation);
    }
    if target.len() == 0 {
        // SQLite would throw away the log of an empty file.
        let log = size(folder, "wal") > 0;
        return Ok(if log {
            Shape::Damage("the database was emptied")
        } else {
            Shape::Nothing
        });
    }
    Ok(Shape::Database)
}

fn size(folder: &Folder, suffix: &str) -> u64 {
    fs::metadata(folder.beside(suffix)).map_or(0, |file| file.len())
}

async fn read(folder: &Folder, marker: Option<Marker>) -> Result<Found, StoreError> {
    let mut reader = connection::single(&connection::reading(&folder.database())).await?;
    let found = examine(&mut reader, folder, marker).await;
    reader.close().await?;
    found
}

async fn examine(
    reader: &mut SqliteConnection,
    folder: &Folder,
    marker: Option<Marker>,
) -> Result<Found, StoreError> {
    connection::assert_sqlite(reader).await?;
    let had_data = marker.is_some_and(|marker| marker.messages > 0);
    let version = migrate::version(reader).await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *reader)
        .await?;
    if version == 0 && tables == 0 {
        return Ok(if had_data {
            Found::Damage("the database is empty, though it held messages".to_owned())
        } else {
            Found::Older
        });
    }
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *reader)
        .await?;
    if application != APPLICATION_ID || version < 1 {
        return Ok(Found::Damage(
            "the file is another program's database".to_owned(),
        ));
    }
    if version > NEWEST {
        return Err(StoreError::NewerVersion {
            found: version,
            known: NEWEST,
        });
    }
    if !lock::dead(folder)?.is_empty()
        && let Some(problem) = quick_check(reader).await?
    {
        return Ok(Found::Damage(problem));
    }
    let contents = contents(reader).await?;
    let vanished = had_data
        && contents.messages == 0
        && marker.is_some_and(|marker| marker.store != contents.store);
    if vanished {
        return Ok(Found::Damage(
            "an empty database took the place of one with messages".to_owned(),
        ));
    }
    Ok(if version < NEWEST {
        Found::Older
    } else {
        Found::Current(contents)
    })
}

/// The first thing that SQLite finds wrong with the file.
pub(crate) async fn quick_check(
    reader: &mut SqliteConnection,
) -> Result<Option<String>, StoreError> {
    let line: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(reader)
        .await?;
    Ok((line != "ok").then_some(line))
}

/// Who the database is and how much it holds.
pub(crate) async fn contents(reader: &mut SqliteConnection) -> Result<Contents, StoreError> {
    let store: Vec<u8> = sqlx::query_scalar("SELECT id FROM identity")
        .fetch_one(&mut *reader)
        .await?;
    let messages: i64 = sqlx::query_scalar("SELECT count(*) FROM messages")
        .fetch_one(&mut *reader)
        .await?;
    Ok(Contents {
        store: Uuid::from_slice(&store).unwrap_or_default(),
        messages: u64::try_from(messages).unwrap_or(0),
    })
}
