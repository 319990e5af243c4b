//! Reading and arranging conversations.

use engine::Engine;
use protocol::{
    AppError, ConversationId, ConversationSummary, MessageId, MessageView, ModelRef, SearchHit,
    Start, StoreState, ThreadView,
};
use tauri::State;

type Answer<T> = Result<T, AppError>;

#[tauri::command]
pub async fn start(engine: State<'_, Engine>) -> Answer<Start> {
    engine.start().await
}

#[tauri::command]
pub async fn list_conversations(
    engine: State<'_, Engine>,
    offset: u32,
    limit: u32,
) -> Answer<Vec<ConversationSummary>> {
    engine.conversations(offset, limit).await
}

#[tauri::command]
pub async fn search(
    engine: State<'_, Engine>,
    query: String,
    limit: u32,
) -> Answer<Vec<SearchHit>> {
    engine.search(&query, limit).await
}

#[tauri::command]
pub async fn open_thread(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
    before: Option<u32>,
    limit: u32,
) -> Answer<ThreadView> {
    engine.thread(conversation_id, before, limit).await
}

#[tauri::command]
pub async fn open_thread_around(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
    message_id: MessageId,
    limit: u32,
) -> Answer<ThreadView> {
    engine
        .thread_around(conversation_id, message_id, limit)
        .await
}

#[tauri::command]
pub async fn get_message(engine: State<'_, Engine>, message_id: MessageId) -> Answer<MessageView> {
    engine.message(message_id).await
}

#[tauri::command]
pub async fn message_source(engine: State<'_, Engine>, message_id: MessageId) -> Answer<String> {
    engine.source(message_id).await
}

#[tauri::command]
pub async fn select_sibling(
    engine: State<'_, Engine>,
    message_id: MessageId,
) -> Answer<ThreadView> {
    engine.select_sibling(message_id).await
}

#[tauri::command]
pub async fn rename_conversation(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
    title: String,
) -> Answer<()> {
    engine.rename(conversation_id, &title).await
}

#[tauri::command]
pub async fn pin_conversation(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
    pinned: bool,
) -> Answer<()> {
    engine.pin(conversation_id, pinned).await
}

#[tauri::command]
pub async fn delete_conversation(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
) -> Answer<()> {
    engine.trash(conversation_id).await
}

#[tauri::command]
pub async fn restore_conversation(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
) -> Answer<()> {
    engine.restore(conversation_id).await
}

#[tauri::command]
pub async fn set_conversation_model(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
    model: ModelRef,
) -> Answer<()> {
    engine.set_model(conversation_id, &model).await
}

#[tauri::command]
pub async fn set_conversation_failover(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
    failover: Option<Vec<ModelRef>>,
) -> Answer<()> {
    engine.set_failover(conversation_id, failover).await
}

#[tauri::command]
pub async fn restore_snapshot(engine: State<'_, Engine>, name: String) -> Answer<StoreState> {
    engine.restore_snapshot(&name).await
}
