/** Numbers, times and places as people read them. */
import type { RunsAt } from '../bindings/RunsAt';

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

/** Bytes in decimal units, as download pages and file managers show them. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit < 2 ? 0 : value < 10 ? 2 : unit < 3 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A length of time: `640 ms`, `4.2 s`, `1 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** A whole number with thin groups. */
export const count = (value: number): string => value.toLocaleString('en-US');

const atMidnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);
const DAY = 86_400_000;

/** The heading that a conversation of that time stands under. */
export function dayGroup(at: number, now: number): string {
  const days = Math.round((atMidnight(now) - atMidnight(at)) / DAY);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return 'This week';
  if (days < 31) return 'This month';
  return new Date(at).toLocaleDateString('en', { month: 'long', year: 'numeric' });
}

/** A moment in full, for hints. */
export const moment = (at: number): string =>
  new Date(at).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });

/** A moment in short, next to today. */
export function shortMoment(at: number, now: number): string {
  return atMidnight(at) === atMidnight(now)
    ? new Date(at).toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', hour12: false })
    : new Date(at).toLocaleDateString('en', { day: 'numeric', month: 'short' });
}

/** Where an answer was made, as a clause. */
export function ranAt(at: RunsAt): string {
  switch (at.at) {
    case 'in_house':
    case 'this_machine':
      return 'stayed on this machine';
    case 'local_network':
      return `went to ${at.host} on your network`;
    case 'host':
      return `went to ${at.host}`;
  }
}

/** Where a model runs, in a word or two. */
export function place(at: RunsAt): string {
  switch (at.at) {
    case 'in_house':
      return 'inside Pilotfish';
    case 'this_machine':
      return 'this machine';
    case 'local_network':
    case 'host':
      return at.host;
  }
}

/** Whether what is asked there stays on the machine. */
export const isLocal = (at: RunsAt): boolean => at.at === 'in_house' || at.at === 'this_machine';

/** The size of a text in bytes of UTF-8. */
export const byteLength = (text: string): number => new TextEncoder().encode(text).length;
