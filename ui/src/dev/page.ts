/** A window that unit tests open, click and type in, over a backend that they play. */
import { vi } from 'vitest';

import { conversations as rows, groups, library, settings } from './samples';
import { branch, settled, talk, type Stage } from './stage';

export let stage: Stage;
export let desk: typeof import('../state/desk.svelte').desk;
export let thread: typeof import('../state/thread.svelte').thread;
export let toasts: typeof import('../state/toasts.svelte').toasts;
let unmounts: () => Promise<void> = async () => {};

/** Opens a window of its own for a test. */
export async function opens(window: 'main' | 'quick'): Promise<void> {
  // happy-dom lays nothing out: the thread is as tall as its messages, and the window shows 100 of it.
  Object.defineProperties(HTMLElement.prototype, {
    clientHeight: { configurable: true, get: () => 100 },
    scrollHeight: {
      configurable: true,
      get(this: Element) {
        return 50 * this.querySelectorAll('[data-testid=message]').length;
      },
    },
  });
  Element.prototype.scrollIntoView ??= () => {};
  vi.resetModules();
  const { Stage } = await import('./stage');
  stage = new Stage({
    start: () => ({ version: '1', settings, store: { is: 'ready' }, conversations: rows, models: groups, library }),
    open_thread: (args) => branch(args['conversationId'] as string, talk('x', 4))(args),
    list_conversations: () => rows,
    list_models: () => groups,
    list_library: () => library,
    resize_quick: () => undefined,
    hide_quick: () => undefined,
    hotkey_state: () => ({ route: 'off' }),
  });
  const { mount, unmount } = await import('svelte');
  const { default: Page } = await (window === 'main' ? import('../App.svelte') : import('../Quick.svelte'));
  ({ desk } = await import('../state/desk.svelte'));
  ({ thread } = await import('../state/thread.svelte'));
  ({ toasts } = await import('../state/toasts.svelte'));
  const page = mount(Page, { target: document.body });
  unmounts = () => unmount(page);
  await settled();
}

/** Closes the window that a test opened. */
export async function closes(): Promise<void> {
  await unmounts();
  document.body.innerHTML = '';
}

export const find = <E extends HTMLElement>(id: string) => document.querySelector<E>(`[data-testid="${id}"]`)!;
export const findAll = (id: string) => [...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`)];
export const field = () => find<HTMLTextAreaElement>('composer-input');

/** Types into the composer, or into another field. */
export async function type(text: string, into: HTMLInputElement | HTMLTextAreaElement = field()): Promise<void> {
  into.value = text;
  into.dispatchEvent(new Event('input', { bubbles: true }));
  await settled();
}

/** Chooses in a list, or leaves a field with what stands in it. */
export async function change(id: string, value: string): Promise<void> {
  const element = find<HTMLInputElement | HTMLSelectElement>(id);
  element.value = value;
  element.dispatchEvent(new Event('change', { bubbles: true }));
  await settled();
}

/** Clicks what has that name, or an element. */
export async function click(target: string | HTMLElement): Promise<void> {
  (typeof target === 'string' ? find(target) : target).click();
  await settled();
}

export async function press(element: Element, key: string, more: KeyboardEventInit = {}): Promise<void> {
  element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
  await settled();
}
