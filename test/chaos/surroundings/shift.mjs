/** Preloaded: at SIGUSR2 the wall clock jumps, three days to and fro, as `date -s` would make it. Monotonic time goes on. */
const now = Date.now.bind(Date);
const DAYS = 3 * 86_400_000;
let jump = 0;
Date.now = () => now() + jump;
globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [now() + jump] : args));
  }
};
process.on('SIGUSR2', () => {
  jump = jump > 0 ? -DAYS : DAYS;
});
