/** Client code: follows the events of this run and comes back by itself. */
export const STREAM = String.raw`
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Reads server-sent events; the token goes in a header, so that it is in no log of addresses. */
async function readEvents(address, token, onMessage) {
  const answer = await fetch(address, { headers: { authorization: 'Bearer ' + token }, cache: 'no-store' });
  if (answer.status === 401) return 'refused';
  if (!answer.ok) throw new Error('status ' + answer.status);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return 'ended';
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      for (const line of block.split('\n')) if (line.startsWith('data: ')) onMessage(JSON.parse(line.slice(6)));
    }
  }
}

/** onState: 'connecting', 'live', 'waiting' with the seconds until the next try, 'refused' for good. */
async function follow(address, onMessage, onState) {
  const token = new URLSearchParams(location.search).get('token');
  for (let wait = 1; ; wait = Math.min(wait * 2, 8)) {
    onState('connecting');
    const took = (message) => {
      if (message.type === '@onemcp.live') {
        wait = 0.5;
        onState('live');
      }
      onMessage(message);
    };
    const end = await readEvents(address, token, took).catch(() => 'failed');
    if (end === 'refused') return onState('refused');
    for (let left = Math.max(1, wait); left > 0; left--) {
      onState('waiting', left);
      await sleep(1000);
    }
  }
}
`;
