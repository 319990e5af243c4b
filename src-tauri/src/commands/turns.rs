//! Asking for answers, and following them while they grow.

use engine::{Engine, TurnStream};
use protocol::{
    AppError, EditMessage, MessageId, Preflight, PreflightRequest, RegenerateMessage, SendMessage,
    TurnEvent, TurnId, TurnStarted,
};
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager, State, WebviewWindow};

use crate::window::Tasks;
use crate::windows::Windows;

/// What would be lost if a message were sent now.
#[tauri::command]
pub async fn preflight(
    engine: State<'_, Engine>,
    request: PreflightRequest,
) -> Result<Preflight, AppError> {
    engine.preflight(request).await
}

#[tauri::command]
pub async fn send_message(
    window: WebviewWindow,
    engine: State<'_, Engine>,
    request: SendMessage,
    channel: Channel<TurnEvent>,
) -> Result<TurnStarted, AppError> {
    let started = engine.send(request).await?;
    follow(&window, &engine, started.message_id, channel);
    Ok(started)
}

#[tauri::command]
pub async fn edit_message(
    window: WebviewWindow,
    engine: State<'_, Engine>,
    request: EditMessage,
    channel: Channel<TurnEvent>,
) -> Result<TurnStarted, AppError> {
    let started = engine.edit(request).await?;
    follow(&window, &engine, started.message_id, channel);
    Ok(started)
}

#[tauri::command]
pub async fn regenerate_message(
    window: WebviewWindow,
    engine: State<'_, Engine>,
    request: RegenerateMessage,
    channel: Channel<TurnEvent>,
) -> Result<TurnStarted, AppError> {
    let started = engine.regenerate(request).await?;
    follow(&window, &engine, started.message_id, channel);
    Ok(started)
}

#[tauri::command]
pub async fn continue_message(
    window: WebviewWindow,
    engine: State<'_, Engine>,
    message_id: MessageId,
    channel: Channel<TurnEvent>,
) -> Result<TurnStarted, AppError> {
    let started = engine.continue_answer(message_id).await?;
    follow(&window, &engine, started.message_id, channel);
    Ok(started)
}

/// Follows an answer that is growing already; false when it grows no more.
#[tauri::command]
pub async fn attach_turn(
    window: WebviewWindow,
    engine: State<'_, Engine>,
    message_id: MessageId,
    channel: Channel<TurnEvent>,
) -> Result<bool, AppError> {
    Ok(follow(&window, &engine, message_id, channel))
}

#[tauri::command]
pub async fn cancel_turn(engine: State<'_, Engine>, turn_id: TurnId) -> Result<(), AppError> {
    engine.cancel(turn_id);
    Ok(())
}

fn follow(
    window: &WebviewWindow,
    engine: &Engine,
    message_id: MessageId,
    channel: Channel<TurnEvent>,
) -> bool {
    let Some(stream) = engine.attach(message_id) else {
        return false;
    };
    let app = window.app_handle();
    let label = window.label().to_owned();
    let engine = engine.clone();
    app.state::<Tasks>()
        .run(app, |app| present(app, engine, label, stream, channel));
    true
}

async fn present(
    app: AppHandle,
    engine: Engine,
    label: String,
    stream: TurnStream,
    channel: Channel<TurnEvent>,
) {
    let visible = app.state::<Windows>().follow(&label);
    let mut presenter = engine.present(stream, visible);
    while let Some(event) = presenter.next().await {
        // A page that was loaded anew has no ear for this channel: it attaches again by itself.
        if channel.send(event).is_err() {
            return;
        }
    }
}
