/** Short notes at the bottom of the window, some with a way back, and what a screen reader is told. */
import { asAppError } from '../ipc';
import { sentence } from '../lib/errors';

export interface Toast {
  id: number;
  text: string;
  severe: boolean;
  undo: (() => void) | null;
}

const STAYS_MS = 6_000;
const LONG_MS = 10_000;

class Toasts {
  shown = $state.raw<Toast[]>([]);
  /** What the live region says. */
  spoken = $state('');
  #next = 0;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  note(text: string, undo: (() => void) | null = null): void {
    this.#add({ text, severe: false, undo });
  }

  /** Shows what was thrown; nothing a person started fails in silence. */
  fail(thrown: unknown): void {
    this.#add({ text: sentence(asAppError(thrown).message), severe: true, undo: null });
  }

  dismiss(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  /** Says something to a screen reader, politely. */
  say(text: string): void {
    // A live region is read when it changes, also when the same happens twice.
    this.spoken = text === this.spoken ? `${text}\u00a0` : text;
  }

  /** Somebody reads: nothing goes away meanwhile. */
  hold(): void {
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
  }

  /** The notes begin their time anew. */
  release(): void {
    this.hold();
    for (const toast of this.shown) this.#end(toast);
  }

  #add(told: Omit<Toast, 'id'>): void {
    const toast = { ...told, id: this.#next++ };
    this.shown = [...this.shown.slice(-2), toast];
    this.#end(toast);
  }

  /** Takes a note away in time; later when it asks something. */
  #end({ id, severe, undo }: Toast): void {
    const stays = severe || undo ? LONG_MS : STAYS_MS;
    this.#timers.set(id, setTimeout(() => this.dismiss(id), stays));
  }
}

export const toasts = new Toasts();

/** Runs what a person asked for and shows why when it fails; false when it did. */
export async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (thrown) {
    toasts.fail(thrown);
    return false;
  }
}
