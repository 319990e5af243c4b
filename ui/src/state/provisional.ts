/** What is shown of a new message and conversation before the store was read. */
import type { Conversation } from '../bindings/Conversation';
import type { MessageId } from '../bindings/MessageId';
import type { MessageView } from '../bindings/MessageView';
import type { ModelRef } from '../bindings/ModelRef';
import type { TurnStarted } from '../bindings/TurnStarted';
import { ShownMessage } from './message.svelte';

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
    cost: null,
    stop_reason: null,
    error: null,
    attempts: [],
    can_continue: false,
    created_at: Date.now(),
    first_token_at: null,
    finished_at: null,
  };
}

/**
 * Where a new question and its answer stand: after all that is shown, or in the place of a message
 * that was worded or answered anew, and of what followed it.
 */
export function placing(
  messages: ShownMessage[],
  { user_message_id: asked }: TurnStarted,
  answer: ShownMessage,
  text: string | null,
  instead: ShownMessage | null,
): { kept: ShownMessage[]; placed: ShownMessage[] } {
  const at = instead ? messages.findIndex(({ id }) => id === instead.id) : -1;
  const before = at < 0 ? messages : messages.slice(0, at);
  // Of what was read again meanwhile nothing stands here twice.
  const kept = before.filter(({ id }) => id !== asked && id !== answer.id);
  const question = asked
    ? [new ShownMessage(draft(asked, 'user', kept.at(-1)?.id ?? null, null, text ?? ''))]
    : [];
  return { kept, placed: [...question, answer] };
}

/** A conversation as its first message begins it. */
export function beginning({ conversation_id, model, message_id }: TurnStarted): Conversation {
  const now = Date.now();
  return {
    id: conversation_id,
    title: '',
    title_is_own: false,
    model,
    failover: null,
    local_only: false,
    leaf: message_id,
    pinned: false,
    created_at: now,
    updated_at: now,
    deleted_at: null,
  };
}
