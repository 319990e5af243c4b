/** The ledger as it is read: by day, narrowed down, and summed up. */
import type { CallOutcome } from '../bindings/CallOutcome';
import type { LedgerEntry } from '../bindings/LedgerEntry';
import type { Purpose } from '../bindings/Purpose';
import type { Spend } from '../bindings/Spend';
import { count, isLocal } from './format';
import { dollars, tokens } from './money';

export const PURPOSES: Record<Purpose, string> = {
  answer: 'Answer',
  title: 'Title',
  summary: 'Summary',
  list_models: 'List of models',
  test_key: 'Test of a key',
  download: 'Download',
};

export interface LedgerDay {
  day: string;
  entries: LedgerEntry[];
}

/** The day of a moment where the person is, in full. */
const dayOf = (at: number): string => new Date(at).toLocaleDateString('en', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

/** Entries under their days, in the order in which they come. */
export function byDay(entries: readonly LedgerEntry[]): LedgerDay[] {
  const days: LedgerDay[] = [];
  for (const entry of entries) {
    const day = dayOf(entry.at);
    const last = days.at(-1);
    if (last?.day === day) last.entries.push(entry);
    else days.push({ day, entries: [entry] });
  }
  return days;
}

/** Whether an entry is among those wanted: every word stands somewhere in it. */
export function isWanted({ host, model, provider, purpose }: LedgerEntry, query: string, only: Purpose | null): boolean {
  if (only && purpose !== only) return false;
  const text = `${host} ${model ?? ''} ${provider ?? ''} ${PURPOSES[purpose]}`.toLowerCase();
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** Tokens read and written: `1.2K → 286`. */
export function tokensOf({ usage }: LedgerEntry): string {
  if (!usage || (usage.input_tokens === null && usage.output_tokens === null)) return '–';
  const one = (number: number | null) => (number === null ? '?' : tokens(number));
  return `${usage.estimated ? '~' : ''}${one(usage.input_tokens)} → ${one(usage.output_tokens)}`;
}

/** What an entry cost, for its cell. */
export function costCell({ cost, purpose, outcome, runs_at }: LedgerEntry): string {
  if (outcome.is === 'refused') return 'not sent';
  if (cost && cost.usd > 0) return `${cost.estimated ? '~' : ''}${dollars(cost.usd)}`;
  if (cost || isLocal(runs_at)) return '–';
  return purpose === 'answer' || purpose === 'title' || purpose === 'summary' ? 'unknown' : '–';
}

/** How a call ended, where that is worth a word. */
export function ending(outcome: CallOutcome): string | null {
  switch (outcome.is) {
    case 'ok':
      return null;
    case 'cancelled':
      return 'You stopped it';
    case 'failed':
      return `It failed: ${outcome.code.replaceAll('_', ' ')}`;
    case 'refused':
      return outcome.code === 'cap_reached' ? 'Not sent: the spending cap was reached' : 'Not sent: nothing may leave this machine';
  }
}

/** What a sum cost: what is known of it, and how much is not. */
export function sumCost({ calls, usd, estimated, unpriced_calls }: Spend): string {
  const known = `${estimated ? '~' : ''}${dollars(usd)}`;
  if (unpriced_calls === 0) return known;
  // Nothing is known of it at all, so that a price of zero would be made up.
  const isDark = usd === 0 && unpriced_calls === calls;
  return `${isDark ? '' : `${known}, and `}${count(unpriced_calls)} of unknown price`;
}

/** A sum in a line: `12 calls · 34.1K tokens · $1.20, and 2 of unknown price`. */
export const sumOf = (spend: Spend): string =>
  `${spend.calls === 1 ? '1 call' : `${count(spend.calls)} calls`} · ${tokens(spend.input_tokens + spend.output_tokens)} tokens · ${sumCost(spend)}`;

/** What entries that are shown come to, as the store sums up all of them. */
export function total(entries: readonly LedgerEntry[]): Spend {
  const sum: Spend = { usd: 0, estimated: false, calls: 0, unpriced_calls: 0, input_tokens: 0, output_tokens: 0, bytes_sent: 0, bytes_received: 0 };
  for (const entry of entries) {
    if (entry.outcome.is === 'refused') continue;
    sum.calls += 1;
    sum.usd += entry.cost?.usd ?? 0;
    sum.estimated ||= (entry.cost?.estimated ?? false) && (entry.cost?.usd ?? 0) > 0;
    if (costCell(entry) === 'unknown') sum.unpriced_calls += 1;
    sum.input_tokens += entry.usage?.input_tokens ?? 0;
    sum.output_tokens += entry.usage?.output_tokens ?? 0;
    sum.bytes_sent += entry.bytes_sent;
    sum.bytes_received += entry.bytes_received;
  }
  return sum;
}
