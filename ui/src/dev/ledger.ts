/** The calls that the fake backend says it made. */
import type { LedgerEntry } from '../bindings/LedgerEntry';
import type { LedgerPage } from '../bindings/LedgerPage';
import type { Spending } from '../bindings/Spending';
import { total } from '../lib/ledger';
import { now } from './samples';

const HOUR = 3_600_000;
const usage = (read: number, written: number, estimated = false) => ({
  input_tokens: read,
  cached_tokens: Math.round(read * 0.8),
  cache_write_tokens: null,
  output_tokens: written,
  thinking_tokens: null,
  reported_cost_usd: null,
  estimated,
});

const entry = (hoursAgo: number, more: Partial<LedgerEntry>): LedgerEntry => ({
  at: now - hoursAgo * HOUR,
  duration_ms: 4_200,
  host: 'api.example.com',
  runs_at: { at: 'host', host: 'api.example.com' },
  purpose: 'answer',
  provider: 'example',
  model: 'large-2',
  conversation_id: null,
  message_id: null,
  usage: usage(1_240, 286),
  bytes_sent: 6_120,
  bytes_received: 18_300,
  cost: { usd: 0.0124, estimated: false, as_of: '2026-11-01' },
  outcome: { is: 'ok' },
  ...more,
});

const ollama: Partial<LedgerEntry> = {
  host: 'localhost:11434',
  runs_at: { at: 'this_machine' },
  provider: 'ollama',
  model: 'qwen3:8b',
  cost: { usd: 0, estimated: false, as_of: null },
};
const plain: Partial<LedgerEntry> = { model: null, usage: null, cost: null, bytes_sent: 0, bytes_received: 24_900, duration_ms: 310 };

export const ledger: LedgerEntry[] = [
  entry(0.2, {}),
  entry(0.3, { outcome: { is: 'failed', code: 'overloaded' }, usage: null, cost: null, bytes_received: 212 }),
  entry(0.9, ollama),
  entry(1, { purpose: 'title', model: 'mini-2', usage: usage(420, 9), cost: { usd: 0.00004, estimated: false, as_of: '2026-11-01' } }),
  entry(1.4, { ...plain, purpose: 'list_models' }),
  entry(25, { host: '192.168.1.20:8080', runs_at: { at: 'local_network', host: '192.168.1.20' }, provider: 'workshop', model: 'glm-4.5-air', usage: usage(9_800, 1_204, true), cost: null }),
  entry(26, { outcome: { is: 'refused', code: 'local_only' }, usage: null, cost: null, bytes_sent: 0, bytes_received: 0, duration_ms: 0 }),
  entry(27, { outcome: { is: 'cancelled' }, usage: usage(3_100, 45, true), cost: { usd: 0.0101, estimated: true, as_of: '2026-11-01' } }),
  entry(50, { ...plain, purpose: 'test_key' }),
  entry(51, { purpose: 'summary', model: 'reasoner-1-with-a-name-that-goes-on-and-on-2026-10-30', usage: usage(48_200, 910), cost: { usd: 0.21, estimated: false, as_of: null } }),
  entry(74, { ...plain, host: 'models.example.com', provider: null, model: 'default', purpose: 'download', bytes_received: 1_117_320_768, duration_ms: 92_000 }),
];

export const page = (all: LedgerEntry[], days: number, before: number | null, limit: number): LedgerPage => {
  const since = now - days * 24 * HOUR;
  const wanted = all.filter(({ at }) => at >= since);
  const from = before ?? 0;
  const next = from + limit < wanted.length ? from + limit : null;
  return { entries: wanted.slice(from, from + limit), next };
};

/** What groups of calls came to, the dearest first. */
function sums(calls: LedgerEntry[], of: (entry: LedgerEntry) => string | null) {
  const groups = new Map<string, LedgerEntry[]>();
  for (const call of calls) {
    const name = of(call);
    if (name !== null) groups.set(name, [...(groups.get(name) ?? []), call]);
  }
  return [...groups].map(([name, calls]) => ({ name, spend: total(calls) })).sort((a, b) => b.spend.usd - a.spend.usd);
}

export function spending(all: LedgerEntry[], days: number): Spending {
  const calls = page(all, days, null, all.length).entries;
  return {
    total: total(calls),
    today: total(page(all, 1, null, all.length).entries),
    days: sums(calls, ({ at }) => new Date(at).toISOString().slice(0, 10)).map(({ name: day, spend }) => ({ day, spend })),
    providers: sums(calls, ({ provider }) => provider).map(({ name: provider, spend }) => ({ provider, spend })),
    models: sums(calls, ({ provider, model }) => provider && model && `${provider}/${model}`).map(({ name: model, spend }) => ({ model, spend })),
    conversations: [{ conversation_id: 'a', title: 'Borrowing in Rust, with an example', spend: total(calls) }],
  };
}
