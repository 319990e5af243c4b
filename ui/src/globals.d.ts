/** Whether this build may fall back on the fake backend: never in production. */
declare const __FAKE__: boolean;
