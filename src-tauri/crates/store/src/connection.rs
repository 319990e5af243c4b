//! Connections to SQLite and transactions on them: one connection that writes and a few that only
//! read. A transaction that is not committed, because it failed or because its caller went away,
//! closes its connection; SQLite rolls back and the pool opens another. So no state is carried
//! over from a failure, not even from a full disk.

use std::path::Path;
use std::time::Duration;

use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite};

use crate::error::StoreError;

/// The first SQLite without the WAL-reset bug, which loses commits when a WAL database has two
/// connections (sqlite.org/releaselog/3_51_3.html).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// How long a write waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// How to write: every commit is on the disk when it returns, and what is deleted is overwritten.
pub(crate) fn writing(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

/// How to read: such a connection never changes the file, not even to fold the log into it.
pub(crate) fn reading(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

fn pool(connections: u32) -> PoolOptions<Sqlite> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(BUSY_TIMEOUT * 2)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// The one connection that writes, opened now.
pub(crate) async fn writer(path: &Path) -> Result<SqlitePool, StoreError> {
    Ok(pool(1).connect_with(writing(path)).await?)
}

/// Connections that read, opened when needed.
pub(crate) fn readers(options: SqliteConnectOptions) -> SqlitePool {
    pool(READERS).connect_lazy_with(options)
}

/// The connection for searches: by itself, because a search carries a time limit.
pub(crate) fn searcher(options: SqliteConnectOptions) -> SqlitePool {
    pool(1).connect_lazy_with(options)
}

/// One connection outside any pool.
pub(crate) async fn single(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    Ok(options.connect().await?)
}

/// A transaction. Dropped without [`Transaction::commit`], it never was.
pub(crate) struct Transaction {
    connection: Option<PoolConnection<Sqlite>>,
}

impl Transaction {
    /// One that writes: it takes the write lock at once, so that it cannot fail for it later.
    pub(crate) async fn write(pool: &SqlitePool) -> Result<Self, StoreError> {
        Self::begin(pool, "BEGIN IMMEDIATE").await
    }

    /// One that reads: it sees one state of the store throughout.
    pub(crate) async fn read(pool: &SqlitePool) -> Result<Self, StoreError> {
        Self::begin(pool, "BEGIN").await
    }

    async fn begin(pool: &SqlitePool, statement: &'static str) -> Result<Self, StoreError> {
        let mut begun = Self {
            connection: Some(pool.acquire().await?),
        };
        sqlx::query(statement).execute(begun.on()?).await?;
        Ok(begun)
    }

    /// The connection to run statements on.
    pub(crate) fn on(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.connection
            .as_deref_mut()
            .ok_or_else(|| StoreError::Sql {
                reason: "the transaction is over".to_owned(),
            })
    }

    /// Makes it last; for a transaction that reads, ends it.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::query("COMMIT").execute(self.on()?).await?;
        // Back to the pool, open.
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.as_mut() {
            connection.close_on_drop();
        }
    }
}

/// Refuses an SQLite that is known to lose data.
pub(crate) async fn assert_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await?;
    if is_recent(&found) {
        Ok(())
    } else {
        Err(StoreError::OldSqlite { found })
    }
}

fn is_recent(version: &str) -> bool {
    let mut numbers = version
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next()) >= OLDEST_SQLITE
}

#[cfg(test)]
mod tests {
    use super::{assert_sqlite, is_recent};
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, recent) in [
            ("3.51.3", true),
            ("3.51.10", true),
            ("3.52.0", true),
            ("4.0", true),
        ] {
            assert_eq!(is_recent(version), recent, "{version}");
        }
        for version in ["3.51.2", "3.9.9", "3.40.1", "3", ""] {
            assert!(!is_recent(version), "{version}");
        }
    }

    #[tokio::test]
    async fn the_linked_sqlite_has_no_known_loss() {
        let mut memory = SqliteConnectOptions::new()
            .in_memory(true)
            .connect()
            .await
            .unwrap();
        assert_sqlite(&mut memory).await.unwrap();
    }
}
