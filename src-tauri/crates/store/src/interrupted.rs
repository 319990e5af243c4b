//! After a crash: messages that still say they stream, though nobody writes them any more.

use uuid::Uuid;

use crate::connection::Transaction;
use crate::error::StoreError;
use crate::lock;
use crate::messages::settle;
use crate::parts;
use crate::rows;
use crate::store::Store;

impl Store {
    /// Marks as interrupted what instances that no longer run left streaming, with the text that
    /// was checkpointed, and tells how many messages that were. What a living instance writes, in
    /// this process or another, is left alone.
    pub async fn recover(&self) -> Result<u64, StoreError> {
        let owners: Vec<Option<Uuid>> =
            sqlx::query_scalar("SELECT DISTINCT owner FROM messages WHERE state = 'streaming'")
                .fetch_all(self.pool())
                .await?;
        let mut recovered = 0;
        for owner in owners {
            let alive = match owner {
                Some(owner) => owner == self.instance() || lock::is_alive(self.folder(), owner)?,
                None => false,
            };
            if !alive {
                recovered += self.interrupt(owner).await?;
            }
        }
        Ok(recovered)
    }

    async fn interrupt(&self, owner: Option<Uuid>) -> Result<u64, StoreError> {
        let mut transaction = Transaction::write(self.writer()).await?;
        let connection = transaction.on()?;
        let keys: Vec<i64> =
            sqlx::query_scalar("SELECT key FROM messages WHERE state = 'streaming' AND owner IS ?")
                .bind(owner)
                .fetch_all(&mut *connection)
                .await?;
        let mut interrupted = 0;
        for key in keys {
            for stored in rows::read(connection, &[key]).await? {
                let rows = parts::encode_all(&stored.message.parts)?;
                settle(connection, key, &rows).await?;
            }
            sqlx::query("UPDATE messages SET state = 'interrupted', owner = NULL WHERE key = ?")
                .bind(key)
                .execute(&mut *connection)
                .await?;
            interrupted += 1;
        }
        transaction.commit().await?;
        Ok(interrupted)
    }
}
