//! Bringing a database to the newest schema: a snapshot first, then every pending step in one
//! transaction that also proves that no row went missing. A step that was released is never
//! changed; a change is a new step.

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::connection;
use crate::error::StoreError;
use crate::folder::{self, Folder};
use crate::snapshots::{self, Kind};

const STEPS: [&str; 5] = [
    include_str!("../migrations/0001_conversations.sql"),
    include_str!("../migrations/0002_search.sql"),
    include_str!("../migrations/0003_settings.sql"),
    include_str!("../migrations/0004_ledger.sql"),
    include_str!("../migrations/0005_switching.sql"),
];

/// The schema's version that this build reads and writes: the number of its last step.
pub(crate) const NEWEST: i64 = STEPS.len() as i64;

/// Marks the file as ours: `PILF`.
pub(crate) const APPLICATION_ID: i64 = 0x5049_4c46;

/// Tables whose rows a migration must keep.
const KEPT: [&str; 10] = [
    "conversations",
    "messages",
    "parts",
    "draft_chunks",
    "attachments",
    "part_attachments",
    "settings",
    "endpoints",
    "ledger",
    "summaries",
];

/// Makes the database when there is none, and brings it to the newest version. The caller uses the
/// folder alone.
pub(crate) async fn bring_up(folder: &Folder, at: i64) -> Result<(), StoreError> {
    let path = folder.database();
    if !path.try_exists()? {
        folder::create_private_file(&path)?;
        folder::sync_dir(folder.root())?;
    }
    folder.close_to_others()?;
    let mut writer = connection::single(&connection::writing(&path)).await?;
    connection::assert_sqlite(&mut writer).await?;
    let found = version(&mut writer).await?;
    if found > 0 && found < NEWEST {
        // Nobody else is here, so whose the unfinished copy is makes no difference.
        snapshots::take(folder, Kind::Migration, Uuid::now_v7(), at).await?;
    }
    // Should that fail, closing rolls back.
    migrate(&mut writer).await?;
    writer.close().await?;
    folder::sync_dir(folder.root())?;
    Ok(())
}

/// The schema's version in the file; 0 when it has none yet.
pub(crate) async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await?)
}

/// Takes the steps that a database lacks, in one transaction. The caller uses it alone.
///
/// # Errors
/// [`StoreError::NewerVersion`]; [`StoreError::Sql`] when a step fails or would lose rows. The
/// transaction is left open then: the connection is of no more use.
pub(crate) async fn migrate(writer: &mut SqliteConnection) -> Result<(), StoreError> {
    let found = version(writer).await?;
    if found > NEWEST {
        return Err(StoreError::NewerVersion {
            found,
            known: NEWEST,
        });
    }
    if found == NEWEST {
        return Ok(());
    }
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *writer).await?;
    let before = census(writer).await?;
    let done = usize::try_from(found).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        sqlx::raw_sql(*step).execute(&mut *writer).await?;
    }
    let stamp = format!("PRAGMA user_version = {NEWEST}; PRAGMA application_id = {APPLICATION_ID}");
    sqlx::raw_sql(AssertSqlSafe(stamp))
        .execute(&mut *writer)
        .await?;
    let after = census(writer).await?;
    for (table, rows) in before {
        if after
            .iter()
            .any(|(same, now)| *same == table && *now != rows)
        {
            return Err(StoreError::Sql {
                reason: format!("a migration would have changed the number of {table}"),
            });
        }
    }
    let broken = sqlx::query("PRAGMA foreign_key_check")
        .fetch_optional(&mut *writer)
        .await?;
    if broken.is_some() {
        return Err(StoreError::Sql {
            reason: "a migration would have orphaned rows".to_owned(),
        });
    }
    sqlx::query("COMMIT").execute(&mut *writer).await?;
    Ok(())
}

/// How many rows each kept table has, and how many conversations are visible.
async fn census(connection: &mut SqliteConnection) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let mut rows = Vec::new();
    for table in KEPT {
        let there: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?",
        )
        .bind(table)
        .fetch_one(&mut *connection)
        .await?;
        if there == 1 {
            let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            rows.push((
                table,
                sqlx::query_scalar(count)
                    .fetch_one(&mut *connection)
                    .await?,
            ));
        }
    }
    if rows.iter().any(|(table, _)| *table == "conversations") {
        let visible = "SELECT count(*) FROM conversations c WHERE deleted_at IS NULL
             AND EXISTS (SELECT 1 FROM messages m WHERE m.conversation = c.key)";
        rows.push((
            "visible conversations",
            sqlx::query_scalar(visible)
                .fetch_one(&mut *connection)
                .await?,
        ));
    }
    Ok(rows)
}
