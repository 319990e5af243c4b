/** What holds for the whole window: settings, what can be chosen, how the database opened. */
import type { AppError } from '../bindings/AppError';
import type { LibraryEntry } from '../bindings/LibraryEntry';
import type { ModelGroup } from '../bindings/ModelGroup';
import type { ModelRef } from '../bindings/ModelRef';
import type { Settings } from '../bindings/Settings';
import type { Start } from '../bindings/Start';
import type { StoreState } from '../bindings/StoreState';
import * as ipc from '../ipc';
import { attempt, toasts } from './toasts.svelte';

/** What answers while nothing else was chosen. */
export const IN_HOUSE_DEFAULT: ModelRef = 'inhouse/default';

const UNSET: Settings = {
  appearance: { theme: 'system', text_percent: 100 },
  default_model: null,
  hotkey: '',
  favourites: [],
  recents: [],
  instructions: '',
  welcomed: true,
};

class App {
  phase = $state<'starting' | 'ready' | 'broken'>('starting');
  error = $state.raw<AppError | null>(null);
  version = $state('');
  store = $state.raw<StoreState>({ is: 'ready' });
  settings = $state.raw<Settings>(UNSET);
  groups = $state.raw<ModelGroup[]>([]);
  library = $state.raw<LibraryEntry[]>([]);
  refreshing = $state(false);

  get readOnly(): boolean {
    return this.store.is === 'recovery';
  }

  get defaultModel(): ModelRef {
    return this.settings.default_model ?? IN_HOUSE_DEFAULT;
  }

  /** Reads everything a window opens with; null when the application cannot say it. */
  async begin(): Promise<Start | null> {
    try {
      const start = await ipc.start();
      this.version = start.version;
      this.store = start.store;
      this.groups = start.models;
      this.library = start.library;
      this.#take(start.settings);
      this.phase = 'ready';
      void this.#listen();
      return start;
    } catch (thrown) {
      this.error = ipc.asAppError(thrown);
      this.phase = 'broken';
      return null;
    }
  }

  /** Changes settings: shown at once, taken back when they could not be saved. */
  async save(change: Partial<Settings>): Promise<boolean> {
    const before = this.settings;
    this.#take({ ...before, ...change });
    try {
      this.#take(await ipc.saveSettings(this.settings));
      return true;
    } catch (thrown) {
      this.#take(before);
      toasts.fail(thrown);
      return false;
    }
  }

  toggleFavourite(model: ModelRef): void {
    const { favourites } = this.settings;
    void this.save({
      favourites: favourites.includes(model)
        ? favourites.filter((one) => one !== model)
        : [...favourites, model],
    });
  }

  async readModels(refresh: boolean): Promise<void> {
    this.refreshing = refresh;
    await attempt(async () => {
      this.groups = await ipc.listModels(refresh);
    });
    this.refreshing = false;
  }

  async readLibrary(): Promise<void> {
    await attempt(async () => {
      this.library = await ipc.listLibrary();
    });
  }

  #take(settings: Settings): void {
    this.settings = settings;
    const { theme, text_percent } = settings.appearance;
    const root = document.documentElement;
    if (theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme;
    root.style.setProperty('font-size', `${text_percent}%`);
  }

  async #listen(): Promise<void> {
    await Promise.all([
      ipc.onSettingsChanged((settings) => this.#take(settings)),
      ipc.onModelsChanged(() => void this.readModels(false)),
      ipc.onLibraryChanged(() => void this.readLibrary()),
    ]);
  }
}

export const app = new App();
