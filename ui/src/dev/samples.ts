/** What the fake backend has to show: a small history, models, and an answer that uses everything. */
import type { Block } from '../bindings/Block';
import type { ConversationSummary } from '../bindings/ConversationSummary';
import type { Endpoint } from '../bindings/Endpoint';
import type { LibraryEntry } from '../bindings/LibraryEntry';
import type { MessageView } from '../bindings/MessageView';
import type { Model } from '../bindings/Model';
import type { ModelGroup } from '../bindings/ModelGroup';
import type { Price } from '../bindings/Price';
import type { ProviderState } from '../bindings/ProviderState';
import type { RunsAt } from '../bindings/RunsAt';
import type { Settings } from '../bindings/Settings';

const HOUR = 3_600_000;
export const now = Date.now();

export const settings: Settings = {
  appearance: { theme: 'system', text_percent: 100 },
  default_model: null,
  hotkey: 'Ctrl+Shift+Space',
  favourites: ['ollama/qwen3:8b'],
  recents: ['inhouse/default'],
  efforts: [],
  instructions: '',
  welcomed: true,
  failover: [],
  inhouse_cluster: null,
  local_only: false,
  caps: { usd_per_day: null, providers: [], at_cap: 'block' },
};

const titles = [
  'Borrowing in Rust, with an example',
  'Why the sky is blue',
  'A packing list for three rainy days in Bergen',
  'Regular expression for ISO dates',
  '',
  'Polite reminder for an unpaid invoice, second attempt, a little firmer than the first',
  'SQL: running total per customer',
  'Sourdough schedule for a Sunday',
  'Explain the CAP theorem to a product manager',
  'Rename files by their EXIF date',
  'Tests for the parser',
  'Names for a small boat',
];

export const conversations: ConversationSummary[] = titles.map((title, at) => ({
  id: `00000000-0000-7000-8000-${String(at).padStart(12, '0')}`,
  title,
  pinned: at === 2,
  updated_at: now - at * at * 3.4 * HOUR - HOUR,
}));
conversations.sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.updated_at - a.updated_at);

const model = (ref: string, name: string, runs_at: RunsAt, more: Partial<Model> = {}): Model => ({
  model: ref,
  name,
  runs_at,
  context_tokens: null,
  output_tokens: null,
  images: false,
  files: false,
  tools: false,
  efforts: [],
  price: null,
  retires_on: null,
  bytes: null,
  ...more,
});

const price = (input: number, output: number): Price => ({ input, cached_input: input / 10, cache_write: null, output, as_of: '2026-11-01' });

const hosted = (name: string, efforts: Model['efforts'], price: Price | null, retires_on: string | null = null): Model =>
  model(`example/${name}`, `Example ${name}`, { at: 'host', host: 'api.example.com' }, {
    context_tokens: 200_000,
    output_tokens: 64_000,
    images: true,
    files: name === 'large-2',
    tools: true,
    efforts,
    price,
    retires_on,
  });

export const groups: ModelGroup[] = [
  {
    provider: 'inhouse',
    name: 'In-house',
    error: null,
    health: [],
    models: [
      model('inhouse/default', 'Qwen2.5 Coder 1.5B', { at: 'in_house' }, { bytes: 1_117_320_768, context_tokens: 32_768 }),
      model('inhouse/small', 'SmolLM2 135M', { at: 'in_house' }, { bytes: 98_362_432, context_tokens: 8192 }),
    ],
  },
  {
    provider: 'ollama',
    name: 'Ollama',
    error: null,
    health: [],
    models: [
      model('ollama/qwen3:8b', 'qwen3:8b', { at: 'this_machine' }, { context_tokens: 40_960 }),
      model('ollama/gemma3:4b', 'gemma3:4b', { at: 'this_machine' }, { context_tokens: 131_072 }),
      model('ollama/llama3.2:3b-instruct-q8_0', 'llama3.2:3b-instruct-q8_0', { at: 'this_machine' }),
    ],
  },
  {
    provider: 'workshop',
    name: 'Workshop server',
    error: { code: 'network', message: '192.168.1.20 did not answer; the list is the last one known' },
    health: [],
    models: [model('workshop/glm-4.5-air', 'glm-4.5-air', { at: 'local_network', host: '192.168.1.20' }, { context_tokens: 131_072 })],
  },
  {
    provider: 'example',
    name: 'Example AI',
    error: null,
    health: [
      { model: 'example/large-2', first_token_ms: 640, error: null, limited_until: null, at: now },
      { model: 'example/medium-2', first_token_ms: 410, error: { code: 'rate_limited', message: 'api.example.com takes no more requests for 4 minutes' }, limited_until: now + 4 * 60_000, at: now },
      { model: 'example/mini-2', first_token_ms: null, error: { code: 'overloaded', message: 'api.example.com is overloaded: try again in a minute' }, limited_until: null, at: now },
    ],
    models: [
      hosted('large-2', ['low', 'medium', 'high'], price(3, 15)),
      hosted('medium-2', ['none', 'low', 'medium', 'high', 'xhigh', 'max'], price(1.25, 10)),
      hosted('mini-2', [], price(0.075, 0.3)),
      hosted('reasoner-1', ['low', 'high'], null, '2027-01-15'),
    ],
  },
];

export const library: LibraryEntry[] = [
  {
    id: 'default',
    name: 'Qwen2.5 Coder 1.5B',
    about: 'Answers, e-mails, summaries and code; the usual choice.',
    licence: 'Apache-2.0',
    bytes: 1_117_320_768,
    in_catalogue: true,
    state: { is: 'ready' },
  },
  {
    id: 'small',
    name: 'SmolLM2 135M',
    about: 'Titles and short plain answers on a machine with little memory.',
    licence: 'Apache-2.0',
    bytes: 98_362_432,
    in_catalogue: true,
    state: { is: 'ready' },
  },
];

export const ownFiles: LibraryEntry[] = [
  { id: 'phi-4-mini-q4', name: 'phi-4-mini-q4', about: '', licence: 'MIT', bytes: 2_491_874_272, in_catalogue: false, state: { is: 'ready' } },
  {
    id: 'broken',
    name: 'holiday-photos',
    about: '',
    licence: null,
    bytes: 4_812_331,
    in_catalogue: false,
    state: { is: 'invalid', reason: 'this is no GGUF file: it begins with JPEG data' },
  },
];

const endpoint = (id: string, name: string, base_url: string, more: Partial<Endpoint> = {}): Endpoint => ({
  id,
  name,
  base_url,
  wire: 'chat',
  needs_key: true,
  key: null,
  headers: [],
  ...more,
});
const saved = (last_four: string): Endpoint['key'] => ({ last_four, saved_at: now - 90 * HOUR });

export const endpoints: Endpoint[] = [
  endpoint('example', 'Example AI', 'https://api.example.com/v1', { wire: 'responses', key: saved('x7Qd') }),
  endpoint('messages', 'Example Messages', 'https://api.messages.example/v1', { wire: 'messages', key: saved('9fKp') }),
  endpoint('many', 'Example Router of very many models with a long name', 'https://router.example/api/with/a/rather/long/path/v1', { key: saved('') }),
  endpoint('quiet', 'Example Quiet', 'https://quiet.example/v1', { wire: 'gemini' }),
  endpoint('ollama', 'Ollama', 'http://localhost:11434/v1', { needs_key: false }),
  endpoint('llama-server', 'llama-server', 'http://localhost:8080/v1', { needs_key: false }),
  endpoint('workshop', 'Workshop server', 'http://192.168.1.20:8080/v1', { headers: [{ name: 'X-Team', value: 'research' }] }),
];

export const states: ProviderState[] = [
  { provider: 'example', builtin: true, runs_at: { at: 'host', host: 'api.example.com' }, key: { is: 'keyring', place: 'Secret Service keyring “login”' } },
  { provider: 'messages', builtin: true, runs_at: { at: 'host', host: 'api.messages.example' }, key: { is: 'lost' } },
  { provider: 'many', builtin: true, runs_at: { at: 'host', host: 'router.example' }, key: { is: 'memory' } },
  { provider: 'quiet', builtin: true, runs_at: { at: 'host', host: 'quiet.example' }, key: { is: 'nowhere' } },
  { provider: 'ollama', builtin: true, runs_at: { at: 'this_machine' }, key: { is: 'nowhere' } },
  { provider: 'llama-server', builtin: true, runs_at: { at: 'this_machine' }, key: { is: 'nowhere' } },
  { provider: 'workshop', builtin: false, runs_at: { at: 'local_network', host: '192.168.1.20' }, key: { is: 'nowhere' } },
];

const rust = [
  '<span class="hl-keyword">fn</span> <span class="hl-function">longest</span>&lt;<span class="hl-type">\'a</span>&gt;(first: &amp;<span class="hl-type">\'a</span> <span class="hl-type">str</span>, second: &amp;<span class="hl-type">\'a</span> <span class="hl-type">str</span>) -&gt; &amp;<span class="hl-type">\'a</span> <span class="hl-type">str</span> {',
  '    <span class="hl-comment">// Both references live at least as long as the answer.</span>',
  '    <span class="hl-keyword">if</span> first.<span class="hl-function">len</span>() &gt;= second.<span class="hl-function">len</span>() { first } <span class="hl-keyword">else</span> { second }',
  '}',
  '',
  '<span class="hl-keyword">fn</span> <span class="hl-function">main</span>() {',
  '    <span class="hl-keyword">let</span> winner = <span class="hl-function">longest</span>(<span class="hl-string">"pilot"</span>, <span class="hl-string">"fish"</span>);',
  '    <span class="hl-function">println!</span>(<span class="hl-string">"{winner} {}"</span>, <span class="hl-number">42</span>);',
  '}',
  '',
].join('\n');

const pieces = [
  '<p>A <strong>borrow</strong> lets you use a value without owning it. The compiler checks two rules, and that is all there is to it:</p>',
  '<ol><li>At any time there is either <em>one</em> mutable reference or any number of shared ones.</li><li>A reference never outlives what it points to.</li></ol>',
  '<h2>A small example</h2>',
  '<p>The lifetime <code>\'a</code> says that the answer lives no longer than the shorter of both inputs:</p>',
  `<div class="code" data-lang="rust"><pre><code>${rust}</code></pre></div>`,
  '<div class="table"><table><thead><tr><th>Form</th><th>Reads</th><th>Writes</th><th class="right">At once</th></tr></thead><tbody><tr><td><code>T</code></td><td>yes</td><td>if <code>mut</code></td><td class="right">1</td></tr><tr><td><code>&amp;T</code></td><td>yes</td><td>no</td><td class="right">any number</td></tr><tr><td><code>&amp;mut T</code></td><td>yes</td><td>yes</td><td class="right">1</td></tr></tbody></table></div>',
  '<blockquote class="alert alert-note"><p>Since Rust 2021 closures capture single fields, so fewer borrows collide.</p></blockquote>',
  '<p>The cost of checking grows with the number of borrows <math><mi>n</mi></math>, in the usual case as</p>',
  '<div class="math-display"><math display="block"><mi>T</mi><mo>(</mo><mi>n</mi><mo>)</mo><mo>=</mo><munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mfrac><mrow><msub><mi>b</mi><mi>i</mi></msub></mrow><msqrt><mi>i</mi></msqrt></mfrac></math></div>',
  '<ul><li><input type="checkbox" class="task" checked disabled>Read the chapter on ownership</li><li><input type="checkbox" class="task" disabled>Try the exercises, of which <a class="link" data-href="https://doc.rust-lang.org/book/ch04-02-references-and-borrowing.html" role="link" tabindex="0">the book</a> has many</li></ul>',
  '<p><span class="image-chip" data-src="https://images.example.com/ownership.png" role="button" tabindex="0">image: images.example.com · a diagram of ownership</span></p>',
];

export const answer: Block[] = pieces.map((html, index) => ({ index, html }));
export const thoughts: Block[] = [
  { index: 0, html: '<p>The person asks about borrowing and wants an example. Start with the two rules, then show lifetimes with the smallest function that needs one.</p>' },
];

/** A message as the store would give it. */
export const message = (id: string, more: Partial<MessageView>): MessageView => ({
  id,
  parent_id: null,
  role: 'assistant',
  state: 'complete',
  parts: [],
  siblings: [id],
  model: 'inhouse/default',
  served_by: 'inhouse/default',
  runs_at: { at: 'in_house' },
  usage: { input_tokens: 412, cached_tokens: 380, cache_write_tokens: null, output_tokens: 286, thinking_tokens: null, reported_cost_usd: null, estimated: false },
  cost: null,
  stop_reason: 'end_turn',
  error: null,
  attempts: [],
  can_continue: false,
  created_at: now - HOUR,
  first_token_at: now - HOUR + 240,
  finished_at: now - HOUR + 9_400,
  ...more,
});

export const question = (id: string, text: string, more: Partial<MessageView> = {}): MessageView =>
  message(id, {
    role: 'user',
    parts: [{ type: 'plain', text }],
    model: null,
    served_by: null,
    runs_at: null,
    usage: null,
    stop_reason: null,
    finished_at: null,
    ...more,
  });
