/** What is known of a model, in few words: its size, what it costs, and how it has fared. */
import { effortName } from './efforts';
import { PASSED_OVER, sentence } from './errors';
import { bytes, duration, isLocal, shortMoment } from './format';
import { priceOf, tokens } from './money';
import type { Row } from './picker';

type Known = Pick<Row, 'model' | 'health'>;

/** What is wrong with a model at the moment, in a few words; null when nothing is. */
export function trouble({ model, health }: Known, now: number, localOnly = false): string | null {
  if (localOnly && !isLocal(model.runs_at)) return 'not while local only';
  if (!health) return null;
  if (health.limited_until !== null && health.limited_until > now) return `limited until ${shortMoment(health.limited_until, now)}`;
  return health.error && PASSED_OVER[health.error.code];
}

/** The few facts that stand beside a model's name. */
export const facts = ({ model }: Known): string =>
  join([
    model.bytes !== null && bytes(model.bytes),
    model.context_tokens !== null && `${inK(model.context_tokens)} context`,
    model.price !== null && priceOf(model.price),
    model.retires_on && `retires ${model.retires_on}`,
  ]);

/** All that is known of a model, in two lines: what it can do and costs, and how it has fared. */
export function details({ model, health }: Known): [string, string] {
  const { price, efforts } = model;
  const can = join([
    model.context_tokens !== null && `${inK(model.context_tokens)} context`,
    model.output_tokens !== null && `answers up to ${inK(model.output_tokens)}`,
    efforts.length > 0 && `effort ${effortName(efforts[0]!)} to ${effortName(efforts.at(-1)!)}`,
    model.images && 'sees images',
    model.files && 'reads files',
    model.tools && 'calls tools',
  ]);
  const fares = join([
    price && `${priceOf(price)} for a million tokens in / out (${price.as_of})`,
    !price && (model.runs_at.at === 'host' || model.runs_at.at === 'local_network') && 'price unknown',
    health?.first_token_ms != null && `first word after ${duration(health.first_token_ms)}`,
    health?.error && `last asked in vain: ${sentence(health.error.message)}`,
  ]);
  return [can || 'Nothing more is known of this model.', fares];
}

const inK = (size: number): string => (size % 1_024 === 0 && size < 1_000_000 ? `${size / 1_024}K` : tokens(size));

const join = (parts: (string | false | null | undefined)[]): string => parts.filter((part) => typeof part === 'string' && part !== '').join(' · ');
