// One time for the page and for what runs beside it: each has a zero of its own.

/** Milliseconds that mean the same on every thread. */
export const now = () => performance.timeOrigin + performance.now();

/** The same moment as this thread's `performance.now()` has it. */
export const here = (at) => at - performance.timeOrigin;
