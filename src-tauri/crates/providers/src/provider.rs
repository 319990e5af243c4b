//! What can answer: the one interface behind which the in-house model and everyone else's stand.

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use protocol::{Model, ProviderId, Secret, Wire};
use tokio_util::sync::CancellationToken;

use crate::{ProviderError, ProviderEvent, Request};

/// Something that lists models and answers with them.
pub trait Provider: Send + Sync + 'static {
    /// Its name in `provider/model`.
    fn id(&self) -> &ProviderId;

    /// What it speaks: blobs of one wire are not sent on another.
    fn wire(&self) -> Wire;

    /// The models that it offers to this key.
    fn list_models(
        &self,
        key: Option<Secret<String>>,
    ) -> BoxFuture<'static, Result<Vec<Model>, ProviderError>>;

    /// An answer. Every failure comes as an item; after `Finished` or an `Err` the stream ends, and
    /// it always ends with one of the two: an answer that was cut off or cancelled ends with an
    /// `Err` of the kind `Interrupted`. Dropping the stream closes the connection.
    fn stream(
        &self,
        request: Request,
        key: Option<Secret<String>>,
        cancel: CancellationToken,
    ) -> BoxStream<'static, Result<ProviderEvent, ProviderError>>;
}
