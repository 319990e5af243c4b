import { describe, expect, it } from 'vitest';

import { bytes, dayGroup, duration, ranAt } from './format';
import { MOST_BYTES, tooLong } from './limits';

describe('numbers', () => {
  it('are short', () => {
    expect(bytes(999)).toBe('999 B');
    expect(bytes(98_362_432)).toBe('98 MB');
    expect(bytes(1_048_576)).toBe('1.05 MB');
    expect(bytes(999_999_999)).toBe('1.00 GB');
    expect(bytes(1_117_320_768)).toBe('1.12 GB');
    expect(duration(640)).toBe('640 ms');
    expect(duration(4_240)).toBe('4.2 s');
    expect(duration(59_999)).toBe('1 min 0 s');
  });
});

describe('days', () => {
  const noon = new Date(2026, 10, 23, 12).getTime();
  const DAY = 86_400_000;

  it('follow the calendar and not the clock', () => {
    expect(dayGroup(new Date(2026, 10, 23, 0, 1).getTime(), noon)).toBe('Today');
    expect(dayGroup(new Date(2026, 10, 22, 23, 59).getTime(), noon)).toBe('Yesterday');
    expect(dayGroup(noon - 3 * DAY, noon)).toBe('This week');
    expect(dayGroup(noon - 90 * DAY, noon)).toBe('August 2026');
  });
});

describe('places', () => {
  it('say what left the machine', () => {
    expect(ranAt({ at: 'in_house' })).toBe('stayed on this machine');
    expect(ranAt({ at: 'host', host: 'api.example.com' })).toBe('went to api.example.com');
  });
});

describe('the length of a message', () => {
  it('is counted in bytes', () => {
    expect(tooLong('a'.repeat(MOST_BYTES))).toBeNull();
    expect(tooLong('a'.repeat(MOST_BYTES + 1))).toContain('Your text stays here');
    expect(tooLong('ä'.repeat(MOST_BYTES / 2 + 1))).not.toBeNull();
  });
});
