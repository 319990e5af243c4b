/** What keys mean: sending, shortcuts, and the name of a key that is to summon the quick window. */

/** What of a keyboard event matters here. */
export type Key = Pick<
  KeyboardEvent,
  'key' | 'code' | 'ctrlKey' | 'shiftKey' | 'altKey' | 'metaKey' | 'isComposing' | 'keyCode'
>;

/**
 * Whether the key belongs to an input method. WebKit ends the composition before it tells of the
 * Enter that ended it, so `isComposing` is false then and only the key code 229 gives it away.
 */
export const isComposing = (event: Key): boolean => event.isComposing || event.keyCode === 229;

/** Whether this key sends what is written: Enter alone, never while composing. */
export const sends = (event: Key): boolean =>
  event.key === 'Enter' &&
  !event.shiftKey &&
  !event.altKey &&
  !event.ctrlKey &&
  !event.metaKey &&
  !isComposing(event);

/** The window's shortcuts. */
export type Shortcut = 'new-chat' | 'search' | 'picker' | 'settings' | 'shortcuts' | 'escape';

/** Every shortcut as shown to people. */
export const SHORTCUTS: { keys: string[]; does: string }[] = [
  { keys: ['Ctrl', 'N'], does: 'New chat' },
  { keys: ['Ctrl', 'K'], does: 'Search all messages' },
  { keys: ['Ctrl', 'M'], does: 'Choose a model' },
  { keys: ['Ctrl', ','], does: 'Settings' },
  { keys: ['Ctrl', '/'], does: 'These shortcuts' },
  { keys: ['Enter'], does: 'Send' },
  { keys: ['Shift', 'Enter'], does: 'New line' },
  { keys: ['Esc'], does: 'Stop the answer, or close' },
  { keys: ['↑', '↓'], does: 'Move through chats or models' },
];

const WITH_CONTROL: Record<string, Shortcut> = {
  n: 'new-chat',
  k: 'search',
  f: 'search',
  m: 'picker',
  ',': 'settings',
  '/': 'shortcuts',
};

/** The shortcut that an event is, if any. */
export function shortcutOf(event: Key): Shortcut | null {
  if (isComposing(event)) return null;
  if (event.key === 'Escape') return 'escape';
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return null;
  return WITH_CONTROL[event.key.toLowerCase()] ?? null;
}

const NAMED_CODES: Record<string, string> = {
  Space: 'Space',
  Enter: 'Enter',
  Tab: 'Tab',
  Backquote: '`',
  Minus: '-',
  Equal: '=',
  BracketLeft: '[',
  BracketRight: ']',
  Semicolon: ';',
  Quote: "'",
  Comma: ',',
  Period: '.',
  Slash: '/',
  Backslash: '\\',
  Insert: 'Insert',
  Home: 'Home',
  End: 'End',
  PageUp: 'PageUp',
  PageDown: 'PageDown',
};

/**
 * A pressed combination as settings write it (`Ctrl+Shift+Space`), or null while it is not one yet.
 * A key that types text needs Ctrl, Alt or Super, for it would be lost to every other program.
 */
export function hotkeyOf(event: Key): string | null {
  const { code } = event;
  const isFunction = /^F([1-9]|1\d|2[0-4])$/.test(code);
  const name = /^Key[A-Z]$/.test(code)
    ? code.slice(3)
    : /^Digit\d$/.test(code)
      ? code.slice(5)
      : isFunction
        ? code
        : NAMED_CODES[code];
  if (!name || (!isFunction && !event.ctrlKey && !event.altKey && !event.metaKey)) return null;
  const held = [
    event.ctrlKey && 'Ctrl',
    event.altKey && 'Alt',
    event.shiftKey && 'Shift',
    event.metaKey && 'Super',
  ].filter((modifier) => modifier !== false);
  return [...held, name].join('+');
}
