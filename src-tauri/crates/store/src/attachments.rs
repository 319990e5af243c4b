//! Attached files: a row each, and the bytes beside the database, named by their SHA-256, so that
//! what is attached twice is kept once.

use std::io;
use std::path::PathBuf;

use protocol::AttachmentId;
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::folder;
use crate::store::Store;

/// The largest attachment, in bytes.
pub const MAX_ATTACHMENT_BYTES: usize = 32 * 1024 * 1024;

/// The longest name or media type, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// An attached file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type, as `image/png`.
    pub media_type: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Keeps a file of at most 32 MiB, on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] for the file, its name or its media type (255 bytes each).
    pub async fn attach(
        &self,
        attachment: Attachment,
        at: i64,
    ) -> Result<AttachmentId, StoreError> {
        let Attachment {
            name,
            media_type,
            bytes,
        } = attachment;
        let within = |what, length: usize, limit| match length > limit {
            true => Err(StoreError::TooLarge { what, limit }),
            false => Ok(()),
        };
        within("attachment", bytes.len(), MAX_ATTACHMENT_BYTES)?;
        within("attachment's name", name.len(), MAX_NAME_BYTES)?;
        within("media type", media_type.len(), MAX_NAME_BYTES)?;
        let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let hash = Sha256::digest(&bytes).to_vec();
        let place = self.place(&hash);
        blocking(move || match place.try_exists()? {
            true => Ok(()),
            false => {
                place.parent().map_or(Ok(()), folder::create_private_dir)?;
                folder::replace(&place, &bytes)
            }
        })
        .await?;
        let id = AttachmentId::generate();
        let row = sqlx::query(
            "INSERT INTO attachments (id, content_hash, bytes, media_type, name, created_at)
             VALUES (?, ?, ?, ?, ?, ?)",
        );
        self.write(
            row.bind(*id.as_uuid())
                .bind(hash)
                .bind(length)
                .bind(media_type)
                .bind(name)
                .bind(at),
        )
        .await?;
        Ok(id)
    }

    /// A file that was attached.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] also when its row is there and its bytes are gone.
    pub async fn attachment(&self, id: AttachmentId) -> Result<Attachment, StoreError> {
        let missing = || StoreError::NotFound { what: "attachment" };
        let row: Option<(Vec<u8>, String, String)> =
            sqlx::query_as("SELECT content_hash, media_type, name FROM attachments WHERE id = ?")
                .bind(*id.as_uuid())
                .fetch_optional(self.pool())
                .await?;
        let (hash, media_type, name) = row.ok_or_else(missing)?;
        let place = self.place(&hash);
        match blocking(move || std::fs::read(place)).await {
            Ok(bytes) => Ok(Attachment {
                name,
                media_type,
                bytes,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
            Err(error) => Err(error.into()),
        }
    }

    fn place(&self, hash: &[u8]) -> PathBuf {
        let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder().attachments().join(name)
    }
}

/// Work on the disk that may take longer than an async thread should be held.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}
