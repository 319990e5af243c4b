/** What is shown of a new message and conversation before the store was read. */
import type { Conversation } from '../bindings/Conversation';
import type { MessageId } from '../bindings/MessageId';
import type { MessageView } from '../bindings/MessageView';
import type { ModelRef } from '../bindings/ModelRef';
import type { TurnStarted } from '../bindings/TurnStarted';

/** A message as it is before the store was read: enough to be shown at once. */
export function draft(
  id: MessageId,
  role: MessageView['role'],
  parent_id: MessageId | null,
  model: ModelRef | null,
  text?: string,
): MessageView {
  return {
    id,
    parent_id,
    role,
    state: role === 'user' ? 'complete' : 'streaming',
    parts: text === undefined ? [] : [{ type: 'plain', text }],
    siblings: [id],
    model,
    served_by: null,
    runs_at: null,
    usage: null,
    stop_reason: null,
    error: null,
    can_continue: false,
    created_at: Date.now(),
    first_token_at: null,
    finished_at: null,
  };
}

/** A conversation as its first message begins it. */
export function beginning({ conversation_id, model, message_id }: TurnStarted): Conversation {
  const now = Date.now();
  return {
    id: conversation_id,
    title: '',
    title_is_own: false,
    model,
    leaf: message_id,
    pinned: false,
    created_at: now,
    updated_at: now,
    deleted_at: null,
  };
}
