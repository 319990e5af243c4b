/** What a person is told about each error, and what they can do about it with one click. */
import type { AppError } from '../bindings/AppError';
import type { Attempt } from '../bindings/Attempt';
import type { ErrorAction } from '../bindings/ErrorAction';
import type { ErrorCode } from '../bindings/ErrorCode';
import type { MessageState } from '../bindings/MessageState';
import type { ModelRef } from '../bindings/ModelRef';

/** What a click does. */
export type Action =
  | 'continue'
  | 'retry'
  | 'switch-model'
  | 'set-key'
  | 'shorten'
  | 'fetch-model'
  | 'unlock'
  | 'privacy'
  | 'new-chat';

export const ACTION_LABELS: Record<Action, string> = {
  continue: 'Continue',
  retry: 'Retry',
  'switch-model': 'Switch model',
  'set-key': 'Set key',
  shorten: 'Shorten…',
  'fetch-model': 'Get model',
  unlock: 'Unlock keyring',
  privacy: 'Privacy settings',
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
  context_overflow: { title: 'This chat no longer fits the model', actions: ['shorten', 'switch-model', 'new-chat'] },
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
  local_only: { title: 'Kept on this machine', actions: ['switch-model', 'privacy'] },
  cap_reached: { title: 'Stopped at the spending cap', actions: ['switch-model', 'privacy'] },
  busy: { title: 'An answer is already being written here', actions: ['retry'] },
  unknown: { title: 'Something went wrong', actions: ['retry', 'switch-model'] },
};

/** What a click does for the one thing that stands out. Waiting is sending again, only later. */
const CLICK: Record<ErrorAction, Action> = {
  fix_key: 'set-key',
  wait: 'retry',
  switch_model: 'switch-model',
  shorten: 'shorten',
  continue: 'continue',
  retry: 'retry',
};

/** What is said under an answer that is not whole. */
export interface Notice extends Advice {
  detail: string;
  severe: boolean;
  /** Until when sending again makes no sense; null when it does at once. */
  until: number | null;
  /** The provider's id of the request, for a report to it. */
  requestId: string | null;
}

/** What a person can do about an error, the thing that stands out first. */
function ways({ code, action }: AppError): Action[] {
  const others = ADVICE[code].actions;
  return action ? [...new Set([CLICK[action], ...others])] : others;
}

/** The notice for a message's state, or null where none is due; `at` is when it ended. */
export function noticeFor(
  state: MessageState,
  error: AppError | null,
  canContinue: boolean,
  hasText: boolean,
  at: number | null = null,
): Notice | null {
  const goOn: Action[] = canContinue ? ['continue'] : [];
  const plain = { detail: '', severe: false, until: null, requestId: error?.request_id ?? null };
  switch (state) {
    case 'streaming':
      return null;
    case 'complete':
      return canContinue ? { ...plain, title: 'The answer ended at a limit', actions: goOn } : null;
    case 'cancelled':
      return { ...plain, title: 'You stopped this answer', actions: canContinue ? goOn : ['retry'] };
    case 'interrupted': {
      const detail = error?.message ?? (hasText ? 'Everything that had come is kept.' : '');
      return { ...plain, ...ADVICE.interrupted, actions: [...goOn, 'retry'], detail };
    }
    case 'failed': {
      const failure: AppError = error ?? { code: 'unknown', message: '' };
      const others = ways(failure).filter((action) => action !== 'continue');
      const wait = failure.retry_after_ms;
      return {
        ...plain,
        title: ADVICE[failure.code].title,
        actions: [...goOn, ...others],
        detail: failure.message,
        severe: true,
        until: wait !== undefined && at !== null ? at + wait : null,
      };
    }
  }
}

/** What is found out before anything leaves this machine. */
const NOT_SENT: ReadonlySet<ErrorCode> = new Set([
  'local_only',
  'cap_reached',
  'vault_locked',
  'vault_unavailable',
  'key_lost',
  'model_missing',
  'model_invalid',
  'storage',
  'disk_full',
] satisfies ErrorCode[]);

/** Whether a model was asked at all: the one of a message, or one before it. */
export const wasSent = (error: AppError | null, attempts: Attempt[]): boolean =>
  error === null || ![error, ...attempts.map((attempt) => attempt.error)].every(({ code }) => NOT_SENT.has(code));

/** Why a model was passed over, as the end of a clause that begins with its name. */
export const PASSED_OVER: Record<ErrorCode, string> = {
  auth: 'did not accept the key',
  quota: 'has no credit left',
  rate_limited: 'had too many requests',
  overloaded: 'was overloaded',
  context_overflow: 'could not hold this chat',
  refused: 'declined',
  invalid_request: 'did not accept the request',
  not_found: 'was not there',
  network: 'could not be reached',
  interrupted: 'broke off',
  model_missing: 'is not on this machine',
  model_invalid: 'cannot be used',
  vault_locked: 'has its key in a locked keyring',
  vault_unavailable: 'has its key in a keyring that does not answer',
  key_lost: 'has lost its key',
  storage: 'could not be asked',
  read_only: 'could not be asked',
  disk_full: 'could not be asked',
  local_only: 'is not on this machine',
  cap_reached: 'is over its spending cap',
  busy: 'was busy',
  unknown: 'did not answer',
};

/** Why another model than the chosen one answers, as a clause: `A was overloaded and B declined`. */
export function passedOver(attempts: Attempt[], nameOf: (model: ModelRef) => string): string | null {
  const clauses = attempts.map(({ model, error }) => `${nameOf(model)} ${PASSED_OVER[error.code]}`);
  const last = clauses.pop();
  if (!last) return null;
  return clauses.length ? `${clauses.join(', ')} and ${last}` : last;
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
