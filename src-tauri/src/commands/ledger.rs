//! What left the machine, what it cost, and what may not leave it.

use engine::Engine;
use protocol::{
    AppError, Conversation, ConversationId, Estimate, EstimateRequest, LedgerPage, Spend, Spending,
};
use tauri::State;

type Answer<T> = Result<T, AppError>;

#[tauri::command]
pub async fn ledger(
    engine: State<'_, Engine>,
    days: u32,
    before: Option<i64>,
    limit: u32,
) -> Answer<LedgerPage> {
    engine.ledger(days, before, limit).await
}

#[tauri::command]
pub async fn spending(engine: State<'_, Engine>, days: u32) -> Answer<Spending> {
    engine.spending(days).await
}

#[tauri::command]
pub async fn conversation_spend(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
) -> Answer<Spend> {
    engine.conversation_spend(conversation_id).await
}

#[tauri::command]
pub async fn set_conversation_local_only(
    engine: State<'_, Engine>,
    conversation_id: ConversationId,
    local_only: bool,
) -> Answer<Conversation> {
    engine.set_local_only(conversation_id, local_only).await
}

#[tauri::command]
pub async fn estimate(engine: State<'_, Engine>, request: EstimateRequest) -> Answer<Estimate> {
    engine.estimate(request).await
}
