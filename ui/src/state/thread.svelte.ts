/** The open conversation: its shown branch, the answers that grow in it, and what is done to them. */
import type { AppError } from '../bindings/AppError';
import type { Conversation } from '../bindings/Conversation';
import type { ConversationId } from '../bindings/ConversationId';
import type { Effort } from '../bindings/Effort';
import type { Fit } from '../bindings/Fit';
import type { MessageId } from '../bindings/MessageId';
import type { MessageView } from '../bindings/MessageView';
import type { ModelRef } from '../bindings/ModelRef';
import type { SearchHit } from '../bindings/SearchHit';
import type { ThreadView } from '../bindings/ThreadView';
import type { TurnEvent } from '../bindings/TurnEvent';
import type { TurnStarted } from '../bindings/TurnStarted';
import * as ipc from '../ipc';
import { modelOf } from '../lib/picker';
import { app } from './app.svelte';
import { desk } from './desk.svelte';
import { efforts } from './efforts.svelte';
import { ShownMessage } from './message.svelte';
import { preflights } from './preflights.svelte';
import { beginning, draft, placing } from './provisional';
import { attempt, toasts } from './toasts.svelte';
import { turns } from './turns.svelte';

const PAGE = 50;
/** As much is kept around a search hit. */
const AROUND = 100;
/** More than this is not held in the page: what is farthest from the reader is let go. */
const MOST_HELD = 400;
/** An opening that takes longer is shown as such. */
const SLOW_MS = 150;
const MARKED_MS = 2_000;

class Thread {
  /** Null while a new chat waits for its first message. */
  id = $state<ConversationId | null>(null);
  conversation = $state.raw<Conversation | null>(null);
  messages = $state.raw<ShownMessage[]>([]);
  /** How many messages of the branch stand before the first one here. */
  before = $state(0);
  /** How many stand after the last one here. */
  after = $state(0);
  phase = $state<'idle' | 'opening' | 'paging'>('idle');
  /** Whether opening takes long enough to say so. */
  isSlow = $state(false);
  /** Whether a message was sent and is not stored yet. */
  sending = $state(false);
  /** Why the conversation could not be opened. */
  error = $state.raw<AppError | null>(null);
  /** A message to bring into view and mark for a while; each is an object of its own. */
  target = $state.raw<{ id: MessageId } | null>(null);
  /** The model picked for a chat that has not begun. */
  picked = $state<ModelRef | null>(null);
  /** Counts the conversations that were opened: what was asked for an earlier one comes too late. */
  #visits = 0;
  #reopen: (() => Promise<void>) | null = null;

  /** The answer that grows here. */
  growing = $derived(this.id === null ? null : turns.in(this.id));

  get model(): ModelRef {
    return this.conversation?.model ?? this.picked ?? app.defaultModel;
  }

  /** Whether a message can be sent from here now. */
  get takesMessages(): boolean {
    return !this.sending && this.phase !== 'opening' && this.error === null && this.growing === null;
  }

  /** Hears what changes this conversation from elsewhere. */
  listen(): void {
    void ipc.onConversationsChanged(() => {
      void turns.readAgain();
      void this.refresh();
    });
  }

  newChat(): void {
    this.#leave(null);
    this.phase = 'idle';
    this.isSlow = false;
    this.picked = null;
  }

  open(id: ConversationId): Promise<void> {
    return this.#visit(id, async (here) => {
      const view = await ipc.openThread(id, null, PAGE);
      if (here()) this.#show(view);
    });
  }

  /** Opens a conversation at a message, on whichever branch it stands. */
  async openHit({ conversation_id: id, message_id: message }: SearchHit): Promise<void> {
    const has = () => this.messages.some((one) => one.id === message);
    if (this.id === id && has()) return this.#mark(message);
    await this.#visit(id, async (here) => {
      const view = await ipc.openThreadAround(id, message, AROUND);
      if (!here()) return;
      this.#show(view);
      if (has()) this.#mark(message);
    });
  }

  /** Opens again what could not be opened. */
  retry(): void {
    void this.#reopen?.();
  }

  /** Shows what was added to this conversation from elsewhere, when nothing goes on here. */
  async refresh(): Promise<void> {
    const { id } = this;
    const here = this.#watch();
    const isQuiet = () => here() && this.takesMessages && this.phase === 'idle' && this.after === 0;
    if (id === null || !isQuiet()) return;
    try {
      const newest = await ipc.openThread(id, null, 1);
      if (!isQuiet()) return;
      this.conversation = newest.conversation;
      const [stored, shown] = [newest.messages.at(-1), this.messages.at(-1)?.view];
      if (!stored || (stored.id === shown?.id && stored.state === shown.state)) return;
      const view = await ipc.openThread(id, null, PAGE);
      if (isQuiet()) this.#show(view);
    } catch {
      // Nobody asked for it: what is shown stays.
    }
  }

  /** Loads a page of older messages. */
  older(): Promise<void> {
    const { id, before } = this;
    if (!id || before === 0) return Promise.resolve();
    return this.#page(async (here) => {
      const page = await ipc.openThread(id, before, PAGE);
      if (!here() || this.before !== before) return;
      this.messages = [...page.messages.map((view) => this.#adopt(view)), ...this.messages];
      this.before = page.before;
      this.#letGo('last');
    });
  }

  /** Loads a page of newer messages, where the last ones are not held. */
  newer(): Promise<void> {
    const { id, before, after, messages } = this;
    if (!id || after === 0) return Promise.resolve();
    return this.#page(async (here) => {
      const size = Math.min(PAGE, after);
      const page = await ipc.openThread(id, before + messages.length + size, size);
      if (!here() || this.after !== after) return;
      this.messages = [...this.messages, ...page.messages.map((view) => this.#adopt(view))];
      this.after = after - size;
      this.#letGo('first');
    });
  }

  /** Sends a new message; gives the conversation that holds it once it is stored. */
  async send(text: string): Promise<ConversationId | null> {
    const { id, model } = this;
    if (id !== null && this.after > 0) {
      await this.open(id);
      if (this.id !== id || this.error) return null;
    }
    return this.#alone(async (here) => {
      const effort = this.#effort(model);
      const fit = await preflights.clear(id, model, text, () => (desk.picker = here()));
      if (!fit) return null;
      const into = await this.#ask(here, (hear) =>
        ipc.sendMessage({ conversation_id: id, text, model, effort, fit }, hear), text);
      if (id === null && into !== null) efforts.began(into, model);
      return into;
    });
  }

  /** Words an earlier message anew: a sibling, with an answer of its own. */
  async edit(message: ShownMessage, text: string): Promise<boolean> {
    const [effort, fit] = [this.#effort(this.model), preflights.agreed(this.id, this.model)];
    return null !== (await this.#alone((here) => this.#ask(here, (hear) =>
      ipc.editMessage({ message_id: message.id, text, model: null, effort, fit }, hear), text, message)));
  }

  /** Asks for another answer, of the same model or of another. */
  async regenerate(message: ShownMessage, model: ModelRef | null = null): Promise<void> {
    const { id, model: own } = this;
    await this.#again(message, model, async (another) =>
      model && model !== own ? preflights.clear(id, model, '', another) : preflights.agreed(id, own));
  }

  /** Asks again with a chat that is made shorter, in a way that the person chooses. */
  async shorten(message: ShownMessage): Promise<void> {
    const { id, model } = this;
    if (id !== null) await this.#again(message, null, (another) => preflights.shorten(id, model, another));
  }

  /** Goes on with an answer that was cut off. */
  async continue(message: ShownMessage): Promise<void> {
    if (!this.takesMessages) return;
    this.sending = true;
    await attempt(() => turns.begin((hear) => ipc.continueMessage(message.id, hear), () => message));
    this.sending = false;
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
    if (this.id !== null) return this.#change({ model }, (id) => ipc.setConversationModel(id, model));
    this.picked = model;
    await app.chooseDefault(model);
  }

  /** Keeps this chat on this machine, or lets it go out again. */
  keepHere(local_only: boolean): Promise<void> {
    return this.#change({ local_only }, (id) => ipc.setConversationLocalOnly(id, local_only));
  }

  /** Sets which models are asked when this chat's does not answer; null is as in the settings. */
  setFailover(failover: ModelRef[] | null): Promise<void> {
    return this.#change({ failover }, (id) => ipc.setConversationFailover(id, failover));
  }

  async #change(change: Partial<Conversation>, save: (id: ConversationId) => Promise<unknown>): Promise<void> {
    const { id } = this;
    if (id === null || !(await attempt(() => save(id)))) return;
    if (this.conversation?.id === id) this.conversation = { ...this.conversation, ...change };
  }

  /** How hard a model is to think here. */
  #effort(model: ModelRef): Effort | null {
    return efforts.of(this.id, modelOf(app.groups, model));
  }

  /** One thing at a time: nothing else is sent while this goes on. */
  async #alone<T>(work: (here: () => boolean) => Promise<T | null>): Promise<T | null> {
    if (this.sending) return null;
    this.sending = true;
    try {
      return await work(this.#watch());
    } finally {
      this.sending = false;
    }
  }

  /** Asks for another answer, once it is known how. */
  async #again(message: ShownMessage, model: ModelRef | null, how: (another: () => void) => Promise<Fit | null>): Promise<void> {
    await this.#alone(async (here) => {
      const effort = this.#effort(model ?? this.model);
      const fit = await how(() => (desk.answerWith = { message, switches: true }));
      return fit && this.#ask(here, (hear) =>
        ipc.regenerateMessage({ message_id: message.id, model, effort, fit }, hear), null, message);
    });
  }

  /** Whether what is open now is still open. */
  #watch(): () => boolean {
    const visit = this.#visits;
    return () => this.#visits === visit;
  }

  #leave(id: ConversationId | null): void {
    this.#visits += 1;
    this.error = null;
    this.target = null;
    if (id !== null && id === this.id) return;
    this.id = id;
    this.conversation = null;
    this.messages = [];
    this.before = 0;
    this.after = 0;
  }

  async #visit(id: ConversationId, read: (here: () => boolean) => Promise<void>): Promise<void> {
    this.#reopen = () => this.#visit(id, read);
    this.#leave(id);
    this.phase = 'opening';
    const here = this.#watch();
    const slow = setTimeout(() => (this.isSlow = here()), SLOW_MS);
    try {
      await read(here);
    } catch (thrown) {
      // What is shown already stays; only an empty thread has to say why it is empty.
      if (here() && this.messages.length === 0) this.error = ipc.asAppError(thrown);
      else if (here()) toasts.fail(thrown);
    }
    clearTimeout(slow);
    if (!here()) return;
    this.phase = 'idle';
    this.isSlow = false;
  }

  async #page(read: (here: () => boolean) => Promise<void>): Promise<void> {
    if (this.phase !== 'idle' || this.error) return;
    this.phase = 'paging';
    const here = this.#watch();
    await attempt(() => read(here));
    if (here()) this.phase = 'idle';
  }

  #mark(id: MessageId): void {
    const target = { id };
    this.target = target;
    setTimeout(() => {
      if (this.target === target) this.target = null;
    }, MARKED_MS);
  }

  #show(view: ThreadView): void {
    this.conversation = view.conversation;
    const known = new Map(this.messages.map((message) => [message.id, message]));
    // Older pages that are held and lead up to this one stay.
    const at = this.messages.findIndex(({ id }) => id === view.messages[0]?.id);
    const kept = this.messages.slice(0, Math.max(0, at));
    this.messages = [...kept, ...view.messages.map((message) => this.#adopt(message, known.get(message.id)))];
    this.before = view.before - kept.length;
    this.after = view.after;
    this.#letGo('first');
  }

  /** Lets the pages at one end go when more are held than need be. */
  #letGo(end: 'first' | 'last'): void {
    const spare = this.messages.length - MOST_HELD;
    if (spare <= 0) return;
    if (end === 'first') {
      this.messages = this.messages.slice(spare);
      this.before += spare;
    } else {
      this.messages = this.messages.slice(0, MOST_HELD);
      this.after += spare;
    }
  }

  /** The shown message for a stored one: the one that grows already, or a new one. */
  #adopt(view: MessageView, known?: ShownMessage): ShownMessage {
    const grows = turns.of(view.id);
    if (grows) return grows;
    if (known && view.state !== 'streaming') {
      known.settle(view);
      return known;
    }
    const message = new ShownMessage(view);
    if (view.state === 'streaming' && this.id !== null) void turns.attach(message, this.id);
    return message;
  }

  async #ask(
    here: () => boolean,
    ask: (hear: (event: TurnEvent) => void) => Promise<TurnStarted>,
    text: string | null,
    instead: ShownMessage | null = null,
  ): Promise<ConversationId | null> {
    let into = null as ConversationId | null;
    await attempt(async () => {
      let answer: ShownMessage | undefined;
      const started = await turns.begin(ask, ({ message_id, user_message_id, model }) =>
        (answer = new ShownMessage(draft(message_id, 'assistant', user_message_id, model))));
      into = started.conversation_id;
      answer ??= turns.of(started.message_id);
      if (here() && answer) this.#place(started, answer, text, instead);
      toasts.say('The answer is being written.');
    });
    // Opened again meanwhile, and read before the message was stored.
    if (into !== null && into === this.id && !here()) void this.open(into);
    return into;
  }

  #place(started: TurnStarted, answer: ShownMessage, text: string | null, instead: ShownMessage | null): void {
    const { kept, placed } = placing(this.messages, started, answer, text, instead);
    this.target = null;
    this.messages = [...kept, ...placed];
    this.after = 0;
    this.#letGo('first');
    if (this.id !== started.conversation_id) {
      this.id = started.conversation_id;
      this.conversation = beginning(started);
      this.picked = null;
    }
    if (!instead) return;
    // Its place among its siblings is the store's to say.
    for (const message of placed) {
      void attempt(async () => {
        const { siblings, parent_id } = await ipc.getMessage(message.id);
        message.view = { ...message.view, siblings, parent_id };
      });
    }
  }
}

export const thread = new Thread();
