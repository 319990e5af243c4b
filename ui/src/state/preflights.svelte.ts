/**
 * What would become of a chat with a model, found out before anything is sent, and what a person
 * wants done about it. What they chose holds for that chat and model until more would be lost.
 */
import type { ConversationId } from '../bindings/ConversationId';
import type { Fit } from '../bindings/Fit';
import type { ModelRef } from '../bindings/ModelRef';
import type { Preflight } from '../bindings/Preflight';
import type { WayOut } from '../bindings/WayOut';
import * as ipc from '../ipc';
import { attempt } from './toasts.svelte';

/** Null is the chat that has not begun, of which nothing can be lost. */
type Place = ConversationId | null;

/** A question to the person. */
export interface Question {
  found: Preflight;
  answer: (way: WayOut | null) => void;
}

interface Agreement {
  fit: Fit;
  /** How many parts the model cannot take. */
  lost: number;
  /** Whether messages were left out or summed up. */
  dropped: boolean;
}

const lostOf = ({ images, files, tool_calls }: Preflight): number => images + files + tool_calls;

class Preflights {
  /** The question that waits for an answer. */
  asking = $state.raw<Question | null>(null);
  readonly #agreed = new Map<string, Agreement>();

  /** What was agreed on for a chat and a model, without asking anybody. */
  agreed(place: Place, model: ModelRef): Fit {
    return this.#agreed.get(`${place} ${model}`)?.fit ?? 'trim';
  }

  /**
   * How a message may be sent; null when it may not, as when `another` model is to be chosen. Where
   * that cannot be found out it is sent as ever: the engine knows its limits.
   */
  async clear(place: Place, model: ModelRef, text: string, another: () => void): Promise<Fit | null> {
    if (place === null) return 'trim';
    let found: Preflight;
    try {
      found = await ipc.preflight({ conversation_id: place, model, text });
    } catch {
      return this.agreed(place, model);
    }
    const before = this.#agreed.get(`${place} ${model}`);
    const isCovered = before && !found.too_long && lostOf(found) <= before.lost && (before.dropped || found.dropped_messages === 0);
    if (found.ways.length === 0 || isCovered) return before?.fit ?? 'trim';
    return this.#ask(place, found, another);
  }

  /** How a chat that its model found too long is to be asked about again. */
  async shorten(place: ConversationId, model: ModelRef, another: () => void): Promise<Fit | null> {
    let found: Preflight | undefined;
    await attempt(async () => {
      found = await ipc.preflight({ conversation_id: place, model, text: '' });
    });
    // The provider may count otherwise than we do.
    const ways: WayOut[] = found?.ways.length ? found.ways : ['trim', 'choose_another'];
    return found ? this.#ask(place, { ...found, ways }, another) : null;
  }

  async #ask(place: ConversationId, found: Preflight, another: () => void): Promise<Fit | null> {
    const way = await new Promise<WayOut | null>((answer) => (this.asking = { found, answer }));
    this.asking = null;
    if (way === 'choose_another') another();
    if (way === null || way === 'choose_another') return null;
    const fit = way === 'summarise' ? 'summarise' : 'trim';
    this.#agreed.set(`${place} ${found.model}`, { fit, lost: lostOf(found), dropped: found.dropped_messages > 0 });
    return fit;
  }
}

export const preflights = new Preflights();
