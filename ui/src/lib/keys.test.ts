import { describe, expect, it } from 'vitest';

import { hotkeyOf, isComposing, sends, shortcutOf, type Key } from './keys';

const key = (more: Partial<Key>): Key => ({
  key: '',
  code: '',
  keyCode: 0,
  ctrlKey: false,
  shiftKey: false,
  altKey: false,
  metaKey: false,
  isComposing: false,
  ...more,
});
const enter = (more: Partial<Key> = {}) => key({ key: 'Enter', code: 'Enter', keyCode: 13, ...more });

describe('Enter', () => {
  it('sends alone, and with Shift makes a line', () => {
    expect(sends(enter())).toBe(true);
    expect(sends(enter({ shiftKey: true }))).toBe(false);
  });

  it('never sends what an input method is composing', () => {
    expect(sends(enter({ isComposing: true }))).toBe(false);
  });

  it('never sends on the Enter that ended a composition in WebKit', () => {
    const ended = enter({ keyCode: 229, isComposing: false });
    expect(isComposing(ended)).toBe(true);
    expect(sends(ended)).toBe(false);
  });
});

describe('shortcuts', () => {
  it('are known with Ctrl, in either case', () => {
    expect(shortcutOf(key({ key: 'n', ctrlKey: true }))).toBe('new-chat');
    expect(shortcutOf(key({ key: 'K', ctrlKey: true }))).toBe('search');
    expect(shortcutOf(key({ key: 'f', ctrlKey: true }))).toBe('search');
    expect(shortcutOf(key({ key: 'm', ctrlKey: true }))).toBe('picker');
    expect(shortcutOf(key({ key: ',', ctrlKey: true }))).toBe('settings');
    expect(shortcutOf(key({ key: 'Escape' }))).toBe('escape');
  });

  it('leave typing and composing alone', () => {
    expect(shortcutOf(key({ key: 'n' }))).toBeNull();
    expect(shortcutOf(key({ key: 'n', ctrlKey: true, altKey: true }))).toBeNull();
    expect(shortcutOf(key({ key: 'Escape', isComposing: true }))).toBeNull();
  });
});

describe('a hotkey that is pressed', () => {
  it('is written as the settings write it', () => {
    expect(hotkeyOf(key({ code: 'Space', ctrlKey: true, shiftKey: true }))).toBe('Ctrl+Shift+Space');
    expect(hotkeyOf(key({ code: 'KeyJ', metaKey: true }))).toBe('Super+J');
    expect(hotkeyOf(key({ code: 'Digit1', altKey: true, ctrlKey: true }))).toBe('Ctrl+Alt+1');
    expect(hotkeyOf(key({ code: 'F9' }))).toBe('F9');
  });

  it('is none yet while only modifiers are held, or where it would take a letter from every program', () => {
    expect(hotkeyOf(key({ code: 'ControlLeft', ctrlKey: true }))).toBeNull();
    expect(hotkeyOf(key({ code: 'KeyA' }))).toBeNull();
    expect(hotkeyOf(key({ code: 'KeyA', shiftKey: true }))).toBeNull();
  });
});
