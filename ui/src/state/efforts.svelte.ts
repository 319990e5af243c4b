/**
 * How hard the models are to think: chosen for a chat and its model, and remembered for the model's
 * next chat. A wish that a model does not offer stays remembered and is not sent.
 */
import { SvelteMap } from 'svelte/reactivity';

import type { ConversationId } from '../bindings/ConversationId';
import type { Effort } from '../bindings/Effort';
import type { Model } from '../bindings/Model';
import type { ModelRef } from '../bindings/ModelRef';
import { offered } from '../lib/efforts';

/** Null is the chat that has not begun. */
type Place = ConversationId | null;
const key = (place: Place, model: ModelRef) => `${place ?? ''} ${model}`;

class Efforts {
  readonly #here = new SvelteMap<string, Effort | null>();
  readonly #last = new SvelteMap<ModelRef, Effort | null>();

  /** What is asked of a model in a chat; null leaves it to the model. */
  of(place: Place, model: Model | undefined): Effort | null {
    if (!model) return null;
    const here = this.#here.get(key(place, model.model));
    return offered(model, here === undefined ? this.#last.get(model.model) : here);
  }

  choose(place: Place, model: ModelRef, effort: Effort | null): void {
    this.#here.set(key(place, model), effort);
    this.#last.set(model, effort);
  }

  /** A chat has begun: what was chosen for it before is its own now. */
  began(into: ConversationId, model: ModelRef): void {
    const chosen = this.#here.get(key(null, model));
    if (chosen === undefined) return;
    this.#here.set(key(into, model), chosen);
    this.#here.delete(key(null, model));
  }
}

export const efforts = new Efforts();
