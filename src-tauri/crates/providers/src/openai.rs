//! Any provider that speaks Chat Completions: Ollama, llama-server, vLLM, LM Studio, and every
//! address that a person adds.

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use protocol::{Endpoint, Model, ProviderId, Secret, Wire};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::address::{base_url, runs_at, under};
use crate::catalog::{self, ModelList, Quirks};
use crate::error::classify;
use crate::http::{Call, scrub};
use crate::{
    ErrorKind, Fault, Http, Provider, ProviderError, ProviderEvent, Request, answer, models, wire,
};

/// A provider at an address that speaks Chat Completions.
#[derive(Clone, Debug)]
pub struct OpenAiCompatible {
    id: ProviderId,
    base_url: Url,
    quirks: Quirks,
    http: Http,
}

impl OpenAiCompatible {
    /// The provider of the given endpoint.
    ///
    /// # Errors
    /// `InvalidRequest` when the base URL is none, or when the endpoint speaks another wire.
    pub fn new(endpoint: &Endpoint, http: Http) -> Result<Self, ProviderError> {
        let refused =
            |message| ProviderError::new(ErrorKind::InvalidRequest, &endpoint.id, message);
        if endpoint.wire != Wire::Chat {
            return Err(refused("wire: this version speaks chat alone".to_owned()));
        }
        Ok(Self {
            id: endpoint.id.clone(),
            base_url: base_url(&endpoint.base_url).map_err(|error| refused(error.to_string()))?,
            quirks: catalog::entry(&endpoint.id)
                .map(|entry| entry.quirks.clone())
                .unwrap_or_default(),
            http,
        })
    }

    async fn list(self, key: Option<Secret<String>>) -> Result<Vec<Model>, Fault> {
        let get = |url| Call {
            url,
            key: key.clone(),
            body: None,
        };
        let result = match self.http.send(&get(under(&self.base_url, "/models"))).await {
            Err(fault)
                if fault.kind == ErrorKind::NotFound && self.quirks.models == ModelList::Ollama =>
            {
                let mut tags = self.base_url.clone();
                let path = tags.path().trim_end_matches("/v1").to_owned();
                tags.set_path(&path);
                self.http.send(&get(under(&tags, "/api/tags"))).await
            }
            result => result,
        };
        let mut response = result?;
        let body = self.http.body(&mut response).await?;
        models::read(&self.id, &runs_at(&self.base_url), &body).ok_or_else(|| {
            let in_band = serde_json::from_slice(&body)
                .ok()
                .and_then(|body| classify::in_band(&body));
            in_band.unwrap_or_else(|| {
                classify::no_answer(response.status().as_u16(), response.headers(), &body)
            })
        })
    }
}

impl Provider for OpenAiCompatible {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn wire(&self) -> Wire {
        Wire::Chat
    }

    fn list_models(
        &self,
        key: Option<Secret<String>>,
    ) -> BoxFuture<'static, Result<Vec<Model>, ProviderError>> {
        let provider = self.clone();
        async move {
            let id = provider.id.clone();
            provider.list(key.clone()).await.map_err(|mut fault| {
                if let Some(key) = &key {
                    fault.message = scrub(&fault.message, key);
                }
                fault.at(&id)
            })
        }
        .boxed()
    }

    fn stream(
        &self,
        request: Request,
        key: Option<Secret<String>>,
        cancel: CancellationToken,
    ) -> BoxStream<'static, Result<ProviderEvent, ProviderError>> {
        match wire::encode(Wire::Chat, &request, &self.quirks) {
            Err(fault) => stream::iter([Err(fault.at(&self.id))]).boxed(),
            Ok(body) => {
                let url = under(&self.base_url, "/chat/completions");
                let call = Call {
                    url,
                    key,
                    body: Some(Bytes::from(body)),
                };
                answer::stream(self.id.clone(), Wire::Chat, self.http.clone(), call, cancel)
            }
        }
    }
}
