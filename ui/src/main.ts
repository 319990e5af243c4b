import { mount } from 'svelte';
import './styles/base.css';
import './styles/prose.css';

import App from './App.svelte';
import { open } from './ipc';

await open();
mount(App, { target: document.body });
