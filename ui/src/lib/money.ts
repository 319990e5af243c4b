/** What things cost, as people read it: what nobody knows is never shown as nothing. */
import type { Cost } from '../bindings/Cost';
import type { Estimate } from '../bindings/Estimate';
import type { Price } from '../bindings/Price';
import type { RunsAt } from '../bindings/RunsAt';
import { isLocal } from './format';

/** US dollars with as many places as a small sum needs: `$12.30`, `$0.042`, `$0.0007`. */
export function dollars(usd: number): string {
  if (usd <= 0) return '$0';
  if (usd < 0.0001) return 'under $0.0001';
  const places = usd < 0.01 ? 4 : usd < 0.1 ? 3 : 2;
  return `$${usd.toFixed(places)}`;
}

/** A number of tokens in short: `950`, `12.4K`, `1.2M`. */
export function tokens(count: number): string {
  if (count < 1_000) return String(count);
  const [value, unit] = count < 999_500 ? [count / 1_000, 'K'] : [count / 1_000_000, 'M'];
  return `${value < 100 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)}${unit}`;
}

/** A cost as a fact about a finished answer; null where there is nothing to say. */
export function costOf(cost: Cost | null, at: RunsAt | null): string | null {
  if (at && isLocal(at)) return null;
  if (!cost) return 'cost unknown';
  if (cost.usd === 0) return 'free of charge';
  return `${cost.estimated ? '~' : ''}${dollars(cost.usd)}`;
}

/** How a cost came about, for a hint. */
export function costBasis(cost: Cost | null): string {
  if (!cost) return 'Neither the provider nor the catalogue says what this model costs.';
  const priced = cost.as_of ? `Computed from the prices of ${cost.as_of}` : 'As the provider says';
  return cost.estimated ? `${priced}, with our estimate of the tokens.` : `${priced}.`;
}

/** A price for a million tokens, in and out: `$3 / $15`. */
export const priceOf = ({ input, output }: Price): string => `${plain(input)} / ${plain(output)}`;

const plain = (usd: number): string => `$${usd.toFixed(usd < 0.1 && usd > 0 ? 3 : 2).replace(/\.?0+$/, '')}`;

/** What a message would cost, before it is sent: `~1.2K tokens · up to $0.04`. */
export function estimateOf({ input_tokens, least, most }: Estimate, isHere: boolean): string {
  const size = `~${tokens(input_tokens)} tokens`;
  if (isHere) return size;
  if (most) return `${size} · up to ${dollars(most.usd)}`;
  if (least) return `${size} · from ${dollars(least.usd)}`;
  return `${size} · price unknown`;
}
