/**
 * The only door to the application. Every command of the shell is one typed function here, every
 * event one `on…`. In a plain browser a fake stands behind the door; production builds leave it out.
 */
import { Channel, invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';

import type { AppError } from './bindings/AppError';
import type { Check } from './bindings/Check';
import type { Conversation } from './bindings/Conversation';
import type { ConversationId } from './bindings/ConversationId';
import type { ConversationSummary } from './bindings/ConversationSummary';
import type { EditMessage } from './bindings/EditMessage';
import type { Endpoint } from './bindings/Endpoint';
import type { EndpointDraft } from './bindings/EndpointDraft';
import type { Estimate } from './bindings/Estimate';
import type { EstimateRequest } from './bindings/EstimateRequest';
import type { HotkeyState } from './bindings/HotkeyState';
import type { LedgerPage } from './bindings/LedgerPage';
import type { LibraryEntry } from './bindings/LibraryEntry';
import type { MessageId } from './bindings/MessageId';
import type { MessageView } from './bindings/MessageView';
import type { Model } from './bindings/Model';
import type { ModelGroup } from './bindings/ModelGroup';
import type { ModelRef } from './bindings/ModelRef';
import type { Preflight } from './bindings/Preflight';
import type { PreflightRequest } from './bindings/PreflightRequest';
import type { ProviderId } from './bindings/ProviderId';
import type { ProviderState } from './bindings/ProviderState';
import type { PullProgress } from './bindings/PullProgress';
import type { RegenerateMessage } from './bindings/RegenerateMessage';
import type { SearchHit } from './bindings/SearchHit';
import type { SendMessage } from './bindings/SendMessage';
import type { Settings } from './bindings/Settings';
import type { Spend } from './bindings/Spend';
import type { Spending } from './bindings/Spending';
import type { Start } from './bindings/Start';
import type { ThreadView } from './bindings/ThreadView';
import type { TurnEvent } from './bindings/TurnEvent';
import type { TurnId } from './bindings/TurnId';
import type { TurnStarted } from './bindings/TurnStarted';
import type { VaultState } from './bindings/VaultState';

/** What stands behind the door. */
export interface Backend {
  invoke<T>(command: string, args?: Record<string, unknown>): Promise<T>;
  channel<T>(hear: (message: T) => void): unknown;
  listen<T>(event: string, hear: (payload: T) => void): Promise<() => void>;
}

const tauri: Backend = {
  invoke,
  channel: <T>(hear: (message: T) => void) => new Channel<T>(hear),
  listen: (event, hear) => listen(event, ({ payload }) => hear(payload as never)),
};

let backend = tauri;

/** Puts another backend behind the door: tests and the fake. */
export function setBackend(other: Backend): void {
  backend = other;
}

/** Opens the door; call it before anything else. */
export async function open(): Promise<void> {
  if (__FAKE__ && !('__TAURI_INTERNALS__' in window)) {
    setBackend((await import('./dev/fake')).fake());
  }
}

type Hear<T> = (message: T) => void;
const call = <T = void>(command: string, args?: Record<string, unknown>) =>
  backend.invoke<T>(command, args);
const turn = (command: string, args: Record<string, unknown>, hear: Hear<TurnEvent>) =>
  call<TurnStarted>(command, { ...args, channel: backend.channel(hear) });

export const start = () => call<Start>('start');
export const listConversations = (offset: number, limit: number) =>
  call<ConversationSummary[]>('list_conversations', { offset, limit });
export const search = (query: string, limit: number) =>
  call<SearchHit[]>('search', { query, limit });
export const openThread = (conversationId: ConversationId, before: number | null, limit: number) =>
  call<ThreadView>('open_thread', { conversationId, before, limit });
export const openThreadAround = (conversationId: ConversationId, messageId: MessageId, limit: number) =>
  call<ThreadView>('open_thread_around', { conversationId, messageId, limit });
export const getMessage = (messageId: MessageId) =>
  call<MessageView>('get_message', { messageId });
export const messageSource = (messageId: MessageId) =>
  call<string>('message_source', { messageId });

export const sendMessage = (request: SendMessage, hear: Hear<TurnEvent>) =>
  turn('send_message', { request }, hear);
export const editMessage = (request: EditMessage, hear: Hear<TurnEvent>) =>
  turn('edit_message', { request }, hear);
export const regenerateMessage = (request: RegenerateMessage, hear: Hear<TurnEvent>) =>
  turn('regenerate_message', { request }, hear);
export const continueMessage = (messageId: MessageId, hear: Hear<TurnEvent>) =>
  turn('continue_message', { messageId }, hear);
export const attachTurn = (messageId: MessageId, hear: Hear<TurnEvent>) =>
  call<boolean>('attach_turn', { messageId, channel: backend.channel(hear) });
export const cancelTurn = (turnId: TurnId) => call('cancel_turn', { turnId });

export const selectSibling = (messageId: MessageId) =>
  call<ThreadView>('select_sibling', { messageId });
export const renameConversation = (conversationId: ConversationId, title: string) =>
  call('rename_conversation', { conversationId, title });
export const pinConversation = (conversationId: ConversationId, pinned: boolean) =>
  call('pin_conversation', { conversationId, pinned });
export const deleteConversation = (conversationId: ConversationId) =>
  call('delete_conversation', { conversationId });
export const restoreConversation = (conversationId: ConversationId) =>
  call('restore_conversation', { conversationId });
export const setConversationModel = (conversationId: ConversationId, model: ModelRef) =>
  call('set_conversation_model', { conversationId, model });

export const setConversationFailover = (conversationId: ConversationId, failover: ModelRef[] | null) =>
  call('set_conversation_failover', { conversationId, failover });
export const setConversationLocalOnly = (conversationId: ConversationId, localOnly: boolean) =>
  call<Conversation>('set_conversation_local_only', { conversationId, localOnly });
export const preflight = (request: PreflightRequest) => call<Preflight>('preflight', { request });
export const estimate = (request: EstimateRequest) => call<Estimate>('estimate', { request });

export const listModels = (refresh: boolean) => call<ModelGroup[]>('list_models', { refresh });
export const saveSettings = (settings: Settings) => call<Settings>('save_settings', { settings });
export const setDefaultModel = (model: ModelRef) => call<Settings>('set_default_model', { model });

export const listEndpoints = () => call<Endpoint[]>('list_endpoints');
export const providerStates = () => call<ProviderState[]>('provider_states');
export const saveEndpoint = (draft: EndpointDraft) => call<Endpoint>('save_endpoint', { draft });
export const removeEndpoint = (provider: ProviderId) => call('remove_endpoint', { provider });
export const setKey = (provider: ProviderId, secret: string) =>
  call<Endpoint>('set_key', { provider, secret });
export const removeKey = (provider: ProviderId) => call('remove_key', { provider });
export const testEndpoint = (provider: ProviderId) => call<Model[]>('test_endpoint', { provider });

export const ledger = (days: number, before: number | null, limit: number) =>
  call<LedgerPage>('ledger', { days, before, limit });
export const conversationSpend = (conversationId: ConversationId) =>
  call<Spend>('conversation_spend', { conversationId });
export const spending = (days: number) => call<Spending>('spending', { days });

export const vaultState = () => call<VaultState>('vault_state');
export const unlockVault = () => call<VaultState>('unlock_vault');
export const keepKeysForSession = () => call<VaultState>('keep_keys_for_session');

export const listLibrary = () => call<LibraryEntry[]>('list_library');
export const pullModel = (id: string, hear: Hear<PullProgress>) =>
  call('pull_model', { id, channel: backend.channel(hear) });
export const cancelPull = (id: string) => call('cancel_pull', { id });
export const importModel = () => call<LibraryEntry | null>('import_model');
export const removeModel = (id: string) => call('remove_model', { id });
export const revealModelsFolder = () => call('reveal_models_folder');

export const hotkeyState = () => call<HotkeyState>('hotkey_state');
export const setHotkey = (key: string) => call<HotkeyState>('set_hotkey', { key });
export const openLink = (url: string) => call('open_link', { url });
export const pageReady = () => call('page_ready');
export const hideQuick = () => call('hide_quick');
export const openInMain = (conversationId: ConversationId | null) =>
  call('open_in_main', { conversationId });
export const resizeQuick = (height: number) => call('resize_quick', { height });
export const doctor = () => call<Check[]>('doctor');
export const restoreSnapshot = (name: string) => call('restore_snapshot', { name });

export const onConversationsChanged = (hear: () => void) =>
  backend.listen('conversations-changed', hear);
export const onModelsChanged = (hear: () => void) => backend.listen('models-changed', hear);
export const onLibraryChanged = (hear: () => void) => backend.listen('library-changed', hear);
export const onSettingsChanged = (hear: Hear<Settings>) => backend.listen('settings-changed', hear);
export const onHotkeyChanged = (hear: Hear<HotkeyState>) => backend.listen('hotkey-changed', hear);
export const onOpenConversation = (hear: Hear<ConversationId>) =>
  backend.listen('open-conversation', hear);
export const onNewChat = (hear: () => void) => backend.listen('new-chat', hear);
export const onSummoned = (hear: () => void) => backend.listen('summoned', hear);

/** Whatever was thrown, as an error of the closed set. */
export function asAppError(thrown: unknown): AppError {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'message' in thrown) {
    return thrown as AppError;
  }
  return { code: 'unknown', message: thrown instanceof Error ? thrown.message : String(thrown) };
}
