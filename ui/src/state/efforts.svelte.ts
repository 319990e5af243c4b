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
import { app } from './app.svelte';

/** Null is the chat that has not begun. */
type Place = ConversationId | null;

/** The settings keep no more. */
const MOST = 64;
const key = (place: Place, model: ModelRef) => `${place ?? ''} ${model}`;

class Efforts {
  readonly #here = new SvelteMap<string, Effort | null>();

  /** What is asked of a model in a chat; null leaves it to the model. */
  of(place: Place, model: Model | undefined): Effort | null {
    if (!model) return null;
    const here = this.#here.get(key(place, model.model));
    const usual = app.settings.efforts.find((one) => one.model === model.model)?.effort;
    return offered(model, here === undefined ? usual : here);
  }

  choose(place: Place, model: ModelRef, effort: Effort | null): void {
    this.#here.set(key(place, model), effort);
    // The quick window may not change the settings: what is chosen there is for the chat alone.
    if (!app.isMain) return;
    const others = app.settings.efforts.filter((one) => one.model !== model);
    void app.save({ efforts: (effort ? [{ model, effort }, ...others] : others).slice(0, MOST) });
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
