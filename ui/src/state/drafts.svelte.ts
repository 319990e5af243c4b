/** What was begun in each conversation and not sent yet. */
import { SvelteMap } from 'svelte/reactivity';

import type { ConversationId } from '../bindings/ConversationId';

/** Null is the chat that has not begun. */
type Place = ConversationId | null;

class Drafts {
  readonly #texts = new SvelteMap<Place, string>();

  of(place: Place): string {
    return this.#texts.get(place) ?? '';
  }

  set(place: Place, text: string): void {
    if (text) this.#texts.set(place, text);
    else this.#texts.delete(place);
  }

  /** A text was sent from one place and stands in another now: what was typed meanwhile follows it. */
  sent(text: string, from: Place, into: ConversationId): void {
    const left = this.of(from);
    this.set(from, '');
    if (left !== text) this.set(into, left);
  }
}

export const drafts = new Drafts();
