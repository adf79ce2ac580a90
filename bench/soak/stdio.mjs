/** Soak backend over stdio: echo and slow, and whatever fault is on. */
import { createInterface } from 'node:readline';
import { answer, createFault, echoed } from './fault.mjs';

const fault = createFault();
const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const notify = (method, params) => send({ jsonrpc: '2.0', method, params });

const call = ({ id, params }) => {
  const reply = () => send({ jsonrpc: '2.0', id, result: echoed(params) });
  switch (fault()) {
    case 'crash':
      return process.exit(3);
    case 'freeze':
      return;
    case 'garbage':
      process.stdout.write('{"jsonrpc":"2.0","id":\n\u0000\u0001 not JSON\n[1,2\n"text"\n{"jsonrpc":"2.0","id":99999999,"result":{}}\n');
      return reply();
    case 'slow':
      return setTimeout(reply, 1_500);
    case 'flood':
      for (let n = 0; n < 500; n++) notify('notifications/message', { level: 'error', data: `flood ${n}` });
      for (let n = 0; n < 50; n++) notify('notifications/tools/list_changed');
      process.stderr.write('flood on stderr\n'.repeat(200));
      return reply();
    default:
      return params?.name === 'slow' ? setTimeout(reply, Number(params.arguments?.ms ?? 500)) : reply();
  }
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message = JSON.parse(line);
    if (message.method === 'tools/call') return call(message);
    // One that is frozen answers nobody.
    if (fault() === 'freeze') return;
    const said = answer(message);
    if (said) send(said);
  })
  .on('close', () => process.exit(0));
process.stdout.on('error', () => {});
