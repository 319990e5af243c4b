//! Copies of the database, taken once a day, before a migration and when asked for.
//!
//! A snapshot's name says what is in it, so that the list needs no opening of files and works when
//! the database does not: `<milliseconds>-<kind>-v<schema>-m<messages>-d<deleted>.db`.
//!
//! Kept are the newest 7 daily ones, the newest of each of the last 4 weeks that have one, the
//! newest of each schema version, and all that were asked for. Beyond that one rule stands above
//! rotation: a snapshot that holds more messages than the newest is only removed when the person
//! deleted at least as many in between. The store counts deletions, so the rule is
//! `messages(old) <= messages(new) + deleted(new) - deleted(old)`. New messages would soon hide the
//! loss, so the last snapshot before one is pinned: it stays until it is removed by hand.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protocol::Snapshot;
use sqlx::Connection;
use uuid::Uuid;

use crate::connection;
use crate::error::StoreError;
use crate::folder::{self, Folder, Part};
use crate::inspect::{self, Health};
use crate::migrate::NEWEST;
use crate::store::Store;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const DAILY_KEPT: usize = 7;
const WEEKLY_KEPT: usize = 4;

/// Why a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Daily,
    Migration,
    Asked,
    /// What was there before messages vanished that nobody deleted.
    Pinned,
}

/// A daily snapshot that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daily {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Whether messages have vanished since the one before that nobody deleted. That one is pinned.
    pub shrunk: bool,
}

/// A snapshot, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Copy {
    created_at: i64,
    kind: Kind,
    schema: i64,
    messages: u64,
    deleted: u64,
}

impl Copy {
    fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Daily => "daily",
            Kind::Migration => "migration",
            Kind::Asked => "asked",
            Kind::Pinned => "pinned",
        };
        format!(
            "{:013}-{kind}-v{}-m{}-d{}.db",
            self.created_at, self.schema, self.messages, self.deleted
        )
    }

    fn parse(name: &str) -> Option<Self> {
        let mut fields = name.strip_suffix(".db")?.split('-');
        let copy = Self {
            created_at: fields.next()?.parse().ok()?,
            kind: match fields.next()? {
                "daily" => Kind::Daily,
                "migration" => Kind::Migration,
                "asked" => Kind::Asked,
                "pinned" => Kind::Pinned,
                _ => return None,
            },
            schema: fields.next()?.strip_prefix('v')?.parse().ok()?,
            messages: fields.next()?.strip_prefix('m')?.parse().ok()?,
            deleted: fields.next()?.strip_prefix('d')?.parse().ok()?,
        };
        (copy.name() == name).then_some(copy)
    }

    const fn day(&self) -> i64 {
        self.created_at.div_euclid(DAY_MS)
    }

    /// Weeks from Monday to Sunday; 1970-01-01 was a Thursday.
    const fn week(&self) -> i64 {
        (self.day() + 3).div_euclid(7)
    }

    /// Whether all that this one holds and `newest` does not was deleted by the person.
    const fn is_covered_by(&self, newest: &Self) -> bool {
        let deleted_since = newest.deleted.saturating_sub(self.deleted);
        newest.deleted >= self.deleted
            && self.messages <= newest.messages.saturating_add(deleted_since)
    }
}

impl Store {
    /// Copies of the database, newest first.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, StoreError> {
        list(self.folder())
    }

    /// Takes a copy of the database now. Copies that were asked for are kept until they are
    /// removed by hand.
    pub async fn snapshot(&self, at: i64) -> Result<Snapshot, StoreError> {
        take(self.folder(), Kind::Asked, self.instance(), at).await
    }

    /// Takes today's copy (by UTC) and removes those that are no longer kept; `None` when today's
    /// is there, or when there is nothing to keep yet.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no room for a copy; none was begun then.
    pub async fn daily_snapshot(&self, at: i64) -> Result<Option<Daily>, StoreError> {
        let today = at.div_euclid(DAY_MS);
        let taken = copies(self.folder())?
            .iter()
            .any(|copy| copy.kind == Kind::Daily && copy.day() == today);
        if taken || self.message_count().await? == 0 {
            return Ok(None);
        }
        let snapshot = take(self.folder(), Kind::Daily, self.instance(), at).await?;
        let shrunk = pin_what_vanished(self.folder())?;
        rotate(self.folder())?;
        Ok(Some(Daily { snapshot, shrunk }))
    }
}

/// The snapshots of a folder, newest first.
pub(crate) fn list(folder: &Folder) -> Result<Vec<Snapshot>, StoreError> {
    let mut found = Vec::new();
    for copy in copies(folder)? {
        let name = copy.name();
        let bytes = match fs::metadata(folder.snapshots().join(&name)) {
            Ok(file) => file.len(),
            // Another process has just rotated it out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        found.push(Snapshot {
            name,
            created_at: copy.created_at,
            messages: copy.messages,
            bytes,
        });
    }
    Ok(found)
}

/// Where the snapshot of that name is, when it is one.
pub(crate) fn path(folder: &Folder, name: &str) -> Result<PathBuf, StoreError> {
    let missing = StoreError::NotFound { what: "snapshot" };
    let copy = Copy::parse(name).ok_or(missing)?;
    let path = folder.snapshots().join(copy.name());
    if path.is_file() {
        Ok(path)
    } else {
        Err(StoreError::NotFound { what: "snapshot" })
    }
}

fn copies(folder: &Folder) -> Result<Vec<Copy>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.snapshots())? {
        if let Some(copy) = entry?.file_name().to_str().and_then(Copy::parse) {
            found.push(copy);
        }
    }
    found.sort_by_key(|copy| std::cmp::Reverse(copy.created_at));
    Ok(found)
}

/// Takes a snapshot: whole, checked and flushed before it has its name.
/// `instance` is who takes it: should it die, the unfinished copy is found by it.
pub(crate) async fn take(
    folder: &Folder,
    kind: Kind,
    instance: Uuid,
    at: i64,
) -> Result<Snapshot, StoreError> {
    folder.assert_room_for_a_copy()?;
    let part = Part::new(&folder.snapshots(), instance);
    take_to(folder, kind, at, part.path()).await
}

async fn take_to(
    folder: &Folder,
    kind: Kind,
    at: i64,
    part: &Path,
) -> Result<Snapshot, StoreError> {
    // SQLite takes an empty file as the target, and this one is private from the start.
    folder::create_private_file(part)?;
    let target = part.to_str().ok_or_else(|| StoreError::Io {
        reason: "the folder's name is not UTF-8".to_owned(),
    })?;
    let mut source = connection::single(&connection::reading(&folder.database())).await?;
    sqlx::query("VACUUM INTO ?")
        .bind(target)
        .execute(&mut source)
        .await?;
    source.close().await?;
    folder::sync_file(part)?;

    let mut copied = connection::single(&connection::reading(part).immutable(true)).await?;
    // One whose index is damaged holds all that was said, and a restored one gets a new index.
    if let Health::Damaged(reason) = inspect::health(&mut copied).await? {
        return Err(StoreError::Damaged { reason });
    }
    let contents = inspect::contents(&mut copied).await?;
    let schema = crate::migrate::version(&mut copied).await?.min(NEWEST);
    copied.close().await?;

    let mut copy = Copy {
        created_at: at,
        kind,
        schema,
        messages: contents.messages,
        deleted: contents.deleted,
    };
    while folder.snapshots().join(copy.name()).exists() {
        copy.created_at += 1;
    }
    let place = folder.snapshots().join(copy.name());
    fs::rename(part, &place)?;
    folder::sync_dir(&folder.snapshots())?;
    let bytes = fs::metadata(&place)?.len();
    Ok(Snapshot {
        name: copy.name(),
        created_at: copy.created_at,
        messages: copy.messages,
        bytes,
    })
}

/// Pins the snapshot before the newest, when the newest lacks messages that nobody deleted, and
/// tells whether it does.
fn pin_what_vanished(folder: &Folder) -> Result<bool, StoreError> {
    let copies = copies(folder)?;
    let [newest, before, ..] = copies.as_slice() else {
        return Ok(false);
    };
    if before.is_covered_by(newest) {
        return Ok(false);
    }
    let pinned = Copy {
        kind: Kind::Pinned,
        ..before.clone()
    };
    let dir = folder.snapshots();
    fs::rename(dir.join(before.name()), dir.join(pinned.name()))?;
    folder::sync_dir(&dir)?;
    Ok(true)
}

fn rotate(folder: &Folder) -> Result<(), StoreError> {
    for copy in superfluous(&copies(folder)?) {
        folder::remove_if_there(&folder.snapshots().join(copy.name()));
    }
    folder::sync_dir(&folder.snapshots())?;
    Ok(())
}

/// Which of the copies, newest first, are no longer kept.
fn superfluous(copies: &[Copy]) -> Vec<Copy> {
    let Some(newest) = copies.first() else {
        return Vec::new();
    };
    let mut dailies = 0;
    let mut weeks = BTreeSet::new();
    let mut schemas = BTreeSet::new();
    let mut gone = Vec::new();
    for copy in copies {
        let daily = copy.kind == Kind::Daily && {
            dailies += 1;
            dailies <= DAILY_KEPT
        };
        let weekly = copy.kind == Kind::Daily
            && (weeks.len() < WEEKLY_KEPT || weeks.contains(&copy.week()))
            && weeks.insert(copy.week());
        let schema = schemas.insert(copy.schema);
        let kept = daily || weekly || schema || matches!(copy.kind, Kind::Asked | Kind::Pinned);
        if !kept && copy.is_covered_by(newest) {
            gone.push(copy.clone());
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::{Copy, DAY_MS, Kind, superfluous};

    fn daily(day: i64, messages: u64, deleted: u64) -> Copy {
        Copy {
            created_at: day * DAY_MS,
            kind: Kind::Daily,
            schema: 3,
            messages,
            deleted,
        }
    }

    #[test]
    fn names_say_what_is_inside() {
        let copy = daily(20_000, 12, 3);
        assert_eq!(copy.name(), "1728000000000-daily-v3-m12-d3.db");
        assert_eq!(Copy::parse(&copy.name()), Some(copy));
        for name in [
            "../../x.db",
            "1-daily-v3-m12-d3.db",
            "x.part",
            "",
            "1728000000000-daily.db",
        ] {
            assert_eq!(Copy::parse(name), None, "{name:?} is no snapshot");
        }
    }

    #[test]
    fn seven_days_and_four_weeks_are_kept() {
        let copies: Vec<Copy> = (20_000..20_060)
            .rev()
            .map(|day| daily(day, 10, 0))
            .collect();
        let gone = superfluous(&copies);
        let kept: Vec<&Copy> = copies.iter().filter(|copy| !gone.contains(copy)).collect();
        assert!(
            kept.iter()
                .take(7)
                .map(|copy| copy.day())
                .eq((20_053..20_060).rev())
        );
        let weeks: std::collections::BTreeSet<i64> = kept.iter().map(|copy| copy.week()).collect();
        assert_eq!(weeks.len(), 4, "the newest of each of four weeks stays");
        assert!(kept.len() <= 10, "{} kept", kept.len());
    }

    #[test]
    fn a_snapshot_with_more_in_it_stays_unless_its_surplus_was_deleted() {
        let mut copies: Vec<Copy> = (20_001..20_060)
            .rev()
            .map(|day| daily(day, 10, 0))
            .collect();
        copies.push(daily(20_000, 500, 0));
        assert!(
            !superfluous(&copies).contains(&daily(20_000, 500, 0)),
            "490 messages vanished without anyone deleting them"
        );
        for copy in copies.iter_mut().take(30) {
            copy.deleted = 490;
        }
        assert!(
            superfluous(&copies).contains(&daily(20_000, 500, 0)),
            "the person deleted them"
        );
    }
}
