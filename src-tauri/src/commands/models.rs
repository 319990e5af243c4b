//! What can answer: the picker's groups and the in-house model's library.

use engine::Engine;
use protocol::{AppError, ErrorCode, LibraryEntry, ModelGroup, PullProgress};
use tauri::ipc::Channel;
use tauri::{AppHandle, State};
use tauri_plugin_dialog::DialogExt;

use crate::link;

#[tauri::command]
pub async fn list_models(
    engine: State<'_, Engine>,
    refresh: bool,
) -> Result<Vec<ModelGroup>, AppError> {
    engine.models(refresh).await
}

#[tauri::command]
pub async fn list_library(engine: State<'_, Engine>) -> Result<Vec<LibraryEntry>, AppError> {
    Ok(engine.library().await)
}

#[tauri::command]
pub async fn pull_model(
    engine: State<'_, Engine>,
    id: String,
    channel: Channel<PullProgress>,
) -> Result<(), AppError> {
    // A window that is gone no longer wants to know; the download goes on.
    let tell = move |progress| drop(channel.send(progress));
    engine.pull(&id, tell).await.map(drop)
}

#[tauri::command]
pub async fn cancel_pull(engine: State<'_, Engine>, id: String) -> Result<(), AppError> {
    engine.cancel_pull(&id);
    Ok(())
}

#[tauri::command]
pub async fn import_model(
    app: AppHandle,
    engine: State<'_, Engine>,
) -> Result<Option<LibraryEntry>, AppError> {
    let (chosen, choice) = tokio::sync::oneshot::channel();
    app.dialog()
        .file()
        .set_title("Choose a model file")
        .add_filter("GGUF models", &["gguf"])
        .pick_file(move |file| drop(chosen.send(file)));
    let Ok(Some(file)) = choice.await else {
        return Ok(None);
    };
    let path = file
        .into_path()
        .map_err(|error| AppError::new(ErrorCode::InvalidRequest, error.to_string()))?;
    engine.import_model(&path).await.map(Some)
}

#[tauri::command]
pub async fn remove_model(engine: State<'_, Engine>, id: String) -> Result<(), AppError> {
    engine.remove_model(&id).await
}

#[tauri::command]
pub async fn reveal_models_folder(engine: State<'_, Engine>) -> Result<(), AppError> {
    link::show_folder(engine.models_dir())
}
