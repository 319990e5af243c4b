/** A message as the thread holds it: its stored view, its parts, and its turn while it grows. */
import type { AppError } from '../bindings/AppError';
import type { MessageState } from '../bindings/MessageState';
import type { MessageView } from '../bindings/MessageView';
import type { PartKind } from '../bindings/PartKind';
import type { PartView } from '../bindings/PartView';
import type { TurnEvent } from '../bindings/TurnEvent';
import type { TurnId } from '../bindings/TurnId';
import { Feed } from './feed';

/** A part: text that goes around the framework through its feed, or something small and plain. */
export type ShownPart =
  | { kind: 'text'; feed: Feed }
  | { kind: 'thinking'; feed: Feed; durationMs: number | null }
  | { kind: 'other'; view: Exclude<PartView, { type: 'rendered' | 'thinking' }> };

/** A turn's last event. */
export type Ended = Extract<TurnEvent, { type: 'finished' | 'failed' | 'cancelled' }>;

/** Whether the event is a turn's last. */
export const isLast = (event: TurnEvent): event is Ended =>
  event.type === 'finished' || event.type === 'failed' || event.type === 'cancelled';

export class ShownMessage {
  view = $state.raw() as MessageView;
  parts = $state.raw<ShownPart[]>([]);
  /** The turn that makes it grow, once known. */
  turnId = $state<TurnId | null>(null);
  /** Whether the model was asked and no word of it has come yet. */
  waits = $state(false);
  /** How many messages before it the model did not see. */
  unseen = $state(0);
  /** How far the in-house model has read the prompt. */
  reading = $state.raw<{ done: number; total: number } | null>(null);
  /** How far the in-house model has summed up what does not fit. */
  summing = $state.raw<{ done: number; total: number } | null>(null);
  /** Why it failed, as told before the stored message was read again. */
  error = $state.raw<AppError | null>(null);
  /** When that was told. */
  failedAt = $state<number | null>(null);
  /** When this window first saw a part of thinking grow, to show how long it takes. */
  thinkingSince = $state<number | null>(null);

  constructor(view: MessageView) {
    this.view = view;
    this.parts = view.parts.map(shown);
  }

  get id() {
    return this.view.id;
  }

  get grows(): boolean {
    return this.view.state === 'streaming';
  }

  get hasText(): boolean {
    return this.parts.some(({ kind }) => kind === 'text');
  }

  /** Takes one event of its turn; the last one is the caller's to follow up with `settle`. */
  apply(event: TurnEvent): void {
    switch (event.type) {
      case 'started':
        this.turnId = event.turn_id;
        this.waits = true;
        if (!this.grows) this.view = { ...this.view, state: 'streaming', error: null };
        break;
      case 'shortened':
        this.unseen = event.dropped_messages;
        break;
      case 'reading':
        this.reading = event;
        this.summing = null;
        break;
      case 'summarising':
        this.summing = event;
        break;
      case 'switched':
        this.reading = null;
        this.view = { ...this.view, model: event.model, attempts: [...this.view.attempts, event.attempt] };
        break;
      case 'patch':
        this.reading = null;
        this.summing = null;
        this.waits = false;
        this.#part(event.part, event.kind)?.patch(event);
        break;
      case 'failed':
        this.error = event.error;
        this.failedAt = Date.now();
        break;
      case 'finished':
      case 'cancelled':
        break;
    }
  }

  /** Takes the stored message as the truth. Blocks that are shown already are left alone. */
  settle(view: MessageView): void {
    this.#rest();
    this.view = view;
    this.parts = view.parts.map((part, at) => {
      const old = this.parts[at];
      if (part.type === 'rendered' && old?.kind === 'text') {
        old.feed.replace(part.blocks);
        return old;
      }
      if (part.type === 'thinking' && old?.kind === 'thinking') {
        old.feed.replace(part.blocks);
        return { ...old, durationMs: part.duration_ms };
      }
      return shown(part);
    });
  }

  /** Ends where it is, for want of the stored message. */
  end(state: MessageState, error: AppError | null): void {
    this.#rest();
    this.view = { ...this.view, state, error };
  }

  #rest(): void {
    this.waits = false;
    this.reading = null;
    this.summing = null;
    this.error = null;
    this.thinkingSince = null;
    this.turnId = null;
  }

  #part(at: number, kind: PartKind): Feed | null {
    if (kind === 'tool_call') return null;
    const old = this.parts[at];
    if (old?.kind === kind) return old.feed;
    const feed = new Feed();
    const parts = this.parts.slice(0, at);
    while (parts.length < at) parts.push({ kind: 'text', feed: new Feed() });
    if (kind === 'thinking') {
      this.thinkingSince ??= Date.now();
      parts.push({ kind, feed, durationMs: null });
    } else {
      const before = parts.at(-1);
      if (before?.kind === 'thinking' && before.durationMs === null && this.thinkingSince) {
        parts[at - 1] = { ...before, durationMs: Date.now() - this.thinkingSince };
      }
      parts.push({ kind, feed });
    }
    this.parts = parts;
    return feed;
  }
}

function shown(part: PartView): ShownPart {
  if (part.type === 'rendered') return { kind: 'text', feed: new Feed([...part.blocks]) };
  if (part.type === 'thinking') {
    return { kind: 'thinking', feed: new Feed([...part.blocks]), durationMs: part.duration_ms };
  }
  return { kind: 'other', view: part };
}
