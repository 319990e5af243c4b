/**
 * A backend for browsers: development without the application, and screenshots. What it shows is
 * chosen in the address: `?scene=first&theme=dark&click=settings-button,settings-tab-hotkey`. Scenes
 * are usual, first, empty, long, reading, errors, full and lossy (what a model cannot take), chain
 * (failover, caps and a cluster), local, locked, unreadable and recovery; `model` is what new chats ask.
 */
import type { AppError } from '../bindings/AppError';
import type { ConversationSummary } from '../bindings/ConversationSummary';
import type { Conversation } from '../bindings/Conversation';
import type { Endpoint } from '../bindings/Endpoint';
import type { LibraryEntry } from '../bindings/LibraryEntry';
import type { ErrorCode } from '../bindings/ErrorCode';
import type { LedgerEntry } from '../bindings/LedgerEntry';
import type { MessageView } from '../bindings/MessageView';
import type { Preflight } from '../bindings/Preflight';
import type { PullProgress } from '../bindings/PullProgress';
import type { Settings } from '../bindings/Settings';
import type { StoreState } from '../bindings/StoreState';
import type { ThreadView } from '../bindings/ThreadView';
import type { TurnEvent } from '../bindings/TurnEvent';
import type { VaultState } from '../bindings/VaultState';
import type { Backend } from '../ipc';
import * as calls from './ledger';
import * as samples from './samples';

// Arguments are typed at the door; the fake takes them as they come.
type Args = Record<string, any>;
const FRAME_MS = 30;
const PULL_STEPS = 40;

/** A failure of each kind that a provider has, as the application tells it. */
const failures: [ErrorCode, string, Partial<AppError>?][] = [
  ['auth', 'api.example.com did not accept the key: set another one', { action: 'fix_key' }],
  ['rate_limited', 'api.example.com takes no more requests for 45 seconds', { action: 'wait', retry_after_ms: 45_000 }],
  ['overloaded', 'api.example.com is overloaded: try again, or ask another model', { action: 'retry' }],
  ['quota', 'your account at api.example.com has no credit left: add some, or ask another model', { action: 'switch_model' }],
  ['context_overflow', 'the chat is longer than Example large-2 takes', { action: 'shorten' }],
  ['local_only', 'nothing may leave this machine: ask a model on it, or switch local-only off', { action: 'switch_model' }],
  ['cap_reached', 'the cap of $5.00 for today is reached: raise it, or ask a model on this machine'],
  ['network', 'api.example.com could not be reached: see whether you are online', { action: 'retry' }],
];

export function fake(): Backend {
  const asked = new URLSearchParams(location.search);
  const scene = asked.get('scene') ?? 'usual';
  const settings: Settings = {
    ...samples.settings,
    appearance: {
      theme: (asked.get('theme') as Settings['appearance']['theme'] | null) ?? 'system',
      text_percent: Number(asked.get('text') ?? 100),
    },
    welcomed: scene !== 'first',
    default_model: asked.get('model'),
    local_only: scene === 'local',
    ...(scene === 'chain' && {
      failover: ['example/large-2', 'workshop/glm-4.5-air', 'inhouse/default'],
      caps: { usd_per_day: 5, providers: [{ provider: 'example', usd_per_day: 2.5 }], at_cap: 'in_house' as const },
      inhouse_cluster: { base_url: 'http://models.internal:8000/v1', model: 'Qwen/Qwen2.5-Coder-1.5B-Instruct', max_concurrent: 32 },
    }),
  };
  const ledger: LedgerEntry[] = scene === 'empty' ? [] : calls.ledger;
  const options = new Map<string, Partial<Conversation>>();
  const heard = new Map<string, ((payload: never) => void)[]>();
  const tell = (event: string, payload?: unknown) => heard.get(event)?.forEach((hear) => hear(payload as never));

  let library: LibraryEntry[] = [...samples.library, ...(scene === 'usual' ? samples.ownFiles : [])];
  if (scene === 'first') library = samples.library.map((entry) => ({ ...entry, state: { is: entry.id === 'small' ? 'ready' : 'absent' } }));
  const store: StoreState =
    scene === 'recovery'
      ? {
          is: 'recovery',
          reason: 'the database file is damaged: page 118 of 2,204 does not match its checksum',
          snapshots: [0, 1, 2].map((day) => ({ name: `day-${day}`, created_at: samples.now - (day * 24 + 7) * 3_600_000, messages: 4_812 - day * 61, bytes: 9_412_608 - day * 90_112 })),
        }
      : { is: 'ready' };
  let endpoints = samples.endpoints;
  const keyed = (provider: string, key: Endpoint['key']) => {
    endpoints = endpoints.map((one) => (one.id === provider ? { ...one, key } : one));
    return endpoints.find((one) => one.id === provider);
  };
  let vault: VaultState =
    scene === 'locked'
      ? { is: 'locked', place: 'Secret Service keyring “login”' }
      : { is: 'ready', place: 'Secret Service keyring “login”' };
  let conversations = scene === 'first' || scene === 'empty' ? [] : [...samples.conversations];
  const threads = new Map<string, MessageView[]>();
  let made = 0;
  const id = () => `ffffffff-0000-7000-8000-${String(made++).padStart(12, '0')}`;

  function messages(conversation: string): MessageView[] {
    const known = threads.get(conversation);
    if (known) return known;
    const fresh = scene === 'long' ? long(1_000) : scene === 'errors' ? errors() : usual();
    threads.set(conversation, fresh);
    return fresh;
  }

  function usual(): MessageView[] {
    const [a, b, c, d] = [id(), id(), id(), id()] as const;
    return [
      samples.question(a, 'Explain borrowing in Rust, with a small example.'),
      samples.message(b, { siblings: [id(), b], parts: [{ type: 'thinking', blocks: samples.thoughts, duration_ms: 3_240 }, { type: 'rendered', blocks: samples.answer }] }),
      samples.question(c, 'And in one sentence?'),
      samples.message(d, {
        model: 'example/large-2',
        served_by: 'example/large-2',
        runs_at: { at: 'host', host: 'api.example.com' },
        finished_at: samples.now - 3_600_000 + 1_900,
        ...(scene === 'full' && { usage: { input_tokens: 27_500, cached_tokens: 26_000, cache_write_tokens: null, output_tokens: 286, thinking_tokens: null, reported_cost_usd: null, estimated: false } }),
        cost: { usd: 0.0124, estimated: false, as_of: '2026-11-01' },
        attempts: [{ model: 'example/medium-2', error: { code: 'overloaded', message: 'api.example.com is overloaded' }, at: 0 }],
        parts: [{ type: 'rendered', blocks: [{ index: 0, html: '<p>Borrowing lets you lend a value out under rules that the compiler checks, so that nobody changes it while someone else is looking.</p>' }] }],
      }),
    ];
  }

  function errors(): MessageView[] {
    const partial = [{ type: 'rendered' as const, blocks: samples.answer.slice(0, 2) }];
    return [
      samples.question(id(), 'Explain borrowing in Rust.'),
      samples.message(id(), { state: 'interrupted', can_continue: true, parts: partial, error: { code: 'interrupted', message: 'Pilotfish ended while this was being written' } }),
      samples.question(id(), 'Once more, please.'),
      samples.message(id(), { state: 'cancelled', can_continue: true, parts: partial.slice(0, 1) }),
      samples.question(id(), 'All of it?'),
      samples.message(id(), { can_continue: true, stop_reason: 'max_tokens', parts: partial }),
      ...failures.flatMap(([code, message, more]) => [
        samples.question(id(), `And what of ${code}?`),
        samples.message(id(), {
          state: 'failed',
          model: 'example/large-2',
          served_by: null,
          runs_at: { at: 'host', host: 'api.example.com' },
          usage: null,
          created_at: Date.now() - 1_400,
          first_token_at: null,
          finished_at: Date.now(),
          error: { code, message, request_id: 'req_01J8ZK4W3M5N6P7Q8R9S0T1V2W', ...more },
        }),
      ]),
    ];
  }

  function long(pairs: number): MessageView[] {
    return Array.from({ length: pairs }, (_, at) => [
      samples.question(id(), `Question ${at + 1}: how does it go on?`),
      samples.message(id(), { parts: [{ type: 'rendered', blocks: at % 5 === 0 ? samples.answer : samples.answer.slice(0, 2 + (at % 3)) }] }),
    ]).flat();
  }

  const keep = (conversation: string, change: Partial<Conversation>) => void options.set(conversation, { ...options.get(conversation), ...change });
  const row = (conversation: string) => conversations.find((one) => one.id === conversation)!;
  const owner = (messageId: string) => [...threads].find(([, all]) => all.some((message) => message.id === messageId))!;

  function change(conversation: string, made: Partial<ConversationSummary>): void {
    conversations = conversations.map((one) => (one.id === conversation ? { ...one, ...made } : one));
    tell('conversations-changed');
  }

  function page(conversation: string, before: number | null, limit: number): ThreadView {
    const all = messages(conversation);
    const end = before ?? all.length;
    const begin = Math.max(0, end - limit);
    return {
      conversation: { id: conversation, title: row(conversation)?.title ?? '', title_is_own: false, model: null, leaf: null, pinned: false, failover: null, local_only: false, created_at: 0, updated_at: 0, deleted_at: null, ...options.get(conversation) },
      messages: all.slice(begin, end),
      before: begin,
      after: all.length - end,
    };
  }

  const find = (messageId: string) => [...threads.values()].flat().find((message) => message.id === messageId)!;
  const stopped = new Set<string>();

  function answerTo(conversation: string, text: string | null, hear: (event: TurnEvent) => void, all = messages(conversation)) {
    const turn_id = id();
    const question = text === null ? null : samples.question(id(), text, { created_at: Date.now() });
    const reply = samples.message(id(), { state: 'streaming', created_at: Date.now(), finished_at: null });
    threads.set(conversation, [...all, ...(question ? [question] : []), reply]);
    const started = { turn_id, conversation_id: conversation, user_message_id: question?.id ?? null, message_id: reply.id, model: settings.default_model ?? 'inhouse/default' };
    hear({ type: 'started', ...started });
    if (scene === 'full') hear({ type: 'shortened', message_id: reply.id, dropped_messages: 12 });
    void stream(reply, turn_id, hear);
    return started;
  }

  const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

  async function stream(reply: MessageView, turn: string, hear: (event: TurnEvent) => void): Promise<void> {
    for (let done = 0; done <= 900; done += 180) {
      hear({ type: 'reading', message_id: reply.id, done, total: 900 });
      await pause(scene === 'reading' && done === 360 ? 60_000 : FRAME_MS * 3);
    }
    for (const [at, block] of samples.answer.entries()) {
      if (stopped.has(turn)) break;
      if (asked.has('hold') && at >= Number(asked.get('hold'))) await pause(60_000);
      const words = block.html.startsWith('<p>') ? block.html.slice(3, -4).split(' ') : [];
      for (let count = 1; count < words.length; count += 3) {
        const tail = { index: at, html: `<p>${words.slice(0, count).join(' ')}</p>` };
        hear({ type: 'patch', message_id: reply.id, part: 0, kind: 'text', from: at, append: [], tail });
        await pause(FRAME_MS);
      }
      hear({ type: 'patch', message_id: reply.id, part: 0, kind: 'text', from: at, append: [block], tail: null });
      reply.parts = [{ type: 'rendered', blocks: samples.answer.slice(0, at + 1) }];
      await pause(FRAME_MS);
    }
    reply.finished_at = Date.now();
    reply.state = stopped.has(turn) ? 'cancelled' : 'complete';
    hear({ type: stopped.has(turn) ? 'cancelled' : 'finished', message_id: reply.id });
  }

  async function pull(model: string, hear: (progress: PullProgress) => void): Promise<void> {
    const entry = library.find((one) => one.id === model)!;
    for (let step = 0; step <= PULL_STEPS; step += 1) {
      if (stopped.delete(model)) throw { code: 'interrupted', message: 'stopped' };
      if (asked.has('hold') && step === PULL_STEPS / 2) await pause(60_000);
      hear({ type: 'fetching', source: 'models.example.com', done: Math.round((entry.bytes * step) / PULL_STEPS), total: entry.bytes });
      await pause(FRAME_MS * 2);
    }
    library = library.map((one) => (one.id === model ? { ...one, state: { is: 'ready' } } : one));
  }

  const commands: Record<string, (args: Args) => unknown> = {
    start: () => ({ version: '0.1.0', settings, store, conversations, models: samples.groups, library }),
    list_conversations: ({ offset, limit }) => conversations.slice(offset, offset + limit),
    search: ({ query }) =>
      samples.conversations.slice(0, 4).map((row, at) => ({
        conversation_id: row.id,
        title: row.title,
        message_id: messages(row.id).at(at % 2)!.id,
        snippet: ['… lets you use a value without owning it; the ', query, ' checker looks at two rules, and that is all there is …'],
        created_at: row.updated_at,
      })),
    open_thread: ({ conversationId, before, limit }) => {
      if (scene === 'unreadable') throw { code: 'storage', message: 'the database could not be read: close other programs that use it, and try again' };
      return page(conversationId, before, limit);
    },
    open_thread_around: ({ conversationId, messageId, limit }) => {
      const at = messages(conversationId).findIndex((message) => message.id === messageId);
      return page(conversationId, Math.min(at + limit / 2, messages(conversationId).length), limit);
    },
    select_sibling: ({ messageId }) => page(owner(messageId)[0], null, 50),
    rename_conversation: ({ conversationId, title }) => change(conversationId, { title }),
    pin_conversation: ({ conversationId, pinned }) => change(conversationId, { pinned }),
    set_conversation_model: ({ conversationId, model }) => keep(conversationId, { model }),
    set_conversation_local_only: ({ conversationId, localOnly }) => keep(conversationId, { local_only: localOnly }),
    set_conversation_failover: ({ conversationId, failover }) => keep(conversationId, { failover }),
    conversation_spend: () => calls.spending(ledger, 1).total,
    ledger: ({ days, before, limit }) => calls.page(ledger, days, before, limit),
    spending: ({ days }) => calls.spending(ledger, days),
    estimate: ({ request }) => {
      const cost = (usd: number) => ({ usd, estimated: true, as_of: '2026-11-01' });
      const input_tokens = 412 + Math.round(request.text.length / 4);
      const isHosted = request.model.startsWith('example/');
      return { model: request.model, input_tokens, output_tokens: 64_000, least: isHosted ? cost(0.002) : null, most: isHosted ? cost(0.96) : null };
    },
    preflight: ({ request }): Preflight => {
      const whole = { model: request.model, images: 0, files: 0, tool_calls: 0, tokens: 900, room: 28_000, dropped_messages: 0, too_long: false, ways: [] };
      if (scene === 'lossy') return { ...whole, images: 2, tool_calls: 1, ways: ['send_anyway', 'choose_another'] };
      if (scene === 'full') return { ...whole, tokens: 45_200, dropped_messages: 12, images: 1, ways: ['summarise', 'trim', 'choose_another'] };
      return whole;
    },
    provider_states: () =>
      endpoints.map((one) => {
        const state = samples.states.find(({ provider }) => provider === one.id) ?? { provider: one.id, builtin: false, runs_at: null, key: { is: 'nowhere' as const } };
        if (!one.key) return { ...state, key: { is: 'nowhere' } };
        if (vault.is === 'locked') return { ...state, key: vault };
        return state.key.is === 'nowhere' || one.key.saved_at > samples.now ? { ...state, key: { is: 'keyring', place: 'Secret Service keyring “login”' } } : state;
      }),
    set_default_model: ({ model }) => Object.assign(settings, { default_model: model }),
    get_message: ({ messageId }) => ({ ...find(messageId) }),
    message_source: ({ messageId }) => {
      const part = find(messageId).parts[0];
      return part?.type === 'plain' ? part.text : 'The answer as Markdown.';
    },
    send_message: ({ request, channel }) => {
      const { conversation_id, text } = request as { conversation_id: string | null; text: string };
      const conversation = conversation_id ?? id();
      if (!conversation_id) {
        threads.set(conversation, []);
        conversations = [{ id: conversation, title: '', pinned: false, updated_at: Date.now() }, ...conversations];
        tell('conversations-changed');
      }
      return answerTo(conversation, text, channel);
    },
    regenerate_message: ({ request, channel }) => {
      const { message_id } = request as { message_id: string };
      const [conversation, all] = owner(message_id);
      return answerTo(conversation, null, channel, all.slice(0, all.indexOf(find(message_id))));
    },
    edit_message: ({ request, channel }) => {
      const { message_id, text } = request as { message_id: string; text: string };
      const [conversation, all] = owner(message_id);
      return answerTo(conversation, text, channel, all.slice(0, all.indexOf(find(message_id))));
    },
    continue_message: ({ messageId, channel }) => {
      const [conversation] = owner(messageId);
      const turn_id = id();
      void stream(Object.assign(find(messageId), { state: 'streaming', error: null }), turn_id, channel);
      return { turn_id, conversation_id: conversation, user_message_id: null, message_id: messageId, model: 'inhouse/default' };
    },
    attach_turn: () => false,
    cancel_turn: ({ turnId }) => void stopped.add(turnId),
    list_models: () => samples.groups,
    save_settings: ({ settings: wanted }) => Object.assign(settings, wanted),
    list_endpoints: () => endpoints,
    save_endpoint: ({ draft }) => {
      const made = { key: null, ...draft, id: draft.id ?? draft.name.toLowerCase() };
      endpoints = [...endpoints.filter((one) => one.id !== made.id), made];
      return made;
    },
    remove_endpoint: ({ provider }) => void (endpoints = endpoints.filter((one) => one.id !== provider)),
    set_key: ({ provider, secret }) => keyed(provider, { last_four: String(secret).slice(-4), saved_at: Date.now() }),
    remove_key: ({ provider }) => void keyed(provider, null),
    test_endpoint: ({ provider }) => {
      if (provider === 'workshop') throw { code: 'network', message: '192.168.1.20:8080 did not answer: start the server, or correct the address' };
      return samples.groups.find((group) => group.provider === provider)?.models ?? [];
    },
    vault_state: () => vault,
    unlock_vault: () => (vault = { is: 'ready', place: 'Secret Service keyring “login”' }),
    keep_keys_for_session: () => (vault = { is: 'session_only' }),
    list_library: () => library,
    pull_model: ({ id: model, channel }) => pull(model, channel),
    cancel_pull: ({ id: model }) => void stopped.add(model),
    import_model: () => null,
    remove_model: ({ id: model }) => void (library = library.filter((one) => one.id !== model)),
    reveal_models_folder: () => undefined,
    open_link: () => undefined,
    page_ready: () => undefined,
    hide_quick: () => undefined,
    open_in_main: () => undefined,
    resize_quick: () => undefined,
    restore_snapshot: () => undefined,
    hotkey_state: () =>
      scene === 'locked'
        ? { route: 'command', command: 'pilotfish toggle', reason: 'this desktop offers no shortcut service to programs' }
        : { route: 'grabbed', key: settings.hotkey },
    set_hotkey: ({ key }) => ((settings.hotkey = key), tell('settings-changed', { ...settings }), key ? { route: 'grabbed', key } : { route: 'off' }),
    delete_conversation: ({ conversationId }) => void (conversations = conversations.filter((row) => row.id !== conversationId)),
    restore_conversation: () => void (conversations = [...samples.conversations]),
    doctor: () => [
      { name: 'keyring', ok: true, detail: 'Secret Service keyring “login” is unlocked; 1 key lives there' },
      { name: 'hotkey', ok: true, detail: 'Ctrl+Shift+Space is grabbed' },
      { name: 'model', ok: true, detail: 'the worker answers; CPU backend haswell' },
      { name: 'database', ok: true, detail: '12 conversations, SQLite 3.51.3, integrity ok' },
    ],
  };

  if (asked.has('click') || asked.has('type')) setTimeout(() => void act(asked), 150);
  return {
    invoke: async (command, args) => {
      await pause(4);
      const answer = commands[command];
      if (!answer) throw { code: 'unknown', message: `the fake knows no ${command}` };
      return structuredClone(await answer(args ?? {})) as never;
    },
    channel: (hear) => hear,
    listen: async (event, hear) => {
      heard.set(event, [...(heard.get(event) ?? []), hear as never]);
      return () => {};
    },
  };
}

/** Does what a person would do before the picture is taken. */
async function act(asked: URLSearchParams): Promise<void> {
  const settle = () => new Promise((done) => setTimeout(done, 120));
  for (const testid of asked.get('click')?.split(',') ?? []) {
    document.querySelector<HTMLElement>(`[data-testid="${testid}"]`)?.click();
    await settle();
  }
  const [testid, text, key] = asked.get('type')?.split('|') ?? [];
  const field = document.querySelector<HTMLInputElement>(`[data-testid="${testid}"]`);
  if (!field || text === undefined) return;
  field.focus();
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
  if (key) field.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
}
