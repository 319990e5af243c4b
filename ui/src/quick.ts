import { mount } from 'svelte';
import './styles/base.css';
import './styles/prose.css';

import Quick from './Quick.svelte';
import { open } from './ipc';

await open();
mount(Quick, { target: document.body });
