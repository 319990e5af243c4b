//! What the windows may ask for. Each command takes its arguments, calls the engine and hands back
//! what it says; whatever takes thought is done there. A command exists for a window only when it
//! is listed in `permissions/` and granted in `capabilities/`; a test compares the three lists.

mod conversations;
mod desk;
mod ledger;
mod models;
mod settings;
mod turns;

/// Every command of the application.
pub fn handler() -> impl Fn(tauri::ipc::Invoke) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        conversations::start,
        conversations::list_conversations,
        conversations::search,
        conversations::open_thread,
        conversations::open_thread_around,
        conversations::get_message,
        conversations::message_source,
        conversations::select_sibling,
        conversations::rename_conversation,
        conversations::pin_conversation,
        conversations::delete_conversation,
        conversations::restore_conversation,
        conversations::set_conversation_model,
        conversations::set_conversation_failover,
        conversations::restore_snapshot,
        turns::preflight,
        turns::send_message,
        turns::edit_message,
        turns::regenerate_message,
        turns::continue_message,
        turns::attach_turn,
        turns::cancel_turn,
        models::list_models,
        models::list_library,
        models::pull_model,
        models::cancel_pull,
        models::import_model,
        models::remove_model,
        models::reveal_models_folder,
        settings::set_default_model,
        settings::save_settings,
        settings::list_endpoints,
        settings::provider_states,
        settings::save_endpoint,
        settings::remove_endpoint,
        settings::set_key,
        settings::remove_key,
        settings::test_endpoint,
        settings::vault_state,
        settings::unlock_vault,
        settings::keep_keys_for_session,
        ledger::ledger,
        ledger::spending,
        ledger::conversation_spend,
        ledger::set_conversation_local_only,
        ledger::estimate,
        desk::hotkey_state,
        desk::set_hotkey,
        desk::open_link,
        desk::page_ready,
        desk::hide_quick,
        desk::open_in_main,
        desk::resize_quick,
        desk::doctor,
    ]
}
