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
            if alive {
                continue;
            }
            for key in self.left_by(owner).await? {
                match self.interrupt(key, owner).await {
                    Ok(true) => recovered += 1,
                    // Another process was faster.
                    Ok(false) => {}
                    // One that cannot be settled must not keep the others, nor every start. It stays
                    // as it is, and the next start tries again.
                    Err(error) => {
                        tracing::warn!(key, %error, "a cut-off answer could not be settled");
                    }
                }
            }
        }
        Ok(recovered)
    }

    async fn left_by(&self, owner: Option<Uuid>) -> Result<Vec<i64>, StoreError> {
        Ok(
            sqlx::query_scalar("SELECT key FROM messages WHERE state = 'streaming' AND owner IS ?")
                .bind(owner)
                .fetch_all(self.pool())
                .await?,
        )
    }

    async fn interrupt(&self, key: i64, owner: Option<Uuid>) -> Result<bool, StoreError> {
        let mut transaction = Transaction::write(self.writer()).await?;
        let connection = transaction.on()?;
        let stored = rows::read(connection, &[key]).await?;
        let interrupted = sqlx::query(
            "UPDATE messages SET state = 'interrupted', owner = NULL
             WHERE key = ? AND state = 'streaming' AND owner IS ?",
        )
        .bind(key)
        .bind(owner)
        .execute(&mut *connection)
        .await?
        .rows_affected()
            == 1;
        if interrupted {
            for message in stored {
                // No limit here: what was checkpointed is kept, whatever it came to.
                let rows = parts::encode_each(&message.message.parts)?;
                settle(connection, key, &rows).await?;
            }
        }
        transaction.commit().await?;
        Ok(interrupted)
    }
}
