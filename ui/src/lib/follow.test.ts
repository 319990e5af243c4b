import { describe, expect, it } from 'vitest';

import { firstBelow, Follow } from './follow';

const VIEW = 500;
const at = (top: number, height = 2_000) => ({ top, view: VIEW, height });

function atTheEnd(): Follow {
  const follow = new Follow();
  follow.placed(1_500);
  follow.scrolled(at(1_500));
  return follow;
}

describe('following the end', () => {
  it('is how a thread begins', () => {
    expect(new Follow().following).toBe(true);
  });

  it('goes on while the answer grows below', () => {
    const follow = atTheEnd();
    follow.scrolled(at(1_500, 2_400));
    expect(follow.following).toBe(true);
  });

  it('stops at the smallest move up', () => {
    const follow = atTheEnd();
    follow.scrolled(at(1_496));
    expect(follow.following).toBe(false);
  });

  it('stops on the wheel before anything has moved, and is not taken up by the growth', () => {
    const follow = atTheEnd();
    follow.pushedUp();
    follow.scrolled(at(1_490, 2_400));
    expect(follow.following).toBe(false);
  });

  it('does not begin again because the reader is near the end on the way up', () => {
    const follow = atTheEnd();
    follow.scrolled(at(1_480));
    follow.scrolled(at(1_475));
    expect(follow.following).toBe(false);
  });

  it('begins again when the reader comes down to the end', () => {
    const follow = atTheEnd();
    follow.scrolled(at(900));
    follow.scrolled(at(1_200));
    expect(follow.following).toBe(false);
    follow.scrolled(at(1_480));
    expect(follow.following).toBe(true);
  });

  it('is not stopped by our own placing', () => {
    const follow = atTheEnd();
    follow.placed(1_300);
    follow.scrolled(at(1_300, 1_800));
    expect(follow.following).toBe(true);
  });

  it('begins again when it is asked for', () => {
    const follow = atTheEnd();
    follow.scrolled(at(100));
    follow.resume();
    expect(follow.following).toBe(true);
  });
});

describe('what is being read', () => {
  /** Boxes one below the other, which count how often they are measured. */
  const boxes = (bottoms: number[]) => {
    let measured = 0;
    const all = bottoms.map((bottom) => ({ getBoundingClientRect: () => ((measured += 1), { bottom }) }));
    return { all, measured: () => measured };
  };

  it('is the first message that reaches below the edge', () => {
    const { all } = boxes([-20, 0, 30, 80]);
    expect(firstBelow(all, 0)).toBe(all[2]);
    expect(firstBelow(all, -100)).toBe(all[0]);
    expect(firstBelow(all, 80)).toBeUndefined();
    expect(firstBelow([], 0)).toBeUndefined();
  });

  it('is found by measuring a few of many', () => {
    const { all, measured } = boxes(Array.from({ length: 10_000 }, (_, at) => at * 40));
    expect(firstBelow(all, 123_456)).toBe(all[3_087]);
    expect(measured()).toBeLessThan(16);
  });
});
