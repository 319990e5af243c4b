/** Which overlay of the window is open, and asking a person whether a link may be opened. */
import type { ProviderId } from '../bindings/ProviderId';
import type { ShownMessage } from './message.svelte';

export type SettingsTab = 'models' | 'endpoints' | 'failover' | 'privacy' | 'hotkey' | 'appearance' | 'about';

class Desk {
  settings = $state<SettingsTab | null>(null);
  /** The provider whose key is to be set when the settings open. */
  keyWanted = $state<ProviderId | null>(null);
  picker = $state(false);
  /** Whether the choice of the effort is open. */
  effort = $state(false);
  /** Whether the open chat's own options are shown. */
  options = $state(false);
  shortcuts = $state(false);
  /** The answer to be given again by a model that is being chosen; `switches` keeps that model. */
  answerWith = $state.raw<{ message: ShownMessage; switches: boolean } | null>(null);
  /** The open dialogs, the topmost last: it alone can be reached. */
  dialogs = $state.raw<readonly symbol[]>([]);
  /** The address that waits for a person's word. */
  link = $state<string | null>(null);
  /** Whether the sidebar is shown where it covers the thread. */
  sidebar = $state(false);
  /** Counts the wishes to write: the composer takes the keys on each. */
  composerWanted = $state(0);
  searchWanted = $state(0);

  /** Opens the picker, if it may be, or closes it and gives the keys back to the composer. */
  togglePicker(mayOpen = true): void {
    if (this.picker) this.write();
    this.picker = !this.picker && mayOpen;
  }

  /** Opens the settings at a provider's key. */
  openKey(provider: ProviderId | null): void {
    this.keyWanted = provider;
    this.settings = 'endpoints';
  }

  write(): void {
    this.composerWanted += 1;
  }

  search(): void {
    this.sidebar = true;
    this.searchWanted += 1;
  }
}

export const desk = new Desk();
