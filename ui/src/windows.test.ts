// @vitest-environment happy-dom
/** Both windows as they stand in the page, over a backend that the tests play. */
import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { click, closes, desk, field, find, opens, press, stage, thread, toasts, type } from './dev/page';
import { conversations as rows, groups, settings } from './dev/samples';
import { Later, settled } from './dev/stage';

const permitted = (window: 'main' | 'quick') => {
  const file = readFileSync(`../src-tauri/permissions/${window}.toml`, 'utf8');
  return new Set([...file.slice(file.indexOf('commands.allow')).matchAll(/"([a-z_]+)"/g)].map(([, command]) => command!));
};
const begun = { turn_id: 't', conversation_id: 'c', user_message_id: 'q', message_id: 'a', model: 'inhouse/default' };

afterEach(closes);

describe('the composer', () => {
  beforeEach(() => opens('main'));

  it('is empty in the next new chat after a text was sent', async () => {
    stage.turn('send_message', begun);
    await type('Hello?');
    await click('send');
    expect([thread.id, field().value]).toEqual(['c', '']);
    await click('new-chat');
    expect([thread.id, field().value]).toEqual([null, '']);
  });

  it('keeps a text that could not be sent, and what was begun in each chat', async () => {
    stage.plays['send_message'] = () => Promise.reject({ code: 'disk_full', message: 'free some space' });
    await type('Hello?');
    await click('send');
    expect([field().value, toasts.shown.length]).toEqual(['Hello?', 1]);
    await click('conversation-item');
    expect(field().value).toBe('');
    await type('In this one');
    await click('new-chat');
    expect(field().value).toBe('Hello?');
    await click('conversation-item');
    expect(field().value).toBe('In this one');
  });

  it('keeps what was typed while the text before was on its way', async () => {
    const later = new Later();
    stage.turn('send_message', begun, later.promise);
    await type('Hello?');
    await click('send');
    await type('And another thing');
    later.resolve();
    await settled();
    expect([thread.id, field().value]).toEqual(['c', 'And another thing']);
  });

  it('keeps out what is far too large, pasted or dropped', async () => {
    for (const kind of ['paste', 'drop']) {
      const event = new Event(kind, { bubbles: true, cancelable: true });
      const brought = { getData: () => 'x'.repeat(50_000_000) };
      Object.assign(event, kind === 'paste' ? { clipboardData: brought } : { dataTransfer: brought });
      field().dispatchEvent(event);
      await settled();
      expect([event.defaultPrevented, find('composer-problem').textContent]).toEqual([true, expect.stringContaining('50 MB')]);
      await type('');
    }
  });
});

describe('the thread', () => {
  beforeEach(() => opens('main'));

  it('goes to a question that was asked after scrolling up', async () => {
    await click('conversation-item');
    const scroller = find('thread');
    expect(scroller.scrollTop).toBe(400);
    scroller.dispatchEvent(new WheelEvent('wheel', { deltaY: -50 }));
    scroller.scrollTop = 20;
    scroller.dispatchEvent(new Event('scroll'));
    await settled();
    expect(scroller.scrollTop).toBe(20);
    stage.turn('send_message', { ...begun, conversation_id: thread.id! });
    await type('Hello?');
    await click('send');
    expect(scroller.scrollTop).toBe(500);
  });
});

describe('a dialog', () => {
  beforeEach(() => opens('main'));

  it('gives the keys back to what opened it, however it is closed', async () => {
    find('settings-button').focus();
    await click('settings-button');
    expect(desk.settings).toBe('models');
    await click('settings-close');
    expect(document.activeElement).toBe(find('settings-button'));
  });

  it('holds the notes while it is open: nothing outside it can be reached', async () => {
    await click('settings-button');
    toasts.note('Look here.');
    await settled();
    expect(find('toast').closest('dialog')).not.toBe(null);
    await click('settings-close');
    expect(find('toast').closest('dialog')).toBe(null);
    expect(document.querySelectorAll('[data-testid=live]')).toHaveLength(1);
  });

  it('stays when a selection of text ends outside it', async () => {
    await click('settings-button');
    const dialog = document.querySelector('dialog')!;
    dialog.dispatchEvent(new MouseEvent('click', { bubbles: true }));
    await settled();
    expect(desk.settings).toBe('models');
    dialog.dispatchEvent(new Event('pointerdown', { bubbles: true }));
    await settled();
    expect(desk.settings).toBe(null);
  });
});

describe('the list of chats', () => {
  beforeEach(() => opens('main'));

  it('gives the keys to the next chat after one was deleted, and opens it again when that is undone', async () => {
    stage.plays['delete_conversation'] = () => undefined;
    stage.plays['restore_conversation'] = () => undefined;
    await click('conversation-item');
    find('conversation-item').focus();
    await press(find('conversation-item'), 'Delete');
    expect(thread.id).toBe(null);
    expect(document.activeElement).toBe(find('conversation-item'));
    expect(find('conversation-item').dataset['conversationId']).toBe(rows[1]!.id);
    await click('toast-undo');
    expect(thread.id).toBe(rows[0]!.id);
  });

  it('gives the keys to the row when renaming ends', async () => {
    find('conversation-item').focus();
    await press(find('conversation-item'), 'F2');
    const escape = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true });
    find('rename-input').dispatchEvent(escape);
    await settled();
    expect(escape.defaultPrevented).toBe(true);
    expect(document.activeElement).toBe(find('conversation-item'));
  });
});

describe('the picker', () => {
  beforeEach(() => opens('main'));

  it('keeps saying who did not answer, and asks again when it opens, but not at once', async () => {
    const { app } = await import('./state/app.svelte');
    const quiet = groups.map((group) => ({ ...group, error: null }));
    stage.plays['list_models'] = ({ refresh }) => (refresh ? groups : quiet);
    await click('picker-button');
    expect(stage.calls.filter(({ command, args }) => command === 'list_models' && args['refresh'])).toHaveLength(1);
    stage.tell('models-changed');
    await settled();
    expect(app.groups.find(({ provider }) => provider === 'workshop')?.error?.code).toBe('network');
    await click('picker-button');
    await click('picker-button');
    expect(stage.calls.filter(({ command, args }) => command === 'list_models' && args['refresh'])).toHaveLength(1);
  });

  it('lets Tab move on, and gives the keys back when Ctrl+M closes it', async () => {
    await click('picker-button');
    await press(find('picker-search'), 'Tab');
    expect(desk.picker).toBe(true);
    await press(find('picker-search'), 'm', { ctrlKey: true });
    expect([desk.picker, document.activeElement]).toEqual([false, field()]);
  });
});

describe('the greeting', () => {
  it('can be left where that cannot be saved', async () => {
    settings.welcomed = false;
    await opens('main');
    settings.welcomed = true;
    expect(find('welcome')).not.toBe(null);
    stage.plays['save_settings'] = () => Promise.reject({ code: 'disk_full', message: 'free some space' });
    await click('welcome-skip');
    expect([find('welcome'), field()?.tagName]).toEqual([null, 'TEXTAREA']);
  });

  it('says that the hotkey works as soon as it does', async () => {
    settings.welcomed = false;
    await opens('main');
    settings.welcomed = true;
    await click('welcome-next');
    expect(find('hotkey-route').dataset.route).toBe('off');
    stage.tell('hotkey-changed', { route: 'grabbed', key: 'Ctrl+Shift+Space' });
    await settled();
    expect(find('hotkey-route').dataset.route).toBe('grabbed');
  });
});

describe('the quick window', () => {
  it('asks only for what it is granted, whatever it is told and whatever is clicked in it', async () => {
    await opens('quick');
    for (const event of stage.events) {
      stage.tell(event, event === 'settings-changed' ? settings : undefined);
      await settled();
    }
    stage.plays['set_default_model'] = () => settings;
    await press(document.body, 'm', { ctrlKey: true });
    await press(find('picker-search'), 'd', { ctrlKey: true });
    expect(document.querySelector('.star')).toBe(null);
    await press(find('picker-search'), 'Enter');
    stage.turn('send_message', begun);
    find<HTMLTextAreaElement>('quick-input').value = 'Hello?';
    find('quick-input').dispatchEvent(new Event('input', { bubbles: true }));
    await press(find('quick-input'), 'Enter');
    await click('stop');
    const asked = [...new Set(stage.calls.map(({ command }) => command))];
    expect(asked).toContain('set_default_model');
    expect(asked.filter((command) => !permitted('quick').has(command))).toEqual([]);
  });
});
