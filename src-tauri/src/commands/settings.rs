//! Settings, endpoints and keys.

use engine::Engine;
use protocol::{
    AppError, Endpoint, EndpointDraft, Model, ModelRef, ProviderId, ProviderState, Secret,
    Settings, VaultState,
};
use tauri::State;

type Answer<T> = Result<T, AppError>;

#[tauri::command]
pub async fn set_default_model(engine: State<'_, Engine>, model: ModelRef) -> Answer<Settings> {
    engine.set_default_model(model).await
}

#[tauri::command]
pub async fn save_settings(engine: State<'_, Engine>, settings: Settings) -> Answer<Settings> {
    engine.save_settings(settings).await
}

#[tauri::command]
pub async fn list_endpoints(engine: State<'_, Engine>) -> Answer<Vec<Endpoint>> {
    engine.endpoints().await
}

#[tauri::command]
pub async fn provider_states(engine: State<'_, Engine>) -> Answer<Vec<ProviderState>> {
    engine.provider_states().await
}

#[tauri::command]
pub async fn save_endpoint(engine: State<'_, Engine>, draft: EndpointDraft) -> Answer<Endpoint> {
    engine.save_endpoint(draft).await
}

#[tauri::command]
pub async fn remove_endpoint(engine: State<'_, Engine>, provider: ProviderId) -> Answer<()> {
    engine.remove_endpoint(&provider).await
}

#[tauri::command]
pub async fn set_key(
    engine: State<'_, Engine>,
    provider: ProviderId,
    secret: String,
) -> Answer<Endpoint> {
    engine.set_key(&provider, Secret::new(secret)).await
}

#[tauri::command]
pub async fn remove_key(engine: State<'_, Engine>, provider: ProviderId) -> Answer<Endpoint> {
    engine.remove_key(&provider).await
}

#[tauri::command]
pub async fn test_endpoint(engine: State<'_, Engine>, provider: ProviderId) -> Answer<Vec<Model>> {
    engine.test_endpoint(&provider).await
}

#[tauri::command]
pub async fn vault_state(engine: State<'_, Engine>) -> Answer<VaultState> {
    Ok(engine.vault_state().await)
}

#[tauri::command]
pub async fn unlock_vault(engine: State<'_, Engine>) -> Answer<VaultState> {
    engine.unlock_vault().await
}

#[tauri::command]
pub async fn keep_keys_for_session(engine: State<'_, Engine>) -> Answer<VaultState> {
    Ok(engine.keep_keys_for_session().await)
}
