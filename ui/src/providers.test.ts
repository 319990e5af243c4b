// @vitest-environment happy-dom
/** Providers, keys, efforts, failover, money and what leaves the machine, as the window shows them. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { AppError } from './bindings/AppError';
import type { MessageView } from './bindings/MessageView';
import type { Preflight } from './bindings/Preflight';
import * as calls from './dev/ledger';
import { change, click, closes, desk, field, find, findAll, opens, press, stage, thread, toasts, type } from './dev/page';
import { endpoints, groups, message, question, settings, states } from './dev/samples';
import { branch, settled } from './dev/stage';

const begun = { turn_id: 't', conversation_id: 'c', user_message_id: 'q', message_id: 'a', model: 'example/large-2' };
const last = (command: string) => stage.calls.filter((call) => call.command === command).at(-1)?.args as Record<string, any>;

/** Opens the main window in which a hosted model is chosen. */
async function opensHosted(): Promise<void> {
  await opens('main');
  let kept = { ...settings, default_model: 'example/large-2' };
  stage.plays['set_default_model'] = () => kept;
  stage.plays['save_settings'] = ({ settings: wanted }) => (kept = wanted as typeof kept);
  await thread.choose('example/large-2');
  await settled();
}

/** Opens a chat whose last answer is that one. */
async function opensWith(more: Partial<MessageView>): Promise<void> {
  const asked = { model: 'example/large-2', runs_at: { at: 'host', host: 'api.example.com' } as const, served_by: 'example/large-2' };
  stage.plays['open_thread'] = (args) => branch(args['conversationId'] as string, [question('q', 'Hello?'), message('a', { ...asked, ...more })])(args);
  await click('conversation-item');
}

afterEach(closes);

describe('the effort', () => {
  beforeEach(opensHosted);

  it('is offered as far as the model lets one say, and goes with what is sent', async () => {
    await click('effort-button');
    expect(findAll('effort-option').map(({ dataset }) => dataset['effort'])).toEqual(['', 'low', 'medium', 'high']);
    await click(findAll('effort-option').at(-1)!);
    expect([find('effort-button').dataset['effort'], document.activeElement]).toEqual(['high', field()]);
    stage.turn('send_message', begun);
    await type('Hello?');
    await click('send');
    expect(last('send_message')['request']).toMatchObject({ effort: 'high', model: 'example/large-2' });
  });

  it('is hidden for a model that has none, and is not sent to it', async () => {
    await click('effort-button');
    await click(findAll('effort-option').at(-1)!);
    await thread.choose('example/mini-2');
    await settled();
    expect(find('effort-button')).toBe(null);
    stage.turn('send_message', begun);
    await type('Hello?');
    await click('send');
    expect(last('send_message')['request'].effort).toBe(null);
  });

  it('stays with its chat, and is the model’s in the next one', async () => {
    await click('effort-button');
    await click(findAll('effort-option')[1]!);
    stage.turn('send_message', begun);
    await type('Hello?');
    await click('send');
    await click('new-chat');
    expect(find('effort-button').dataset['effort']).toBe('low');
    await click('effort-button');
    await click(findAll('effort-option')[0]!);
    stage.plays['open_thread'] = (args) => {
      const view = branch('c', [])(args);
      return { ...view, conversation: { ...view.conversation, model: 'example/large-2' } };
    };
    await thread.open('c');
    await settled();
    expect(find('effort-button').dataset['effort']).toBe('low');
  });

  it('is remembered in the settings, the last choice first, and forgotten when the model is to decide', async () => {
    const kept = () => last('save_settings')['settings'].efforts;
    await click('effort-button');
    await click(findAll('effort-option')[1]!);
    expect(kept()).toEqual([{ model: 'example/large-2', effort: 'low' }]);
    await thread.choose('example/medium-2');
    await settled();
    await click('effort-button');
    await click(findAll('effort-option').at(-1)!);
    expect(kept()).toEqual([{ model: 'example/medium-2', effort: 'max' }, { model: 'example/large-2', effort: 'low' }]);
    await click('effort-button');
    await click(findAll('effort-option')[0]!);
    expect(kept()).toEqual([{ model: 'example/large-2', effort: 'low' }]);
  });

  it('is chosen with the keys alone, and Escape changes nothing', async () => {
    await click('effort-button');
    expect((document.activeElement as HTMLElement).dataset['effort']).toBe('');
    await press(document.activeElement!, 'ArrowUp');
    expect((document.activeElement as HTMLElement).dataset['effort']).toBe('high');
    await press(document.activeElement!, 'Escape');
    expect([find('effort-option'), document.activeElement]).toEqual([null, find('effort-button')]);
    expect(find('effort-button').dataset['effort']).toBe('');
  });
});

describe('before sending', () => {
  const whole: Preflight = { model: 'inhouse/c', images: 0, files: 0, tool_calls: 0, tokens: 900, room: 28_000, dropped_messages: 0, too_long: false, ways: [] };
  let found: Preflight;

  beforeEach(async () => {
    await opens('main');
    found = { ...whole, tokens: 45_000, dropped_messages: 12, ways: ['summarise', 'trim', 'choose_another'] };
    stage.plays['preflight'] = () => found;
    stage.plays['open_thread'] = branch('c', [question('q', 'Hello?'), message('a', {})]);
    stage.turn('send_message', { ...begun, message_id: 'b' });
    await click('conversation-item');
    await type('And now?');
  });

  it('nothing is asked where nothing is lost', async () => {
    found = whole;
    await click('send');
    expect([find('preflight'), stage.count('send_message')]).toEqual([null, 1]);
    expect(last('preflight')['request'].text).toBe('And now?');
  });

  it('a person is told what does not fit, and it is sent as they say', async () => {
    await click('send');
    expect(find('preflight').textContent).toContain('12 messages at the beginning');
    expect(stage.count('send_message')).toBe(0);
    await click('preflight-summarise');
    expect([last('send_message')['request'].fit, find('preflight'), field().value]).toEqual(['summarise', null, '']);
  });

  it('the same is not asked twice, but more that would be lost is', async () => {
    await click('send');
    await click('preflight-trim');
    stage.plays['get_message'] = () => message('b', {});
    thread.growing!.apply({ type: 'finished', message_id: 'b' });
    await closes();
    await opens('main');
    const { preflights } = await import('./state/preflights.svelte');
    stage.plays['preflight'] = () => found;
    const another = vi.fn();
    const first = preflights.clear('c', 'inhouse/c', '', another);
    await settled();
    preflights.asking!.answer('trim');
    expect(await first).toBe('trim');
    found = { ...found, dropped_messages: 20 };
    expect(await preflights.clear('c', 'inhouse/c', '', another)).toBe('trim');
    found = { ...found, images: 1 };
    const second = preflights.clear('c', 'inhouse/c', '', another);
    await settled();
    expect(preflights.asking?.found.images).toBe(1);
    preflights.asking!.answer('choose_another');
    expect([await second, another.mock.calls.length]).toEqual([null, 1]);
  });

  it('nothing is sent when they choose another model or none, and the text stays', async () => {
    await click('send');
    await click('preflight-choose_another');
    expect([desk.picker, stage.count('send_message'), field().value]).toEqual([true, 0, 'And now?']);
    desk.picker = false;
    await click('send');
    await click('preflight-cancel');
    expect([stage.count('send_message'), field().value, thread.takesMessages]).toEqual([0, 'And now?', true]);
  });

  it('a message goes out also where that could not be found out', async () => {
    stage.plays['preflight'] = () => Promise.reject({ code: 'storage', message: 'the disk is away' });
    await click('send');
    expect([stage.count('send_message'), toasts.shown]).toEqual([1, []]);
  });
});

describe('the estimate', () => {
  it('comes once the person pauses, and goes with the text', async () => {
    await opensHosted();
    vi.useFakeTimers();
    const cost = { usd: 0.5, estimated: true, as_of: null };
    stage.plays['estimate'] = () => ({ model: 'example/large-2', input_tokens: 1_200, output_tokens: null, least: cost, most: cost });
    for (const text of ['H', 'He', 'Hello?']) {
      field().value = text;
      field().dispatchEvent(new Event('input', { bubbles: true }));
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(stage.count('estimate')).toBe(0);
    await vi.advanceTimersByTimeAsync(600);
    expect([stage.count('estimate'), find('estimate').textContent]).toEqual([1, '~1.2K tokens · up to $0.50']);
    field().value = '';
    field().dispatchEvent(new Event('input', { bubbles: true }));
    await vi.advanceTimersByTimeAsync(600);
    expect([stage.count('estimate'), find('estimate')]).toEqual([1, null]);
    vi.useRealTimers();
  });
});

describe('an error in the thread', () => {
  const failed = (error: AppError): Partial<MessageView> => ({ state: 'failed', error, usage: null, served_by: null, first_token_at: null, finished_at: Date.now() });
  beforeEach(() => opens('main'));

  it('leads to the key of its provider', async () => {
    Object.assign(stage.plays, { list_endpoints: () => endpoints, provider_states: () => states, vault_state: () => ({ is: 'session_only' }) });
    await opensWith(failed({ code: 'auth', message: 'the key was not accepted', action: 'fix_key' }));
    await click('set-key');
    expect([desk.settings, desk.keyWanted]).toEqual(['endpoints', null]);
    expect(document.activeElement).toBe(find('key-input'));
    expect(find('key-input').closest<HTMLElement>('[data-testid=endpoint-row]')?.dataset['provider']).toBe('example');
  });

  it('counts down until sending again makes sense', async () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const error = { code: 'rate_limited', message: 'wait', action: 'wait', retry_after_ms: 3_000 } as const;
    stage.plays['open_thread'] = branch('c', [message('a', failed(error))]);
    find('conversation-item').click();
    await vi.advanceTimersByTimeAsync(10);
    expect([find<HTMLButtonElement>('retry').disabled, find('retry').textContent?.trim()]).toEqual([true, 'Retry in 3 s']);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(find('retry').textContent?.trim()).toBe('Retry in 1 s');
    await vi.advanceTimersByTimeAsync(1_000);
    expect([find<HTMLButtonElement>('retry').disabled, find('retry').textContent?.trim()]).toEqual([false, 'Retry']);
    expect(toasts.spoken).toBe('You can try again now.');
    vi.useRealTimers();
  });

  it('is made shorter in the way that the person chooses', async () => {
    stage.plays['preflight'] = () => ({ model: 'inhouse/c', images: 0, files: 0, tool_calls: 0, tokens: 900, room: null, dropped_messages: 0, too_long: false, ways: [] });
    stage.turn('regenerate_message', { ...begun, user_message_id: null, message_id: 'b' });
    stage.plays['get_message'] = () => message('b', { state: 'streaming' });
    await opensWith(failed({ code: 'context_overflow', message: 'too long', action: 'shorten' }));
    await click('shorten');
    await click('preflight-trim');
    expect(last('regenerate_message')['request']).toMatchObject({ message_id: 'a', fit: 'trim' });
  });

  it('shows the provider’s id of the request, to be copied', async () => {
    const write = vi.fn(async () => {});
    vi.stubGlobal('navigator', { ...navigator, clipboard: { writeText: write } });
    await opensWith(failed({ code: 'overloaded', message: 'busy', request_id: 'req_42' }));
    expect(find('request-id').textContent).toBe('req_42');
    await click('request-copy');
    expect(write).toHaveBeenCalledWith('req_42');
    vi.unstubAllGlobals();
  });

  it('that came before anything was sent does not say that it went anywhere', async () => {
    await opensWith(failed({ code: 'local_only', message: 'nothing may leave this machine' }));
    expect(find('label').textContent).toContain('nothing was sent');
    expect(find('label').textContent).not.toContain('went to');
    await click('privacy');
    expect(desk.settings).toBe('privacy');
  });
});

describe('the foot of an answer', () => {
  beforeEach(() => opens('main'));

  it('says who answered and why, where it went and what it cost', async () => {
    await opensWith({
      cost: { usd: 0.0124, estimated: false, as_of: '2026-11-01' },
      attempts: [{ model: 'example/medium-2', error: { code: 'overloaded', message: 'busy' }, at: 0 }],
    });
    expect(find('label').textContent).toContain('went to api.example.com');
    expect(find('label').textContent).toContain('$0.012');
    expect(find('passed-over').textContent).toBe('Example medium-2 was overloaded, so Example large-2 answered.');
  });

  it('calls a price that nobody knows unknown, and says nothing of one on this machine', async () => {
    await opensWith({ cost: null });
    expect(find('label').textContent).toContain('cost unknown');
    await opensWith({ cost: null, runs_at: { at: 'in_house' } });
    await thread.open('other');
    await settled();
    expect(find('label').textContent).not.toContain('cost');
  });

  it('tells while it waits who was passed over', async () => {
    await opensWith({});
    const tell = stage.turn('send_message', { ...begun, message_id: 'b' });
    await type('And now?');
    await click('send');
    tell({ type: 'switched', message_id: 'b', attempt: { model: 'example/large-2', error: { code: 'network', message: '' }, at: 0 }, model: 'inhouse/default' });
    await settled();
    expect(find('waiting').textContent).toContain('Example large-2 could not be reached, so Qwen2.5 Coder 1.5B is asked.');
  });
});

describe('providers in the settings', () => {
  beforeEach(async () => {
    await opens('main');
    Object.assign(stage.plays, { list_endpoints: () => endpoints, provider_states: () => states, vault_state: () => ({ is: 'ready', place: 'login' }) });
    await click('settings-button');
    await click('settings-tab-endpoints');
  });
  const row = (provider: string) => document.querySelector<HTMLElement>(`[data-testid=endpoint-row][data-provider=${provider}]`)!;
  const within = (provider: string, id: string) => row(provider).querySelector<HTMLElement>(`[data-testid=${id}]`)!;

  it('stand in groups, each with the place of its key', () => {
    const titles = [...document.querySelectorAll('#settings-panel section')].map((section) => section.getAttribute('aria-label'));
    expect(titles).toEqual(['Hosted', 'On this machine', 'Your own']);
    expect(row('workshop').closest('section')?.getAttribute('aria-label')).toBe('Your own');
    expect(within('example', 'endpoint-key-record').textContent).toBe('Key ····x7Qd, in Secret Service keyring “login”');
    expect(within('messages', 'endpoint-key-record').textContent).toContain('lost');
    expect(within('many', 'endpoint-key-record').textContent).toContain('in memory');
    expect(row('quiet').textContent).toContain('No key yet');
  });

  it('that come with Pilotfish lose their key, and only the person’s own go', async () => {
    stage.plays['remove_key'] = () => undefined;
    await click(within('example', 'endpoint-remove'));
    expect(within('example', 'endpoint-remove-confirm')).toBe(null);
    await click(within('example', 'key-remove'));
    expect(last('remove_key')).toEqual({ provider: 'example' });
    await click(within('workshop', 'endpoint-remove'));
    expect(within('workshop', 'endpoint-remove-confirm')).not.toBe(null);
  });

  it('that are a cluster keep only their key here', async () => {
    const cluster = { ...endpoints[0]!, id: 'inhouse-cluster', name: 'In-house cluster', needs_key: false };
    stage.plays['list_endpoints'] = () => [cluster];
    await click('settings-tab-models');
    await click('settings-tab-endpoints');
    await click(within('inhouse-cluster', 'endpoint-remove'));
    expect(within('inhouse-cluster', 'endpoint-remove-confirm')).toBe(null);
    await click(within('inhouse-cluster', 'endpoint-edit'));
    expect(desk.settings).toBe('models');
  });

  it('explain what their test found', async () => {
    stage.plays['test_endpoint'] = () => Promise.reject({ code: 'auth', message: 'api.example.com did not accept the key: set another', request_id: 'req_7' });
    await click(within('example', 'endpoint-test'));
    expect(within('example', 'endpoint-result').textContent).toContain('The key was not accepted.');
    expect(within('example', 'endpoint-result').textContent).toContain('req_7');
    expect(within('quiet', 'endpoint-test')).toHaveProperty('disabled', true);
  });

  it('are added with their wire and headers, and their key comes next', async () => {
    await click('endpoint-add');
    await type('Cloud', find('endpoint-name'));
    await type('https://cloud.example/v1', find('endpoint-url'));
    await change('endpoint-wire', 'messages');
    expect(document.getElementById('endpoint-wire-about')?.textContent).toContain('Claude');
    await click('endpoint-needs-key');
    for (let added = 0; added < 16; added += 1) await click('header-add');
    expect([findAll('header-name').length, find('header-add')]).toEqual([16, null]);
    await type('X-Team', find('header-name'));
    await type('research', find('header-value'));
    const saved = { ...endpoints[0]!, id: 'cloud', name: 'Cloud', key: null };
    stage.plays['save_endpoint'] = () => saved;
    stage.plays['list_endpoints'] = () => [...endpoints, saved];
    await click('endpoint-save');
    expect(last('save_endpoint')['draft']).toEqual({
      id: null,
      name: 'Cloud',
      base_url: 'https://cloud.example/v1',
      needs_key: true,
      wire: 'messages',
      headers: [{ name: 'X-Team', value: 'research' }],
    });
    await settled();
    expect(document.activeElement).toBe(find('key-input'));
  });

  it('say which field is wrong, and keep what was typed', async () => {
    await click('endpoint-add');
    await type('Cloud', find('endpoint-name'));
    await type('nonsense', find('endpoint-url'));
    stage.plays['save_endpoint'] = () => Promise.reject({ code: 'invalid_request', message: 'base URL: begin it with https://' });
    await click('endpoint-save');
    expect(find('endpoint-problem').textContent).toBe('Base URL: begin it with https://.');
    expect(find<HTMLInputElement>('endpoint-url').value).toBe('nonsense');
  });
});

describe('the failover chain', () => {
  const chain = () => last('save_settings')['settings'].failover as string[];
  const models = () => findAll('chain-row').map(({ dataset }) => dataset['model']);

  beforeEach(async () => {
    await opensHosted();
    await click('settings-button');
    await click('settings-tab-failover');
  });

  async function add(model: string): Promise<void> {
    await click('chain-add');
    await click(document.querySelector<HTMLElement>(`dialog dialog [data-testid=picker-option][data-model="${model}"], dialog:last-of-type [data-testid=picker-option][data-model="${model}"]`)!);
  }

  it('is off while it is empty, and ends in the house if wished', async () => {
    expect(find('chain-empty')).not.toBe(null);
    await click('chain-inhouse');
    expect(chain()).toEqual(['inhouse/default']);
    await add('example/large-2');
    expect(models()).toEqual(['example/large-2', 'inhouse/default']);
    await click('chain-inhouse');
    expect(chain()).toEqual(['example/large-2']);
    await click('chain-remove');
    expect([chain(), find('chain-empty') !== null]).toEqual([[], true]);
  });

  it('is put in order with the keys, which stay on the model that moves', async () => {
    await add('example/large-2');
    await add('example/medium-2');
    await add('example/large-2');
    expect(models()).toEqual(['example/large-2', 'example/medium-2']);
    expect(toasts.shown.at(-1)?.text).toContain('already');
    findAll('chain-down')[0]!.focus();
    await click(findAll('chain-down')[0]!);
    await settled();
    expect(models()).toEqual(['example/medium-2', 'example/large-2']);
    expect(document.activeElement?.closest<HTMLElement>('[data-testid=chain-row]')?.dataset['model']).toBe('example/large-2');
    expect(toasts.spoken).toContain('number 2 of 2');
  });
});

describe('privacy and cost', () => {
  beforeEach(async () => {
    await opensHosted();
    Object.assign(stage.plays, {
      list_endpoints: () => endpoints,
      ledger: ({ days, before }: Record<string, unknown>) => calls.page(calls.ledger, days as number, before as number | null, 6),
      spending: ({ days }: Record<string, unknown>) => calls.spending(calls.ledger, days as number),
      conversation_spend: () => calls.spending([], 1).total,
    });
  });

  async function opensPrivacy(): Promise<void> {
    await click('settings-button');
    await click('settings-tab-privacy');
    await settled();
  }

  it('keeps everything on this machine with one switch, and says so beside the chat', async () => {
    await opensPrivacy();
    expect(find('local-only-switch').getAttribute('aria-checked')).toBe('false');
    await click('local-only-switch');
    expect(last('save_settings')['settings'].local_only).toBe(true);
    expect([find('local-only-switch').getAttribute('aria-checked'), find('local-only') !== null]).toEqual(['true', true]);
  });

  it('lists the calls page by page, narrowed down as wished', async () => {
    await opensPrivacy();
    expect(findAll('ledger-row').length).toBe(6);
    expect(find('ledger-sum').textContent).toContain('10 calls');
    await click('ledger-more');
    expect([findAll('ledger-row').length, find('ledger-more')]).toEqual([11, null]);
    await change('ledger-purpose', 'download');
    expect(findAll('ledger-row').length).toBe(1);
    await type('nowhere', find('ledger-query'));
    expect([findAll('ledger-row').length, find('ledger-empty').textContent?.trim()]).toEqual([0, 'No call fits that.']);
  });

  it('sums them up by day, model and chat', async () => {
    await opensPrivacy();
    await click('ledger-view-model');
    const first = () => find('sum-row').textContent;
    expect([findAll('ledger-row').length, find('ledger-query')]).toEqual([0, null]);
    expect(first()).toContain('reasoner-1');
    expect(findAll('sum-row').some(({ textContent }) => textContent?.includes('of unknown price'))).toBe(true);
    await click('ledger-view-chat');
    expect(first()).toContain('Borrowing in Rust');
    await click('ledger-view-day');
    expect(findAll('sum-row').length).toBeGreaterThan(2);
    await click('ledger-view-calls');
    expect(findAll('ledger-row').length).toBe(6);
  });

  it('says so when nothing was called', async () => {
    stage.plays['ledger'] = () => ({ entries: [], next: null });
    await opensPrivacy();
    expect(find('ledger-empty').textContent).toContain('Nothing left this machine');
  });

  it('caps a day and a provider, and takes no nonsense for a sum', async () => {
    await opensPrivacy();
    await change('cap-day', '2.5');
    expect(last('save_settings')['settings'].caps.usd_per_day).toBe(2.5);
    await change('cap-add', 'example');
    expect(last('save_settings')['settings'].caps.providers).toEqual([{ provider: 'example', usd_per_day: 1 }]);
    const before = stage.count('save_settings');
    await change('cap-day', '-3');
    expect([stage.count('save_settings'), find('cap-problem') !== null]).toEqual([before, true]);
    await change('cap-day', '');
    expect(last('save_settings')['settings'].caps.usd_per_day).toBe(null);
    await change('cap-then', 'in_house');
    expect(last('save_settings')['settings'].caps.at_cap).toBe('in_house');
  });

  it('keeps one chat here, and gives it a list of its own', async () => {
    stage.plays['set_conversation_local_only'] = () => undefined;
    stage.plays['set_conversation_failover'] = () => undefined;
    await opensWith({});
    expect(find('local-only')).toBe(null);
    await click('chat-options');
    await click('chat-local-only');
    expect(last('set_conversation_local_only')).toEqual({ conversationId: thread.id, localOnly: true });
    expect(find('local-only')).not.toBe(null);
    await click('chat-failover-own');
    expect(last('set_conversation_failover')).toEqual({ conversationId: thread.id, failover: [] });
    await click('chain-inhouse');
    expect(last('set_conversation_failover')['failover']).toEqual(['inhouse/default']);
    await click('chat-failover-usual');
    expect(last('set_conversation_failover')['failover']).toBe(null);
  });
});

describe('the picker', () => {
  it('shows which model is in trouble, and all that is known of the one it stands on', async () => {
    await opens('main');
    stage.plays['list_models'] = () => groups;
    await click('picker-button');
    const option = (model: string) => document.querySelector<HTMLElement>(`[data-testid=picker-option][data-model="${model}"]`)!;
    expect(option('example/medium-2').querySelector('[data-testid=picker-trouble]')?.textContent).toMatch(/limited until/);
    expect(option('example/large-2').querySelector('[data-testid=picker-trouble]')).toBe(null);
    option('example/large-2').dispatchEvent(new Event('pointermove', { bubbles: true }));
    await settled();
    expect(find('picker-details').textContent).toContain('$3 / $15 for a million tokens in / out');
    expect(option('example/large-2').getAttribute('aria-describedby')).toBe(find('picker-details').id);
  });
});
