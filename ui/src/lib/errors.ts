/** What a person is told about each error, and what they can do about it with one click. */
import type { AppError } from '../bindings/AppError';
import type { ErrorCode } from '../bindings/ErrorCode';
import type { MessageState } from '../bindings/MessageState';

/** What a click does. */
export type Action = 'continue' | 'retry' | 'switch-model' | 'set-key' | 'fetch-model' | 'unlock' | 'new-chat';

export const ACTION_LABELS: Record<Action, string> = {
  continue: 'Continue',
  retry: 'Retry',
  'switch-model': 'Switch model',
  'set-key': 'Set key',
  'fetch-model': 'Get model',
  unlock: 'Unlock keyring',
  'new-chat': 'New chat',
};

interface Advice {
  /** A heading of a few words; the error's own message says the rest. */
  title: string;
  actions: Action[];
}

export const ADVICE: Record<ErrorCode, Advice> = {
  auth: { title: 'The key was not accepted', actions: ['set-key', 'retry'] },
  quota: { title: 'The account has no credit left', actions: ['switch-model', 'retry'] },
  rate_limited: { title: 'Too many requests for now', actions: ['retry', 'switch-model'] },
  overloaded: { title: 'The model is busy', actions: ['retry', 'switch-model'] },
  context_overflow: { title: 'This chat no longer fits the model', actions: ['switch-model', 'new-chat'] },
  refused: { title: 'The model declined', actions: ['retry', 'switch-model'] },
  invalid_request: { title: 'The request was not accepted', actions: ['retry', 'switch-model'] },
  not_found: { title: 'It is not there', actions: ['switch-model', 'retry'] },
  network: { title: 'The host could not be reached', actions: ['retry', 'switch-model'] },
  interrupted: { title: 'The answer was cut off', actions: ['continue', 'retry'] },
  model_missing: { title: 'This model is not on this machine yet', actions: ['fetch-model', 'switch-model'] },
  model_invalid: { title: 'The model file cannot be used', actions: ['fetch-model', 'switch-model'] },
  vault_locked: { title: 'The keyring is locked', actions: ['unlock', 'switch-model'] },
  vault_unavailable: { title: 'The keyring does not answer', actions: ['set-key', 'switch-model'] },
  key_lost: { title: 'The keyring no longer holds this key', actions: ['set-key', 'switch-model'] },
  storage: { title: 'It could not be saved, and nothing was changed', actions: ['retry'] },
  read_only: { title: 'This history is shown read-only', actions: [] },
  disk_full: { title: 'The disk is full', actions: ['retry'] },
  local_only: { title: 'Nothing may leave this machine', actions: ['switch-model'] },
  cap_reached: { title: 'The spending cap is reached', actions: ['switch-model'] },
  busy: { title: 'An answer is already being written here', actions: ['retry'] },
  unknown: { title: 'Something went wrong', actions: ['retry', 'switch-model'] },
};

/** What is said under an answer that is not whole. */
export interface Notice extends Advice {
  detail: string;
  severe: boolean;
}

/** The notice for a message's state, or null where none is due. */
export function noticeFor(
  state: MessageState,
  error: AppError | null,
  canContinue: boolean,
  hasText: boolean,
): Notice | null {
  const goOn: Action[] = canContinue ? ['continue'] : [];
  switch (state) {
    case 'streaming':
      return null;
    case 'complete':
      return canContinue
        ? { title: 'The answer ended at a limit', detail: '', actions: goOn, severe: false }
        : null;
    case 'cancelled':
      return { title: 'You stopped this answer', detail: '', actions: canContinue ? goOn : ['retry'], severe: false };
    case 'interrupted': {
      const detail = error?.message ?? (hasText ? 'Everything that had come is kept.' : '');
      return { ...ADVICE.interrupted, actions: [...goOn, 'retry'], detail, severe: false };
    }
    case 'failed': {
      const { title, actions } = ADVICE[error?.code ?? 'unknown'];
      const others = actions.filter((action) => action !== 'continue');
      return { title, actions: [...goOn, ...others], detail: error?.message ?? '', severe: true };
    }
  }
}

/**
 * An error's message as a sentence: errors of the application are lower-case clauses. One that
 * begins with a host, a file or a command keeps its beginning.
 */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (!trimmed) return '';
  const isWord = /^[a-z]+(?=[\s,;:’']|$)/.test(trimmed);
  const first = isWord ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1) : trimmed;
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
