/** What clicks and keys do inside rendered messages, whose HTML has no handlers of its own. */
import { codeAround } from './blocks';

const COPIED_MS = 1_500;

/** Puts text on the clipboard. */
export const copyText = (text: string): Promise<void> => navigator.clipboard.writeText(text);

async function copyCode(button: HTMLElement): Promise<void> {
  try {
    await copyText(codeAround(button));
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not copied';
  }
  setTimeout(() => (button.textContent = 'Copy'), COPIED_MS);
}

/** Listens in an element for clicks on links, image chips and copy buttons. */
export function proseActions(openLink: (url: string) => void) {
  const act = (event: Event): void => {
    if (!(event.target instanceof Element)) return;
    const target = event.target.closest<HTMLElement>('.link, .image-chip, .code-copy');
    if (!target) return;
    event.preventDefault();
    if (target.classList.contains('code-copy')) {
      if (event.type === 'click') void copyCode(target);
      return;
    }
    const url = target.dataset.href ?? target.dataset.src;
    if (url) openLink(url);
  };
  return (host: Element): (() => void) => {
    const press = (event: Event): void => {
      const { key } = event as KeyboardEvent;
      const isButton = event.target instanceof HTMLButtonElement;
      if (!isButton && (key === 'Enter' || key === ' ')) act(event);
    };
    host.addEventListener('click', act);
    host.addEventListener('keydown', press);
    return () => {
      host.removeEventListener('click', act);
      host.removeEventListener('keydown', press);
    };
  };
}
