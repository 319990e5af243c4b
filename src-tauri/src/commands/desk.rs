//! What concerns the desktop around the windows: the hotkey, links, the quick window, the checks.

use engine::Engine;
use protocol::{AppError, Check, ConversationId, HotkeyState};
use tauri::{AppHandle, Emitter, State, WebviewWindow};

use crate::hotkey::Hotkey;
use crate::{doctor, link, windows};

#[tauri::command]
pub async fn hotkey_state(hotkey: State<'_, Hotkey>) -> Result<HotkeyState, AppError> {
    Ok(hotkey.state())
}

/// Takes another key; only one that could be had is remembered, and only one that is remembered is
/// held.
#[tauri::command]
pub async fn set_hotkey(
    engine: State<'_, Engine>,
    hotkey: State<'_, Hotkey>,
    key: String,
) -> Result<HotkeyState, AppError> {
    let before = engine.settings().await?.hotkey;
    let state = hotkey.set(&key).await;
    if !matches!(state, HotkeyState::Failed { .. })
        && let Err(error) = engine.set_hotkey(key).await
    {
        hotkey.set(&before).await;
        return Err(error);
    }
    Ok(state)
}

#[tauri::command]
pub async fn open_link(url: String) -> Result<(), AppError> {
    link::open(&url)
}

/// The window's page stands and listens.
#[tauri::command]
pub async fn page_ready(window: WebviewWindow) -> Result<(), AppError> {
    windows::page_ready(&window);
    Ok(())
}

#[tauri::command]
pub async fn hide_quick(app: AppHandle) -> Result<(), AppError> {
    windows::hide_quick(&app);
    Ok(())
}

/// Hands the quick window's conversation to the main window.
#[tauri::command]
pub async fn open_in_main(
    app: AppHandle,
    conversation_id: Option<ConversationId>,
) -> Result<(), AppError> {
    windows::hide_quick(&app);
    windows::show_main(&app);
    if let Some(id) = conversation_id
        && let Err(error) = app.emit_to(windows::MAIN, "open-conversation", id)
    {
        tracing::warn!(%error, "the main window was not told which conversation to open");
    }
    Ok(())
}

#[tauri::command]
pub async fn resize_quick(app: AppHandle, height: f64) -> Result<(), AppError> {
    windows::resize_quick(&app, height)
}

#[tauri::command]
pub async fn doctor(
    engine: State<'_, Engine>,
    hotkey: State<'_, Hotkey>,
) -> Result<Vec<Check>, AppError> {
    Ok(doctor::checks(&engine, &hotkey.state()).await)
}
