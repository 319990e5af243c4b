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
use crate::answer::{self, Reword};
use crate::catalog::{self, ModelList, Quirks, UsageRequest};
use crate::error::classify;
use crate::http::{Ask, Call};
use crate::ollama::Ollama;
use crate::{
    ErrorKind, Fault, Http, Provider, ProviderError, ProviderEvent, Request, dialect, models, wire,
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
        let quirks = catalog::entry(&endpoint.id)
            .map(|entry| entry.quirks.clone())
            .unwrap_or_default();
        let mut base_url =
            base_url(&endpoint.base_url).map_err(|error| refused(error.to_string()))?;
        // Ollama's own documents name the server alone, which is the address of its other API.
        if quirks.models == ModelList::Ollama && base_url.path() == "/" {
            base_url.set_path("/v1");
        }
        Ok(Self {
            id: endpoint.id.clone(),
            base_url,
            quirks,
            http,
        })
    }

    async fn list(self, key: Option<Secret<String>>) -> Result<Vec<Model>, Fault> {
        let ollama = (self.quirks.models == ModelList::Ollama).then(|| {
            let mut root = self.base_url.clone();
            let path = root.path().trim_end_matches("/v1").to_owned();
            root.set_path(&path);
            Ollama {
                http: &self.http,
                root,
                key: key.as_ref(),
            }
        });
        let call = Call {
            url: under(&self.base_url, "/models"),
            key: key.clone(),
            ask: Ask::List,
        };
        let mut response = match (self.http.send(&call).await, &ollama) {
            (Err(fault), Some(ollama)) if fault.kind == ErrorKind::NotFound => {
                self.http.send(&ollama.tags()).await?
            }
            (result, _) => result?,
        };
        let body = self.http.body(&mut response).await?;
        let models = models::read(&self.id, &runs_at(&self.base_url), &body).ok_or_else(|| {
            let in_body = serde_json::from_slice(&body)
                .ok()
                .and_then(|body| classify::in_body(&body));
            in_body.unwrap_or_else(|| {
                classify::no_answer(response.status().as_u16(), response.headers(), &body)
            })
        })?;
        match ollama {
            Some(ollama) => Ok(ollama.complete(models).await),
            None => Ok(models),
        }
    }

    /// The error with what is likely wrong with the address: the path is easily forgotten.
    fn hinted(&self, mut error: ProviderError) -> ProviderError {
        let bare = matches!(self.base_url.path(), "" | "/");
        let no_model = error.code.as_deref() == Some("model_not_found");
        if error.kind == ErrorKind::NotFound && bare && !no_model {
            let base = self.base_url.as_str().trim_end_matches('/');
            error.message += &format!("; if this is the server's bare address, try {base}/v1");
        }
        error
    }

    /// What to send after a refusal, so long as there is something to leave out.
    fn reword(&self, request: Request, mut sent: Quirks) -> Reword {
        let provider = self.clone();
        Box::new(move |fault| {
            sent = dialect::reworded(&sent, &request, fault)?;
            if sent.usage == UsageRequest::Unasked {
                provider.http.refusals().remember(&provider.base_url);
            }
            let body = wire::encode(Wire::Chat, Some(&provider.id), &request, &sent);
            body.ok().map(Bytes::from)
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
            let listed = provider.clone().list(key.clone()).await;
            listed.map_err(|fault| provider.hinted(fault.scrubbed(key.as_ref()).at(&provider.id)))
        }
        .boxed()
    }

    fn stream(
        &self,
        request: Request,
        key: Option<Secret<String>>,
        cancel: CancellationToken,
    ) -> BoxStream<'static, Result<ProviderEvent, ProviderError>> {
        let mut quirks = self.quirks.clone();
        if self.http.refusals().knows(&self.base_url) {
            quirks.usage = UsageRequest::Unasked;
        }
        let body = match wire::encode(Wire::Chat, Some(&self.id), &request, &quirks) {
            Ok(body) => Bytes::from(body),
            Err(fault) => return stream::iter([Err(fault.at(&self.id))]).boxed(),
        };
        let call = Call {
            url: under(&self.base_url, "/chat/completions"),
            key,
            ask: Ask::Answer(body),
        };
        let reword = self.reword(request, quirks);
        let (id, http) = (self.id.clone(), self.http.clone());
        let provider = self.clone();
        answer::stream(id, Wire::Chat, http, call, reword, cancel)
            .map(move |item| item.map_err(|error| provider.hinted(error)))
            .boxed()
    }
}
