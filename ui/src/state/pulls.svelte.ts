/** Downloads of in-house models that this window started. */
import type { PullProgress } from '../bindings/PullProgress';
import * as ipc from '../ipc';
import { app } from './app.svelte';
import { toasts } from './toasts.svelte';

class Pulls {
  running = $state.raw<ReadonlyMap<string, PullProgress | null>>(new Map());
  #stopped = new Set<string>();

  async pull(id: string): Promise<void> {
    if (this.running.has(id)) return;
    this.#set(id, null);
    try {
      await ipc.pullModel(id, (progress) => this.running.has(id) && this.#set(id, progress));
    } catch (thrown) {
      // Stopping is what the person asked for, not a failure.
      if (!this.#stopped.has(id)) toasts.fail(thrown);
    }
    this.#stopped.delete(id);
    this.running = new Map([...this.running].filter(([one]) => one !== id));
    await app.readLibrary();
  }

  stop(id: string): void {
    this.#stopped.add(id);
    void ipc.cancelPull(id);
  }

  #set(id: string, progress: PullProgress | null): void {
    this.running = new Map(this.running).set(id, progress);
  }
}

export const pulls = new Pulls();
