//! The store's two faces: what reads, and what writes besides.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePool};
use uuid::Uuid;

use crate::connection::{self, Transaction};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::inspect::{self, Contents};
use crate::lock::{Instance, Maintenance};
use crate::marker::Marker;
use crate::search;

/// Everything that can be read: conversations, messages, settings, and the search. It is what a
/// [`Store`] derefs to, and what is left of a damaged one.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: SqlitePool,
    searcher: SqlitePool,
    damaged: bool,
}

impl Reader {
    pub(crate) fn open(options: SqliteConnectOptions, damaged: bool) -> Self {
        Self {
            searcher: connection::searcher(options.clone()),
            pool: connection::readers(options),
            damaged,
        }
    }

    pub(crate) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(crate) const fn searcher(&self) -> &SqlitePool {
        &self.searcher
    }

    /// Whether reading goes on past what cannot be read.
    pub(crate) const fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// How many messages there are.
    pub async fn message_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM messages")
            .fetch_one(&self.pool)
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(crate) async fn close(&self) {
        self.searcher.close().await;
        self.pool.close().await;
    }
}

/// A store that is open. Cheap to clone; all clones are the same store.
///
/// Several processes may have the same folder open: SQLite's write lock serialises them. A write
/// is on the disk when its method returns; one that fails never was; one whose future is dropped
/// is there either whole or not at all.
#[derive(Clone, Debug)]
pub struct Store {
    reader: Reader,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: Folder,
    writer: SqlitePool,
    store: Uuid,
    marked: AtomicBool,
    instance: Instance,
    _maintenance: Maintenance,
}

impl Deref for Store {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Store {
    /// Opens the database of a folder that was found usable.
    pub(crate) async fn open_found(
        folder: Folder,
        maintenance: Maintenance,
        contents: Contents,
    ) -> Result<Self, StoreError> {
        let writer = connection::writer(&folder.database()).await?;
        folder.close_to_others()?;
        if contents.index_is_damaged {
            search::make_anew(&writer).await?;
        }
        let instance = Instance::register(&folder)?;
        contents.marker().write_if_possible(&folder);
        Ok(Self {
            reader: Reader::open(connection::reading(&folder.database()), false),
            inner: Arc::new(Inner {
                folder,
                writer,
                store: contents.store,
                marked: AtomicBool::new(contents.messages > 0),
                instance,
                _maintenance: maintenance,
            }),
        })
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.inner.folder
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.inner.writer
    }

    /// This instance's id.
    pub(crate) fn instance(&self) -> Uuid {
        self.inner.instance.id()
    }

    /// Runs one statement that writes, in a transaction of its own.
    pub(crate) async fn write(
        &self,
        statement: sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>,
    ) -> Result<u64, StoreError> {
        let mut transaction = Transaction::write(self.writer()).await?;
        let changed = statement.execute(transaction.on()?).await?.rows_affected();
        transaction.commit().await?;
        Ok(changed)
    }

    /// Notes beside the database that it holds something, before the first message does.
    pub(crate) async fn mark_as_holding_data(&self) -> Result<(), StoreError> {
        if !self.inner.marked.load(Ordering::Acquire) {
            Marker {
                store: self.inner.store,
                messages: 1,
                deleted: 0,
            }
            .write(&self.inner.folder)?;
            self.inner.marked.store(true, Ordering::Release);
        }
        Ok(())
    }

    async fn contents(&self) -> Result<Contents, StoreError> {
        let mut reader = self.pool().acquire().await?;
        inspect::contents(&mut reader).await
    }

    /// Closes all connections and folds the log into the database. A store that is dropped instead
    /// loses nothing either.
    pub async fn close(&self) {
        match self.contents().await {
            Ok(contents) => contents.marker().write_if_possible(&self.inner.folder),
            Err(error) => tracing::warn!(%error, "could not count the messages"),
        }
        self.reader.close().await;
        self.inner.writer.close().await;
    }
}
