/** What holds for the whole window: settings, what can be chosen, how the database opened. */
import type { AppError } from '../bindings/AppError';
import type { LibraryEntry } from '../bindings/LibraryEntry';
import type { Model } from '../bindings/Model';
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
  efforts: [],
  instructions: '',
  welcomed: true,
  failover: [],
  inhouse_cluster: null,
  local_only: false,
  caps: { usd_per_day: null, providers: [], at_cap: 'block' },
};

/** The picker asks the providers again when it opens, but not more often than this. */
const FRESH_MS = 30_000;

class App {
  phase = $state<'starting' | 'ready' | 'broken'>('starting');
  error = $state.raw<AppError | null>(null);
  version = $state('');
  store = $state.raw<StoreState>({ is: 'ready' });
  settings = $state.raw<Settings>(UNSET);
  groups = $state.raw<ModelGroup[]>([]);
  library = $state.raw<LibraryEntry[]>([]);
  /** Whether the providers are being asked what they offer. */
  refreshing = $state(false);
  /** The main window keeps the settings and the library; the quick one may do neither. */
  isMain = $state(true);
  #askedAt = 0;

  get readOnly(): boolean {
    return this.store.is === 'recovery';
  }

  get defaultModel(): ModelRef {
    return this.settings.default_model ?? IN_HOUSE_DEFAULT;
  }

  /** Reads everything a window opens with; null when the application cannot say it. */
  async begin(window: 'main' | 'quick'): Promise<Start | null> {
    this.isMain = window === 'main';
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

  /** Chooses the model of new chats. */
  async chooseDefault(model: ModelRef): Promise<void> {
    await attempt(async () => this.#take(await ipc.setDefaultModel(model)));
  }

  async toggleFavourite({ model, name }: Model): Promise<void> {
    const { favourites } = this.settings;
    const isOne = favourites.includes(model);
    const wanted = isOne ? favourites.filter((one) => one !== model) : [...favourites, model];
    if (await this.save({ favourites: wanted })) toasts.say(`${name} is ${isOne ? 'no longer' : 'now'} a favourite.`);
  }

  /** Reads what can be chosen, as it is known. */
  async readModels(): Promise<void> {
    await attempt(async () => {
      const groups = await ipc.listModels(false);
      // Nobody was asked: who did not answer the last time has not answered since.
      const errors = new Map(this.groups.map(({ provider, error }) => [provider, error]));
      this.groups = groups.map((group) => ({ ...group, error: group.error ?? errors.get(group.provider) ?? null }));
    });
  }

  /** Asks the providers what they offer; a model that runs beside us is found by being asked. */
  async refreshModels(): Promise<void> {
    if (this.refreshing) return;
    this.refreshing = true;
    this.#askedAt = Date.now();
    await attempt(async () => {
      this.groups = await ipc.listModels(true);
    });
    this.refreshing = false;
  }

  /** Asks the providers, unless they were asked a moment ago. */
  async freshenModels(): Promise<void> {
    if (Date.now() - this.#askedAt >= FRESH_MS) await this.refreshModels();
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
      ipc.onModelsChanged(() => void this.readModels()),
      // A copy of the history was restored, perhaps from the other window: everything is new.
      ipc.onConversationsChanged(() => this.readOnly && window.location.reload()),
      this.isMain && ipc.onLibraryChanged(() => void this.readLibrary()),
    ]);
  }
}

export const app = new App();
