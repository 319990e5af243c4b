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
const UNDO_STAYS_MS = 10_000;

class Toasts {
  shown = $state.raw<Toast[]>([]);
  /** What the live region says. */
  spoken = $state('');
  #next = 0;

  note(text: string, undo: (() => void) | null = null): void {
    this.#add({ text, severe: false, undo }, undo ? UNDO_STAYS_MS : STAYS_MS);
  }

  /** Shows what was thrown; nothing a person started fails in silence. */
  fail(thrown: unknown): void {
    this.#add({ text: sentence(asAppError(thrown).message), severe: true, undo: null }, UNDO_STAYS_MS);
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  /** Says something to a screen reader, politely. */
  say(text: string): void {
    this.spoken = text;
  }

  #add(toast: Omit<Toast, 'id'>, stays: number): void {
    const id = this.#next++;
    this.shown = [...this.shown.slice(-2), { ...toast, id }];
    setTimeout(() => this.dismiss(id), stays);
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
