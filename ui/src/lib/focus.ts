/** Gives an element the keys as soon as it is in the page: where `autofocus` would not take them. */
export const takeFocus = (element: HTMLElement): void => element.focus();
