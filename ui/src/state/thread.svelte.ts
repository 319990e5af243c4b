/** The open conversation: its shown branch, the answers that grow in it, and what is done to them. */
import type { Conversation } from '../bindings/Conversation';
import type { ConversationId } from '../bindings/ConversationId';
import type { MessageId } from '../bindings/MessageId';
import type { MessageView } from '../bindings/MessageView';
import type { ModelRef } from '../bindings/ModelRef';
import type { SearchHit } from '../bindings/SearchHit';
import type { ThreadView } from '../bindings/ThreadView';
import type { TurnEvent } from '../bindings/TurnEvent';
import type { TurnStarted } from '../bindings/TurnStarted';
import * as ipc from '../ipc';
import { app } from './app.svelte';
import { isLast, ShownMessage } from './message.svelte';
import { attempt, toasts } from './toasts.svelte';

const PAGE = 50;
/** A search hit far up is looked for in larger steps. */
const FAR_PAGE = 200;

/** Answers that grow in any conversation: one that is opened again goes on where it is. */
const growing = new Map<MessageId, ShownMessage>();

class Thread {
  /** Null while a new chat waits for its first message. */
  id = $state<ConversationId | null>(null);
  conversation = $state.raw<Conversation | null>(null);
  messages = $state.raw<ShownMessage[]>([]);
  /** How many messages of the branch stand before the first one here. */
  before = $state(0);
  /** How many stand after the last one here: some do when a search hit far up was opened. */
  after = $state(0);
  phase = $state<'idle' | 'opening' | 'sending' | 'paging'>('idle');
  /** A message to bring into view and mark. */
  target = $state<MessageId | null>(null);
  /** The model picked for a chat that has not begun. */
  picked = $state<ModelRef | null>(null);
  /** Conversations in which an answer grows. */
  busy = $state.raw<ReadonlySet<ConversationId>>(new Set());

  get model(): ModelRef {
    return this.conversation?.model ?? this.picked ?? app.defaultModel;
  }

  /** The answer that grows here. */
  get growing(): ShownMessage | null {
    return this.messages.findLast((message) => message.grows) ?? null;
  }

  newChat(): void {
    this.id = null;
    this.conversation = null;
    this.messages = [];
    this.before = 0;
    this.after = 0;
    this.target = null;
    this.phase = 'idle';
  }

  async open(id: ConversationId): Promise<void> {
    this.id = id;
    this.target = null;
    this.phase = 'opening';
    await attempt(async () => {
      const view = await ipc.openThread(id, null, PAGE);
      if (this.id === id) this.#show(view);
    });
    if (this.id === id) this.phase = 'idle';
  }

  /** Opens a conversation at a message, on whichever branch it stands. */
  async openHit({ conversation_id: id, message_id }: SearchHit): Promise<void> {
    const has = () => this.id === id && this.messages.some((message) => message.id === message_id);
    if (!has()) {
      this.id = id;
      this.target = null;
      this.phase = 'opening';
      await attempt(async () => {
        if (await this.#showPageOf(id, message_id)) return;
        // It stands on another branch than the one that is shown.
        await ipc.selectSibling(message_id);
        await this.#showPageOf(id, message_id);
      });
      if (this.id === id) this.phase = 'idle';
    }
    if (has()) this.target = message_id;
  }

  /** Shows the page of the branch that holds a message, and only that: false when none does. */
  async #showPageOf(id: ConversationId, message: MessageId): Promise<boolean> {
    let after = 0;
    let before: number | null = null;
    do {
      const view: ThreadView = await ipc.openThread(id, before, FAR_PAGE);
      if (this.id !== id) return true;
      if (view.messages.some((one) => one.id === message)) {
        this.#show(view, after);
        return true;
      }
      after += view.messages.length;
      before = view.before;
    } while (before > 0);
    return false;
  }

  /** Loads a page of older messages. */
  async older(): Promise<void> {
    const { id, before } = this;
    if (!id || before === 0 || this.phase !== 'idle') return;
    this.phase = 'paging';
    await attempt(async () => {
      const page = await ipc.openThread(id, before, PAGE);
      if (this.id !== id || this.before !== before) return;
      this.messages = [...page.messages.map((view) => this.#adopt(view)), ...this.messages];
      this.before = page.before;
    });
    if (this.id === id) this.phase = 'idle';
  }

  /** Loads a page of newer messages, below a search hit. */
  async newer(): Promise<void> {
    const { id, before, after, messages } = this;
    if (!id || after === 0 || this.phase !== 'idle') return;
    this.phase = 'paging';
    await attempt(async () => {
      const size = Math.min(PAGE, after);
      const page = await ipc.openThread(id, before + messages.length + size, size);
      if (this.id !== id || this.after !== after) return;
      this.messages = [...this.messages, ...page.messages.map((view) => this.#adopt(view))];
      this.after = after - size;
    });
    if (this.id === id) this.phase = 'idle';
  }

  /** Sends a new message; true when it is stored. */
  async send(text: string): Promise<boolean> {
    if (this.id && this.after > 0) await this.open(this.id);
    const { id: conversation_id, model } = this;
    return this.#ask((hear) =>
      ipc.sendMessage({ conversation_id, text, model, effort: null }, hear), text);
  }

  /** Words an earlier message anew: a sibling, with an answer of its own. */
  edit(message: ShownMessage, text: string): Promise<boolean> {
    return this.#ask((hear) =>
      ipc.editMessage({ message_id: message.id, text, model: null }, hear), text, message);
  }

  /** Asks for another answer, of the same model or of another. */
  regenerate(message: ShownMessage, model: ModelRef | null = null): Promise<boolean> {
    return this.#ask((hear) =>
      ipc.regenerateMessage({ message_id: message.id, model }, hear), null, message);
  }

  /** Goes on with an answer that was cut off. */
  async continue(message: ShownMessage): Promise<void> {
    await attempt(async () => {
      const hear = this.#hear(message);
      const started = await ipc.continueMessage(message.id, hear);
      message.apply({ type: 'started', ...started });
      this.#began(message, started.conversation_id);
    });
  }

  stop(): void {
    const turn = this.growing?.turnId;
    if (turn) void attempt(() => ipc.cancelTurn(turn));
  }

  async select(sibling: MessageId): Promise<void> {
    await attempt(async () => {
      const view = await ipc.selectSibling(sibling);
      if (view.conversation.id === this.id) this.#show(view);
    });
  }

  /** Chooses the model of this chat; of one that has not begun, and of every later one. */
  async choose(model: ModelRef): Promise<void> {
    const { conversation } = this;
    if (!conversation) {
      this.picked = model;
      await app.save({ default_model: model });
      return;
    }
    if (await attempt(() => ipc.setConversationModel(conversation.id, model))) {
      if (this.conversation?.id === conversation.id) this.conversation = { ...this.conversation, model };
    }
  }

  #show(view: ThreadView, after = 0): void {
    this.conversation = view.conversation;
    const known = new Map(this.messages.map((message) => [message.id, message]));
    this.messages = view.messages.map((message) => this.#adopt(message, known.get(message.id)));
    this.before = view.before;
    this.after = after;
  }

  /** The shown message for a stored one: the one that grows already, or a new one. */
  #adopt(view: MessageView, known?: ShownMessage): ShownMessage {
    const grows = growing.get(view.id);
    if (grows) return grows;
    if (known && view.state !== 'streaming') {
      known.settle(view);
      return known;
    }
    const message = new ShownMessage(view);
    if (view.state === 'streaming') void this.#attach(message);
    return message;
  }

  /** Follows an answer that began elsewhere: in the other window, or before the page was loaded. */
  async #attach(message: ShownMessage): Promise<void> {
    const conversation = this.id;
    if (conversation) this.#began(message, conversation);
    await attempt(async () => {
      if (!(await ipc.attachTurn(message.id, this.#hear(message)))) await this.#settle(message);
    });
  }

  async #ask(
    ask: (hear: (event: TurnEvent) => void) => Promise<TurnStarted>,
    text: string | null,
    instead: ShownMessage | null = null,
  ): Promise<boolean> {
    if (this.phase === 'sending') return false;
    const from = this.id;
    this.phase = 'sending';
    // Events may come before the command's own answer does.
    const early: TurnEvent[] = [];
    let hear = (event: TurnEvent): void => void early.push(event);
    const sent = await attempt(async () => {
      const started = await ask((event) => hear(event));
      const answer = new ShownMessage(draft(started.message_id, 'assistant', started.user_message_id, started.model));
      answer.turnId = started.turn_id;
      hear = this.#hear(answer);
      this.#began(answer, started.conversation_id);
      early.forEach(hear);
      if (this.id === from) this.#place(started, answer, text, instead);
      toasts.say('The answer is being written.');
    });
    if (this.phase === 'sending') this.phase = 'idle';
    return sent;
  }

  #place(started: TurnStarted, answer: ShownMessage, text: string | null, instead: ShownMessage | null): void {
    const at = instead ? this.messages.findIndex(({ id }) => id === instead.id) : -1;
    const kept = at < 0 ? this.messages : this.messages.slice(0, at);
    const asked = started.user_message_id;
    const question = asked
      ? [new ShownMessage(draft(asked, 'user', kept.at(-1)?.id ?? null, null, text ?? ''))]
      : [];
    this.messages = [...kept, ...question, answer];
    this.after = 0;
    if (this.id !== started.conversation_id) {
      this.id = started.conversation_id;
      this.conversation = beginning(started);
      this.picked = null;
    }
    if (!instead) return;
    // Its place among its siblings is the store's to say.
    for (const message of [...question, answer]) {
      void attempt(async () => {
        const { siblings, parent_id } = await ipc.getMessage(message.id);
        message.view = { ...message.view, siblings, parent_id };
      });
    }
  }

  #began(message: ShownMessage, conversation: ConversationId): void {
    growing.set(message.id, message);
    this.busy = new Set(this.busy).add(conversation);
    conversationOf.set(message.id, conversation);
  }

  #hear(message: ShownMessage): (event: TurnEvent) => void {
    return (event) => {
      message.apply(event);
      if (isLast(event)) void this.#settle(message, event);
    };
  }

  async #settle(message: ShownMessage, event?: TurnEvent): Promise<void> {
    await attempt(async () => message.settle(await ipc.getMessage(message.id)));
    const conversation = conversationOf.get(message.id);
    conversationOf.delete(message.id);
    growing.delete(message.id);
    this.busy = new Set([...this.busy].filter((id) => id !== conversation));
    if (event?.type === 'finished') toasts.say('The answer is complete.');
    if (event?.type === 'failed') toasts.say(`The answer failed: ${event.error.message}`);
    if (event?.type === 'cancelled') toasts.say('The answer was stopped.');
  }
}

const conversationOf = new Map<MessageId, ConversationId>();

/** A message as it is before the store was read: enough to be shown at once. */
function draft(
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
    created_at: Date.now(),
    first_token_at: null,
    finished_at: null,
  };
}

function beginning({ conversation_id, model, message_id }: TurnStarted): Conversation {
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

export const thread = new Thread();
