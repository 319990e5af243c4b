// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { MessageView } from '../bindings/MessageView';
import type { PartView } from '../bindings/PartView';
import type { TurnEvent } from '../bindings/TurnEvent';
import type { TurnStarted } from '../bindings/TurnStarted';
import { message, question } from '../dev/samples';
import { branch, Later, settled, talk, type Stage } from '../dev/stage';

const started = (conversation_id: string, more: Partial<TurnStarted> = {}): TurnStarted => ({
  turn_id: 't',
  conversation_id,
  user_message_id: 'q',
  message_id: 'a',
  model: 'inhouse/default',
  ...more,
});
const ids = () => thread.messages.map(({ id }) => id);
const word: TurnEvent = { type: 'patch', message_id: 'a', part: 0, kind: 'text', from: 0, append: [{ index: 0, html: '<p>Hi</p>' }], tail: null };
const text: PartView = { type: 'rendered', blocks: [{ index: 0, html: '<p>Hi</p>' }] };

// Each test has a window of its own: what holds for the whole window is made anew.
let app: typeof import('./app.svelte').app;
let thread: typeof import('./thread.svelte').thread;
let toasts: typeof import('./toasts.svelte').toasts;
let stage: Stage;
beforeEach(async () => {
  vi.resetModules();
  const { Stage } = await import('../dev/stage');
  ({ app } = await import('./app.svelte'));
  ({ thread } = await import('./thread.svelte'));
  ({ toasts } = await import('./toasts.svelte'));
  stage = new Stage({
    open_thread: (args) => branch(args['conversationId'] as string, talk(args['conversationId'] as string, 2))(args),
    list_models: () => [],
  });
});

/** Sends a question and leaves its answer growing. */
async function asked(conversation: string | null = null, turn = started('c')) {
  if (conversation) await thread.open(conversation);
  const tell = stage.turn('send_message', turn);
  expect(await thread.send('Hello?')).toBe(turn.conversation_id);
  return tell;
}

describe('opening', () => {
  it('shows nothing of the chat before under the name of the next one, and sends nothing meanwhile', async () => {
    await thread.open('one');
    expect([thread.model, ids().length, thread.takesMessages]).toEqual(['inhouse/one', 4, true]);
    const later = new Later();
    const play = stage.plays['open_thread']!;
    stage.plays['open_thread'] = async (args) => (await later.promise, play(args));
    const opened = thread.open('two');
    expect([thread.id, ids(), thread.conversation, thread.takesMessages]).toEqual(['two', [], null, false]);
    later.resolve();
    await opened;
    expect([thread.model, thread.takesMessages, thread.messages[0]?.id]).toEqual(['inhouse/two', true, 'two-q0']);
  });

  it('says why it failed, sends nothing, and can be tried again', async () => {
    await thread.open('one');
    const play = stage.plays['open_thread']!;
    stage.plays['open_thread'] = () => Promise.reject({ code: 'storage', message: 'the disk is away' });
    await thread.open('two');
    expect([thread.error?.message, ids(), thread.takesMessages]).toEqual(['the disk is away', [], false]);
    stage.plays['open_thread'] = play;
    thread.retry();
    await settled();
    expect([thread.error, thread.id, thread.takesMessages]).toEqual([null, 'two', true]);
  });

  it('is told to be slow only when it is', async () => {
    vi.useFakeTimers();
    const later = new Later();
    stage.plays['open_thread'] = async (args) => (await later.promise, branch('one', [])(args));
    const opened = thread.open('one');
    await vi.advanceTimersByTimeAsync(100);
    expect(thread.isSlow).toBe(false);
    await vi.advanceTimersByTimeAsync(100);
    expect(thread.isSlow).toBe(true);
    later.resolve();
    await opened;
    expect(thread.isSlow).toBe(false);
    vi.useRealTimers();
  });

  it('ends with the one that was asked for last, however long an earlier one takes', async () => {
    const slow = new Later();
    const play = stage.plays['open_thread']!;
    stage.plays['open_thread'] = async (args) => (args['conversationId'] === 'one' && (await slow.promise), play(args));
    const first = thread.open('one');
    await thread.open('two');
    slow.resolve();
    await first;
    expect([thread.id, thread.messages[0]?.id, thread.phase]).toEqual(['two', 'two-q0', 'idle']);
  });

  it('goes to a search hit with one call, marks it, and marks it again on the next click', async () => {
    vi.useFakeTimers();
    const all = talk('one', 400);
    stage.plays['open_thread_around'] = () => branch('one', all)({ before: 250, limit: 100 });
    const hit = { conversation_id: 'one', title: '', message_id: 'one-q100', snippet: [], created_at: 0 };
    await thread.openHit(hit);
    expect([stage.count('open_thread'), thread.before, thread.after]).toEqual([0, 150, 550]);
    const first = thread.target;
    expect(first).toEqual({ id: 'one-q100' });
    await thread.openHit(hit);
    expect([thread.target, stage.count('open_thread_around')]).toEqual([first, 1]);
    expect(thread.target).not.toBe(first);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(thread.target).toBe(null);
    vi.useRealTimers();
  });

  it('holds no more than a few hundred messages of a long chat', async () => {
    const all = talk('one', 1_000);
    stage.plays['open_thread'] = branch('one', all);
    await thread.open('one');
    for (let page = 0; page < 12; page += 1) await thread.older();
    expect([thread.messages.length, thread.before, thread.after]).toEqual([400, 1_350, 250]);
    await thread.newer();
    expect([thread.messages.length, thread.before, thread.after]).toEqual([400, 1_400, 200]);
    expect(ids()).toEqual(all.slice(1_400, 1_800).map(({ id }) => id));
  });
});

describe('sending', () => {
  it('begins a chat, and brings the question into view wherever the reader was', async () => {
    await thread.open('one');
    await thread.openHit({ conversation_id: 'one', title: '', message_id: 'one-q0', snippet: [], created_at: 0 });
    expect(thread.target).not.toBe(null);
    await asked('one', started('one'));
    expect(thread.target).toBe(null);
    expect(ids().slice(-2)).toEqual(['q', 'a']);
  });

  it('is one thing at a time, and no chat is opened under it', async () => {
    await thread.open('one');
    const later = new Later();
    stage.turn('send_message', started('one'), later.promise);
    const sent = thread.send('Hello?');
    expect([thread.sending, thread.takesMessages]).toEqual([true, false]);
    await thread.open('two');
    later.resolve();
    expect(await sent).toBe('one');
    expect([thread.id, thread.messages.at(-1)?.id, thread.sending]).toEqual(['two', 'two-a1', false]);
  });

  it('shows nothing twice when the thread was read again before the answer of the command came', async () => {
    await thread.open('one');
    const later = new Later();
    stage.turn('send_message', started('one', { user_message_id: 'one-q1', message_id: 'one-a1' }), later.promise);
    const sent = thread.send('Hello?');
    later.resolve();
    await sent;
    expect(ids()).toEqual(['one-q0', 'one-a0', 'one-q1', 'one-a1']);
  });

  it('forgets the model that was picked for a chat that never began', async () => {
    stage.plays['set_default_model'] = () => Promise.reject({ code: 'disk_full', message: 'free some space' });
    await thread.choose('ollama/qwen3:8b');
    expect(thread.model).toBe('ollama/qwen3:8b');
    thread.newChat();
    expect(thread.model).toBe(app.defaultModel);
  });
});

describe('an answer', () => {
  it('grows, waits until its first word, and is replaced by what was stored', async () => {
    const tell = await asked();
    const [, answer] = thread.messages;
    expect([answer?.grows, answer?.waits, thread.growing]).toEqual([true, true, answer]);
    tell({ type: 'shortened', message_id: 'a', dropped_messages: 3 });
    tell(word);
    expect([answer?.waits, answer?.hasText, answer?.unseen]).toEqual([false, true, 3]);
    stage.plays['get_message'] = () => message('a', { parts: [text] });
    tell({ type: 'finished', message_id: 'a' });
    await settled();
    expect([answer?.view.state, thread.growing, thread.takesMessages]).toEqual(['complete', null, true]);
  });

  it.each([
    ['cannot be read', () => Promise.reject({ code: 'storage', message: 'the disk is away' })],
    ['says that it still grows', () => message('a', { state: 'streaming' })],
  ])('ends where it is when the stored one %s, and is read again later', async (_, play) => {
    thread.listen();
    const tell = await asked();
    tell(word);
    stage.plays['get_message'] = play;
    tell({ type: 'failed', message_id: 'a', error: { code: 'network', message: 'the cable is out' }, retryable: true });
    await settled();
    const answer = thread.messages.at(-1)!;
    expect([answer.view.state, answer.view.error?.code, answer.hasText, thread.growing]).toEqual(['failed', 'network', true, null]);
    stage.plays['get_message'] = () => message('a', { state: 'failed', can_continue: true, parts: [text] });
    stage.tell('conversations-changed');
    await settled();
    expect(answer.view.can_continue).toBe(true);
  });

  it('that goes on hears also what was told before the command answered', async () => {
    const cut = message('one-a1', { state: 'interrupted', can_continue: true, parts: [text] });
    stage.plays['open_thread'] = branch('one', [question('one-q1', 'Hello?'), cut]);
    stage.plays['get_message'] = () => message('one-a1', { parts: [text] });
    await thread.open('one');
    const later = new Later();
    const tell = stage.turn('continue_message', started('one', { user_message_id: null, message_id: 'one-a1' }), later.promise);
    const goes = thread.continue(thread.messages[1]!);
    await settled();
    tell({ type: 'finished', message_id: 'one-a1' });
    later.resolve();
    await goes;
    await settled();
    expect([thread.messages[1]?.view.state, thread.growing]).toEqual(['complete', null]);
  });

  it('that goes on waits for its first word, though it has words already', async () => {
    const cut = message('one-a1', { state: 'interrupted', can_continue: true, parts: [text] });
    stage.plays['open_thread'] = branch('one', [cut]);
    await thread.open('one');
    stage.turn('continue_message', started('one', { user_message_id: null, message_id: 'one-a1' }));
    await thread.continue(thread.messages[0]!);
    expect([thread.messages[0]?.waits, thread.messages[0]?.hasText]).toEqual([true, true]);
  });
});

describe('what another window or program adds', () => {
  let all: MessageView[];
  beforeEach(async () => {
    all = talk('one', 60);
    stage.plays['open_thread'] = (args) => branch('one', all)(args);
    await thread.open('one');
    thread.listen();
  });

  it('is shown, and older pages that are held stay', async () => {
    await thread.older();
    expect(thread.messages.length).toBe(100);
    all = [...all, question('new-q', 'From elsewhere'), message('new-a', {})];
    stage.tell('conversations-changed');
    await settled();
    expect(ids()).toEqual(all.slice(20).map(({ id }) => id));
    expect(thread.before).toBe(20);
  });

  it('is not looked for where an answer grows, or where nothing was added', async () => {
    const before = stage.count('open_thread');
    stage.tell('conversations-changed');
    await settled();
    expect(stage.count('open_thread')).toBe(before + 1);
    stage.turn('send_message', started('one'));
    await thread.send('Hello?');
    stage.tell('conversations-changed');
    await settled();
    expect(stage.count('open_thread')).toBe(before + 1);
  });

  it('does not take the reader away when it cannot be read', async () => {
    stage.plays['open_thread'] = () => Promise.reject({ code: 'storage', message: 'the disk is away' });
    stage.tell('conversations-changed');
    await settled();
    expect([thread.messages.length, thread.error, toasts.shown.length]).toEqual([50, null, 0]);
  });
});
