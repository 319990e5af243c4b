/** The answers that grow, in whichever conversation: a thread that is opened again finds them. */
import type { AppError } from '../bindings/AppError';
import type { ConversationId } from '../bindings/ConversationId';
import type { MessageId } from '../bindings/MessageId';
import type { MessageState } from '../bindings/MessageState';
import type { TurnEvent } from '../bindings/TurnEvent';
import type { TurnStarted } from '../bindings/TurnStarted';
import * as ipc from '../ipc';
import { isLast, type Ended, type ShownMessage } from './message.svelte';
import { attempt, toasts } from './toasts.svelte';

type Hear = (event: TurnEvent) => void;

class Turns {
  #growing = $state.raw<ReadonlyMap<MessageId, { message: ShownMessage; conversation: ConversationId }>>(new Map());
  /** Answers that ended while the store did not say how. */
  readonly #unread = new Set<ShownMessage>();

  /** The answer of that id, while it grows. */
  of(id: MessageId): ShownMessage | undefined {
    return this.#growing.get(id)?.message;
  }

  /** The answer that grows in a conversation. */
  in(conversation: ConversationId): ShownMessage | null {
    for (const one of this.#growing.values()) {
      if (one.conversation === conversation) return one.message;
    }
    return null;
  }

  /** Asks for an answer, and lets it grow in the message that `whose` gives for it. */
  async begin(
    ask: (hear: Hear) => Promise<TurnStarted>,
    whose: (started: TurnStarted) => ShownMessage,
  ): Promise<TurnStarted> {
    // Events may come before the command's own answer says whose they are.
    const early: TurnEvent[] = [];
    let hear: Hear = (event) => void early.push(event);
    const started = await ask((event) => hear(event));
    if (this.#growing.has(started.message_id)) {
      // The thread was read again meanwhile and follows it already: twice would be once too often.
      hear = () => {};
      return started;
    }
    const message = whose(started);
    message.apply({ type: 'started', ...started });
    hear = this.#follow(message, started.conversation_id);
    for (const event of early) hear(event);
    return started;
  }

  /** Follows an answer that began elsewhere: in the other window, or before the page was loaded. */
  async attach(message: ShownMessage, conversation: ConversationId): Promise<void> {
    const hear = this.#follow(message, conversation);
    let runs = false;
    await attempt(async () => {
      runs = await ipc.attachTurn(message.id, hear);
    });
    if (!runs) await this.#settle(message, null);
  }

  /** Asks the store again for what it could not say when the answer ended. */
  async readAgain(): Promise<void> {
    for (const message of this.#unread) {
      const view = await stored(message.id);
      if (view && this.#unread.delete(message)) message.settle(view);
    }
  }

  #follow(message: ShownMessage, conversation: ConversationId): Hear {
    this.#unread.delete(message);
    this.#growing = new Map(this.#growing).set(message.id, { message, conversation });
    return (event) => {
      message.apply(event);
      if (isLast(event)) void this.#settle(message, event);
    };
  }

  async #settle(message: ShownMessage, event: Ended | null): Promise<void> {
    const view = await stored(message.id);
    if (view) message.settle(view);
    else {
      // What had come is shown, and nobody waits for more.
      message.end(...ending(event));
      this.#unread.add(message);
    }
    this.#growing = new Map([...this.#growing].filter(([id]) => id !== message.id));
    if (event?.type === 'finished') toasts.say('The answer is complete.');
    if (event?.type === 'failed') toasts.say(`The answer failed: ${event.error.message}`);
    if (event?.type === 'cancelled') toasts.say('The answer was stopped.');
  }
}

/** The message as it was stored at its end; null when that cannot be read, or is not there yet. */
async function stored(id: MessageId) {
  try {
    const view = await ipc.getMessage(id);
    return view.state === 'streaming' ? null : view;
  } catch {
    return null;
  }
}

function ending(event: Ended | null): [MessageState, AppError | null] {
  switch (event?.type) {
    case 'finished':
      return ['complete', null];
    case 'cancelled':
      return ['cancelled', null];
    case 'failed':
      return ['failed', event.error];
    case undefined:
      return ['interrupted', null];
  }
}

export const turns = new Turns();
